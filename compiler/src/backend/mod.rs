//! Back ends: from verified kernels to code bytes, or to the text of a GPU's assembler.

#[cfg(feature = "cranelift")]
pub mod cranelift;
#[cfg(feature = "ptx")]
pub mod ptx;
