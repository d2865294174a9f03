//! The CPU back end: kernels through Cranelift to machine code.
//!
//! A kernel enters, one position-independent function per phase leaves: System V calling convention, no relocations, no
//! calls, no traps. Its parameters are a pointer to one pointer per argument of the kernel, a pointer to local memory, and of
//! a parallel loop the first iteration to run and the one after the last. Lanes are 32-bit words: kernels on types of 64
//! bits have no lanes. A bool is the word 0 or 1 in memory, one byte as a scalar and a mask of ones in lanes.
//!
//! Cranelift neither unrolls nor schedules, and hoists only with an optimisation level that ruins schedules; so the kernel
//! says what is unrolled and interleaved, and addresses are taken apart here: what does not change in a loop is computed
//! before it.
//!
//! Cranelift knows vectors of four lanes. For more, one of its vectors stands for all of them, parts of four are taken out
//! of it and put into it only by what stands for that, and on x86-64 the code is widened, but for what runs in parts. Where
//! that is refused, the kernel gets code for fewer lanes, and the code says why.

mod address;
mod emitter;
mod memory;
mod narrow;
mod operation;
mod parts;

mod widen;

pub use widen::Refusal;

use crate::dtype::DType;
use crate::kernel::{self, Kernel, LoopKind, Phase, Statement, approximate, split_fma, steps};
use crate::scalar::ScalarOp;
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{AbiParam, Function, Signature, UserFuncName, types};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use emitter::Emitter;
use std::ops::Range;
use target_lexicon::Architecture;
use thiserror::Error;
use widen::{Factor, Widened};

/// Lanes of a vector that Cranelift knows of.
pub const NARROW: usize = kernel::PART;

/// The machine code of one kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// A function per phase, to be run in this order.
    pub functions: Vec<Machine>,
    /// How many lanes its vectors have, on which the order of reductions depends; 1 if there are no lanes loops.
    pub lanes: usize,
    /// How many instructions store vectors for which there were no registers.
    pub spills: usize,
    /// Why it has fewer lanes than the target, if it has any.
    pub refusal: Option<Refusal>,
}

/// The machine code of one phase.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// The bytes: the function starts at the first one.
    pub bytes: Vec<u8>,
    /// What the address of the first byte must be a multiple of.
    pub alignment: u64,
    /// How many iterations its parallel loop has; `None` if it has none.
    pub parallel: Option<usize>,
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
    /// The kernel was scheduled for blocks of threads.
    #[error("kernel {0} is for threads")]
    Threads(String),
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

/// The machine code of a kernel for a target that has this many lanes. It runs at fewer where its loops are shorter, or where
/// more are refused.
pub fn emit(kernel: &Kernel, isa: &dyn TargetIsa, lanes: usize) -> Result<Code, EmitError> {
    if isa.pointer_bits() != 64 {
        return Err(EmitError::Pointers(isa.pointer_bits()));
    }
    if kernel.threads.is_some() {
        return Err(EmitError::Threads(kernel.name.clone()));
    }
    let kernel = lower(kernel, isa);
    kernel::verify(&kernel).map_err(|error| EmitError::Verify { kernel: kernel.name.clone(), error })?;
    let phases = kernel::phases(&kernel);
    let fitting = fitting_lanes(&kernel, lanes);
    let mut refusal = (1 < fitting && fitting < lanes).then(|| Refusal::Short(longest(&kernel.body)));
    for (factor, wide) in [(Factor::Four, 4 * NARROW), (Factor::Two, 2 * NARROW)] {
        if wide > fitting {
            continue;
        }
        match emit_wide(&phases, isa, wide, factor)? {
            Ok(code) => return Ok(Code { refusal, ..code }),
            Err(reason) => refusal = refusal.or(Some(reason)),
        }
    }
    let mut code = Code { functions: Vec::new(), lanes: fitting_lanes(&kernel, NARROW), spills: 0, refusal };
    for phase in &phases {
        let Compiled { bytes, alignment, .. } = compile(&phase.kernel, isa, NARROW)?;
        code.spills += if is_x86_64(isa) { widen::spills(&bytes) } else { 0 };
        code.functions.push(Machine { bytes, alignment, parallel: phase.parallel });
    }
    Ok(code)
}

/// The number of lanes, at most this many, at which the lanes loops of a kernel take the fewest steps, what is left over
/// included; of two that take as many, the larger one, but none that no loop fills. 1 if there are no such loops.
fn fitting_lanes(kernel: &Kernel, most: usize) -> usize {
    let filled = longest(&kernel.body).max(NARROW).min(most);
    let choices = [4 * NARROW, 2 * NARROW, NARROW].into_iter().filter(|&lanes| lanes <= filled);
    let fitting = choices.min_by_key(|&lanes| all_steps(&kernel.body, lanes)).unwrap_or(NARROW);
    if has_lanes(&kernel.body) { fitting } else { 1 }
}

/// How many steps the lanes loops take that statements run.
fn all_steps(statements: &[Statement], lanes: usize) -> usize {
    let taken = |statement: &Statement| match statement {
        Statement::Loop { extent, kind: LoopKind::Lanes { .. }, .. } => steps(*extent, lanes).into_iter().sum(),
        Statement::Loop { extent, body, .. } => extent.saturating_mul(all_steps(body, lanes)),
        _ => 0,
    };
    statements.iter().map(taken).fold(0, usize::saturating_add)
}

/// How many iterations the longest lanes loop has.
fn longest(statements: &[Statement]) -> usize {
    let longest = |statement: &Statement| match statement {
        Statement::Loop { extent, kind: LoopKind::Lanes { .. }, .. } => *extent,
        Statement::Loop { body, .. } => longest(body),
        _ => 0,
    };
    statements.iter().map(longest).max().unwrap_or(0)
}

/// The code of a kernel at more lanes than Cranelift knows, or why there is none.
fn emit_wide(
    phases: &[Phase],
    isa: &dyn TargetIsa,
    lanes: usize,
    factor: Factor,
) -> Result<Result<Code, Refusal>, EmitError> {
    if !is_x86_64(isa) || !has(isa, "has_avx2") {
        return Ok(Err(Refusal::Target));
    }
    let mut code = Code { functions: Vec::new(), lanes, spills: 0, refusal: None };
    for phase in phases {
        let Compiled { bytes, parts, .. } = compile(&phase.kernel, isa, lanes)?;
        let Widened { bytes, alignment, spills } = match widen::widen(&bytes, &parts, factor) {
            Ok(widened) => widened,
            Err(refusal) => return Ok(Err(refusal)),
        };
        code.spills += spills;
        code.functions.push(Machine { bytes, alignment: alignment as u64, parallel: phase.parallel });
    }
    Ok(Ok(code))
}

/// What Cranelift makes of a kernel.
struct Compiled {
    bytes: Vec<u8>,
    alignment: u64,
    /// Which of the bytes are code that runs in parts.
    parts: Vec<Range<usize>>,
}

/// What Cranelift makes of a kernel whose vectors stand for this many lanes.
fn compile(kernel: &Kernel, isa: &dyn TargetIsa, lanes: usize) -> Result<Compiled, EmitError> {
    let mut context = Context::for_function(function(kernel, isa, lanes)?);
    let codegen = |message| EmitError::Codegen { kernel: kernel.name.clone(), message };
    context.compile(isa, &mut ControlPlane::default()).map_err(|error| codegen(error.inner.to_string()))?;
    let compiled = context.compiled_code().expect("compilation succeeded");
    if !compiled.buffer.relocs().is_empty() || !compiled.buffer.traps().is_empty() {
        return Err(EmitError::NotSelfContained(kernel.name.clone()));
    }
    let located = compiled.buffer.get_srclocs_sorted().iter();
    let parts =
        located.filter(|code| code.loc.bits() == parts::IN_PARTS).map(|code| code.start as usize..code.end as usize);
    Ok(Compiled {
        bytes: compiled.code_buffer().to_vec(),
        alignment: u64::from(compiled.buffer.alignment),
        parts: parts.collect(),
    })
}

fn has_lanes(statements: &[Statement]) -> bool {
    statements.iter().any(|statement| match statement {
        Statement::Loop { kind: LoopKind::Lanes { .. }, .. } => true,
        Statement::Loop { body, .. } => has_lanes(body),
        _ => false,
    })
}

/// The kernel as it is translated for this target: transcendental operations written out, and fused multiply-adds only where
/// the target has them. The interpreter predicts its results bit by bit.
pub fn lower(kernel: &Kernel, isa: &dyn TargetIsa) -> Kernel {
    let kernel = approximate(kernel);
    // Only x86-64 has a flag for it; all others always have it.
    if !is_x86_64(isa) || has(isa, "has_fma") { kernel } else { split_fma(&kernel) }
}

fn is_x86_64(isa: &dyn TargetIsa) -> bool {
    isa.triple().architecture == Architecture::X86_64
}

/// Whether a target has an extension that there is a flag for.
fn has(isa: &dyn TargetIsa, extension: &str) -> bool {
    isa.isa_flags().into_iter().any(|flag| flag.name == extension && flag.as_bool() == Some(true))
}

/// The kernel as a function of Cranelift's IR.
fn function(kernel: &Kernel, isa: &dyn TargetIsa, lanes: usize) -> Result<Function, EmitError> {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.extend([AbiParam::new(types::I64); 4]);
    let mut function = Function::with_name_signature(UserFuncName::default(), signature);
    let mut context = FunctionBuilderContext::new();
    let builder = FunctionBuilder::new(&mut function, &mut context);
    Emitter::new(kernel, lanes, builder)?.emit(isa.frontend_config())?;
    Ok(function)
}
