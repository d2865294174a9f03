//! Back ends: from verified kernels to code bytes.

pub mod cranelift;
