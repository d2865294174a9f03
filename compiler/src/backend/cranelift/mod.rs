//! The CPU back end: kernels through Cranelift to machine code.
//!
//! A kernel enters, one position-independent function leaves: System V calling convention, its one parameter a pointer to one
//! pointer per parameter of the kernel, no relocations, no calls, no traps. Lanes are four 32-bit words: kernels on types of
//! 64 bits have no lanes. A bool is the word 0 or 1 in memory, one byte as a scalar and a mask of ones in lanes.
//!
//! Cranelift neither unrolls nor schedules, and hoists only with an optimisation level that ruins schedules; so the kernel
//! says what is unrolled and interleaved, and addresses are taken apart here: what does not change in a loop is computed
//! before it.

mod address;
mod emitter;
mod memory;
mod narrow;
mod operation;

use crate::dtype::DType;
use crate::kernel::{self, Kernel, approximate, split_fma};
use crate::scalar::ScalarOp;
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{AbiParam, Function, Signature, UserFuncName, types};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use emitter::Emitter;
use thiserror::Error;

/// Lanes of a vector.
pub const LANES: usize = 4;

/// The machine code of one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The bytes: the function starts at the first one.
    pub bytes: Vec<u8>,
    /// What the address of the first byte must be a multiple of.
    pub alignment: u64,
}

/// Why a kernel has no code.
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
    /// The target has other pointers than of 64 bits.
    #[error("the target has pointers of {0} bits, not of 64")]
    Pointers(u8),
    /// An element type in a lanes loop that does not fill a lane.
    #[error("{0} does not fill a lane of four bytes")]
    Lane(DType),
    /// An operation that has no code for its type.
    #[error("{op} on {dtype} has no code on this target")]
    Operation {
        /// The operation.
        op: ScalarOp,
        /// The type of its operands.
        dtype: DType,
    },
    /// An array whose elements lie too far apart for a displacement.
    #[error("kernel {0} works on arrays of more than two gigabytes")]
    TooLarge(String),
    /// The code generator refused.
    #[error("kernel {kernel}: {message}")]
    Codegen {
        /// The name of the kernel.
        kernel: String,
        /// What it said.
        message: String,
    },
    /// The code would call a library or may trap, because the target lacks an instruction.
    #[error("kernel {0} needs an instruction that the target lacks")]
    NotSelfContained(String),
}

/// The machine code of a kernel for a target.
pub fn emit(kernel: &Kernel, isa: &dyn TargetIsa) -> Result<Code, EmitError> {
    if isa.pointer_bits() != 64 {
        return Err(EmitError::Pointers(isa.pointer_bits()));
    }
    let kernel = lower(kernel, isa);
    kernel::verify(&kernel).map_err(|error| EmitError::Verify { kernel: kernel.name.clone(), error })?;
    let mut context = Context::for_function(function(&kernel, isa)?);
    let codegen = |message| EmitError::Codegen { kernel: kernel.name.clone(), message };
    context.compile(isa, &mut ControlPlane::default()).map_err(|error| codegen(error.inner.to_string()))?;
    let compiled = context.compiled_code().expect("compilation succeeded");
    if !compiled.buffer.relocs().is_empty() || !compiled.buffer.traps().is_empty() {
        return Err(EmitError::NotSelfContained(kernel.name.clone()));
    }
    Ok(Code { bytes: compiled.code_buffer().to_vec(), alignment: u64::from(compiled.buffer.alignment) })
}

/// The kernel as it is translated for this target: transcendental operations written out, and fused multiply-adds only where
/// the target has them. The interpreter predicts its results bit by bit.
pub fn lower(kernel: &Kernel, isa: &dyn TargetIsa) -> Kernel {
    let kernel = approximate(kernel);
    if has_fma(isa) { kernel } else { split_fma(&kernel) }
}

/// Whether the target multiplies and adds in one instruction. Only x86-64 has a flag for it; all others always do.
fn has_fma(isa: &dyn TargetIsa) -> bool {
    let flag = isa.isa_flags().into_iter().find(|flag| flag.name == "has_fma");
    flag.is_none_or(|flag| flag.as_bool() == Some(true))
}

/// The kernel as a function of Cranelift's IR.
fn function(kernel: &Kernel, isa: &dyn TargetIsa) -> Result<Function, EmitError> {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.push(AbiParam::new(types::I64));
    let mut function = Function::with_name_signature(UserFuncName::default(), signature);
    let mut context = FunctionBuilderContext::new();
    let builder = FunctionBuilder::new(&mut function, &mut context);
    Emitter::new(kernel, builder)?.emit(isa.frontend_config())?;
    Ok(function)
}
