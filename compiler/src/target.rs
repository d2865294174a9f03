//! Targets: what a schedule knows of the machine that a kernel runs on.

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
}

impl Target {
    /// A machine with vectors of this many values.
    pub fn new(lanes: usize) -> Target {
        // It takes threads a few thousand cycles to hand over a piece and to meet at the end.
        Target { lanes, piece: 15_000, gpu: false }
    }

    /// A GPU whose blocks have this many threads.
    pub fn gpu(threads: usize) -> Target {
        // What a block does in the time that it takes to start one.
        Target { lanes: threads, piece: 16, gpu: true }
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
