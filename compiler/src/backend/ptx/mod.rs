//! The GPU back end: kernels to PTX, the text that a driver assembles for the GPU at hand.
//!
//! A kernel for threads enters, one module leaves, with an entry per list of phases that run at once: grids of blocks are the
//! only barrier between blocks. Where there are several phases, the first blocks run the first one. Its parameters are the global address of each argument of the kernel, in order. Iterations of a parallel loop are
//! blocks, those of a lanes loop run on the threads of a block, and what stands outside of lanes loops every thread computes
//! alike. A bool is the word 0 or 1 in memory and a predicate in registers; a u8 is a word of 32 bits.
//!
//! Every operation on floats says how it rounds, so that an assembler contracts nothing, and transcendental operations are
//! the polynomials of [`crate::kernel::approximate()`]: results are those of the interpreter, bit by bit.
//!
//! The assembler hoists and schedules; what it cannot know is taken apart here: addresses, so that what does not change in a
//! loop is computed before it, and barriers, which stand only where one thread needs what another one has stored.

mod address;
mod barriers;
mod beside;
mod combine;
mod emitter;
mod entry;
mod fragments;
mod memory;
mod operation;
mod staging;
mod text;

use crate::dtype::DType;
use crate::kernel::{self, Kernel, Phase, approximate};
use crate::scalar::ScalarOp;
use thiserror::Error;

/// The PTX of a kernel: a module of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The text of the module.
    pub text: String,
    /// Its functions, launched one after the other.
    pub entries: Vec<Entry>,
}

/// A function of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the module calls it.
    pub name: String,
    /// How many blocks run it.
    pub blocks: usize,
    /// How many threads each block has.
    pub threads: usize,
    /// How much shared memory a launch adds to what the text declares, in bytes.
    pub shared_bytes: usize,
}

/// Why a kernel has no PTX.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EmitError {
    /// The kernel is none: a fault of the compiler.
    #[error("kernel {kernel}: {error}")]
    Verify {
        /// The name of the kernel.
        kernel: String,
        /// What is wrong with it.
        error: kernel::VerifyError,
    },
    /// The kernel was scheduled for a machine with vectors.
    #[error("kernel {0} is not for threads")]
    NoThreads(String),
    /// An operation that has no code for its type.
    #[error("{op} on {dtype} has no code on a GPU")]
    Operation {
        /// The operation.
        op: ScalarOp,
        /// The type of its operands.
        dtype: DType,
    },
    /// A position, or a part of it, that does not fit 32 bits.
    #[error("kernel {0} counts further than 32 bits")]
    TooLarge(String),
}

/// What every module begins with. The oldest GPU that it is for has bf16 conversions and asynchronous copies.
const HEADER: &str = ".version 7.0\n.target sm_80\n.address_size 64\n";

/// The PTX of a kernel for threads.
pub fn emit(kernel: &Kernel) -> Result<Code, EmitError> {
    let Some(threads) = kernel.threads else { return Err(EmitError::NoThreads(kernel.name.clone())) };
    let kernel = approximate(kernel);
    kernel::verify(&kernel).map_err(|error| EmitError::Verify { kernel: kernel.name.clone(), error })?;
    let mut code = Code { text: HEADER.to_string(), entries: Vec::new() };
    // What is more than every kernel may declare, a launch asks for.
    let local = Some(kernel.local_offsets().1).filter(|&bytes| bytes > kernel::SHARED_BYTES);
    if local.is_some() {
        code.text += &format!("\n.extern .shared .align 64 .b8 {}[];\n", entry::DYNAMIC);
    }
    for (number, phases) in kernel::grids(&kernel).iter().enumerate() {
        // A grid of no blocks is none.
        let phases: Vec<&Phase> = phases.iter().filter(|phase| phase.parallel != Some(0)).collect();
        let blocks = phases.iter().map(|phase| phase.parallel.unwrap_or(1)).sum();
        if blocks == 0 {
            continue;
        }
        let name = format!("{}_{number}", identifier(&kernel.name));
        code.text += &entry::emit(&kernel, &phases, threads, &name)?;
        code.entries.push(Entry { name, blocks, threads, shared_bytes: local.unwrap_or(0) });
    }
    Ok(code)
}

/// The name of a kernel as the name of a function.
fn identifier(name: &str) -> String {
    let letters = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' });
    format!("k_{}", letters.collect::<String>())
}
