//! Targets: what a schedule knows of the machine that a kernel runs on.

use std::fmt;

/// How exactly the operands of products are taken where a step contracts arrays of f32.
///
/// Sums are always f32. A device that has no use for it computes in f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// As they are.
    #[default]
    F32,
    /// They may be rounded to 10 bits behind the leading one, with the range of f32.
    Tf32,
    /// They may be rounded to 7 bits behind the leading one, with the range of f32.
    Bf16,
}

impl Precision {
    /// Its name, as in `tf32`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A machine, as far as schedules care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// How many values of 32 bits its vectors hold: 4, 8 or 16. On a GPU, the threads of a block.
    pub lanes: usize,
    /// How much work a thread takes at a time, in cycles. Twice as much is worth more than one thread. On a GPU, so much work
    /// is worth a block.
    pub piece: usize,
    /// Whether lanes are the threads of blocks on a GPU.
    pub gpu: bool,
    /// How operands of products may be rounded, on a GPU.
    pub precision: Precision,
}

impl Target {
    /// A machine with vectors of this many values.
    pub fn new(lanes: usize) -> Target {
        // It takes threads a few thousand cycles to hand over a piece and to meet at the end.
        Target { lanes, piece: 15_000, gpu: false, precision: Precision::F32 }
    }

    /// A GPU whose blocks have this many threads.
    pub fn gpu(threads: usize) -> Target {
        // What a block does in the time that it takes to start one.
        Target { lanes: threads, piece: 16, gpu: true, precision: Precision::F32 }
    }

    /// The threads of a block, on a GPU.
    pub fn threads(&self) -> Option<usize> {
        self.gpu.then_some(self.lanes)
    }
}

impl Default for Target {
    /// A machine with vectors of 128 bits, which every machine that code is made for has.
    fn default() -> Target {
        Target::new(4)
    }
}
