//! The CUDA back end: kernels to PTX text.

use crate::kernel::Kernel;
use thiserror::Error;

/// The PTX of a kernel: a module of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The text.
    pub text: String,
    /// Its functions, to be launched in this order.
    pub entries: Vec<Entry>,
}

/// A function of a module, launched after those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name in the text.
    pub name: String,
    /// How many thread blocks run it.
    pub blocks: usize,
    /// How many threads a block has.
    pub threads: usize,
    /// How much shared memory a block gets at the launch, beside what the text declares.
    pub shared_bytes: usize,
}

/// Why a kernel has no PTX.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("kernel {0} has no PTX")]
pub struct EmitError(String);

/// The PTX of a kernel.
pub fn emit(kernel: &Kernel) -> Result<Code, EmitError> {
    Err(EmitError(kernel.name.clone()))
}
