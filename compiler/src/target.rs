//! Targets: what a schedule knows of the machine that a kernel runs on.

/// A machine, as far as schedules care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// How many values of 32 bits its vectors hold: 4, 8 or 16.
    pub lanes: usize,
}

impl Default for Target {
    /// A machine with vectors of 128 bits, which every machine that code is made for has.
    fn default() -> Target {
        Target { lanes: 4 }
    }
}
