//! Back ends: from verified kernels to code.

#[cfg(feature = "cranelift")]
pub mod cranelift;
#[cfg(feature = "ptx")]
pub mod ptx;
