//! Targets: what a schedule knows of the machine that a kernel runs on.

/// A machine, as far as schedules care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// How many values of 32 bits its vectors hold: 4, 8 or 16.
    pub lanes: usize,
    /// How much work a thread takes at a time, in cycles. Twice as much is worth more than one thread.
    pub piece: usize,
}

impl Target {
    /// A machine with vectors of this many values.
    pub fn new(lanes: usize) -> Target {
        // It takes threads a few thousand cycles to hand over a piece and to meet at the end.
        Target { lanes, piece: 15_000 }
    }

    /// A GPU whose blocks have this many threads.
    pub fn gpu(threads: usize) -> Target {
        Target::new(threads)
    }
}

impl Default for Target {
    /// A machine with vectors of 128 bits, which every machine that code is made for has.
    fn default() -> Target {
        Target::new(4)
    }
}
