//! Code of 128-bit vectors becomes code of 256 or 512 bits.
//!
//! Cranelift's x86-64 back end knows vectors of four lanes only. Instructions that do the same in every lane are right at any
//! width: so the bytes are decoded, every instruction on whole vectors is encoded again at the wider width, what stands for
//! joining and splitting vectors becomes that, and everything else stays. Code that runs in parts stays narrow, but for what
//! moves vectors and for joining and splitting them. What enters is position-independent code without calls, traps and
//! relocations, constants behind it; what leaves is the same kind of code. Invariants, each checked, else the code is refused:
//!
//! - Vectors are touched only by instructions of the [table]; what is not in there may mix lanes.
//! - The frame is what Cranelift makes: saved registers and spills, reached by displacements from the stack pointer, which
//!   grow with the vectors. No address of it is taken, and it stays within a page.
//! - A constant that is the operand of an operation is one word in every lane.
//!
//! The emitter vouches for the rest: memory that a vector is loaded from or stored to is as large as the wider one, and what
//! means lanes by position (inserting, extracting, shuffling, packing, loading a constant whose lanes differ) means those of a
//! part, the lowest four.

mod assemble;
mod decode;
mod fold;
mod frame;
mod table;
#[cfg(test)]
mod tests;

use iced_x86::{Code, Instruction};
use std::collections::HashSet;
use std::ops::Range;
use thiserror::Error;

/// How many times as wide vectors become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// 256 bits: AVX2 and FMA.
    Two,
    /// 512 bits: AVX-512 with doublewords and quadwords, bytes and words, and vector lengths.
    Four,
}

impl Factor {
    /// As a number.
    fn times(self) -> usize {
        match self {
            Factor::Two => 2,
            Factor::Four => 4,
        }
    }

    /// The bytes of a vector.
    fn bytes(self) -> usize {
        16 * self.times()
    }
}

/// Code at its new width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Widened {
    /// The function and its constants.
    pub(super) bytes: Vec<u8>,
    /// What the address of the first byte must be a multiple of.
    pub(super) alignment: usize,
    /// How many instructions store vectors to the frame.
    pub(super) spills: usize,
}

/// Why code has fewer lanes than its target.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Refusal {
    /// The target has no wider vectors that code is made for.
    #[error("the target has no wider vectors that code is made for")]
    Target,
    /// Loops that wider vectors are too long for: the longest one has so many iterations.
    #[error("its loops of at most {0} iterations take no fewer steps at more")]
    Short(usize),
    /// An instruction that may mix lanes or that the pass does not know.
    #[error("{0:?} is not known to be lane by lane")]
    Instruction(Code),
    /// An instruction that uses the frame in a way that does not grow with the vectors.
    #[error("{0:?} uses the frame in another way than spills do")]
    Frame(Code),
    /// A frame that would be larger than a page.
    #[error("a frame of {0} bytes would be larger than a page")]
    LargeFrame(usize),
    /// A constant whose lanes are not alike.
    #[error("a constant has lanes that are not alike")]
    Constant,
    /// Bytes that are no function.
    #[error("control leaves the code")]
    Outside,
    /// An instruction that the assembler does not take.
    #[error("the assembler says: {0}")]
    Assemble(String),
}

/// The code at vectors that are wider by a factor, but for what runs in parts, which is in these ranges of the bytes.
pub(super) fn widen(bytes: &[u8], parts: &[Range<usize>], factor: Factor) -> Result<Widened, Refusal> {
    let mut instructions = decode::decode(bytes)?;
    let spills = count_spills(&instructions);
    let in_parts = |ip: &u64| parts.iter().any(|part| part.contains(&((ip - decode::START) as usize)));
    let parts: HashSet<u64> = instructions.iter().map(Instruction::ip).filter(in_parts).collect();
    instructions.iter_mut().for_each(|instruction| *instruction = table::modern(*instruction));
    fold::broadcasts(&mut instructions);
    frame::scale(&mut instructions, factor.times())?;
    let bytes = assemble::assemble(&instructions, &parts, bytes, factor)?;
    Ok(Widened { bytes, alignment: factor.bytes(), spills })
}

/// How many instructions of code store vectors to its frame.
pub(super) fn spills(bytes: &[u8]) -> usize {
    decode::decode(bytes).map_or(0, |instructions| count_spills(&instructions))
}

fn count_spills(instructions: &[Instruction]) -> usize {
    instructions.iter().filter(|instruction| frame::is_spill(instruction)).count()
}
