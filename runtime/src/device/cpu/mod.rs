//! The processor: which instructions it has, and how code is made for it.

mod code;
mod copies;
mod executable;
mod peaks;
mod pool;

pub(super) use copies::time_copies;
pub(super) use executable::load;

use code::{Code, Local};
use pool::{Pool, Session};

use crate::error::Error;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use peaks::Peaks;
use std::sync::Mutex;
use tapeless_compiler::target::Target;

/// How Cranelift compiles kernels.
///
/// Kernels come with their schedule made: the optimiser would only sink loads and break up interleaved chains, so it stays
/// off. Frames larger than a page are probed in place, so that no kernel can jump over the end of the stack. Cranelift's own verifier runs where the user's program is a debug build.
const SETTINGS: [(&str, &str); 7] = [
    ("opt_level", "none"),
    ("regalloc_algorithm", "backtracking"),
    ("is_pic", "false"),
    ("unwind_info", "false"),
    ("enable_probestack", "true"),
    ("probestack_strategy", "inline"),
    ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
];

/// The processor that the program runs on.
pub(crate) struct Cpu {
    isa: Result<OwnedTargetIsa, String>,
    target: Target,
    pool: Pool,
    peaks: Mutex<Peaks>,
}

impl Cpu {
    /// The processor with vectors of at most this many lanes.
    pub(crate) fn new(most_lanes: usize) -> Cpu {
        Cpu { isa: native(), target: Target::new(lanes(most_lanes)), pool: Pool::default(), peaks: Mutex::default() }
    }

    /// What schedules are made for, with at most so many lanes; 0 stands for as many as there are.
    pub(crate) fn target(&self, most_lanes: usize) -> Target {
        match most_lanes {
            0 => self.target,
            most => Target { lanes: lanes(most).min(self.target.lanes), ..self.target },
        }
    }

    /// The use of its threads.
    fn session(&self, threads: usize) -> Session<'_> {
        self.pool.session(threads)
    }

    /// What code is made for.
    fn isa(&self) -> Result<&OwnedTargetIsa, Error> {
        self.isa.as_ref().map_err(|reason| Error::Machine { reason: reason.clone() })
    }
}

/// How many threads a step uses that asks for so many; 0 stands for one per processor that the program may use.
fn threads(wanted: usize) -> usize {
    match wanted {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        wanted => wanted,
    }
}

/// How many values of 32 bits the vectors of this machine hold that code is made for, at most this many but at least four.
fn lanes(most: usize) -> usize {
    if most >= 8 { vector_lanes() } else { 4 }
}

/// Code of sixteen lanes is no choice yet, since it has been checked instruction by instruction but has not run.
#[cfg(target_arch = "x86_64")]
fn vector_lanes() -> usize {
    let wide = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    if wide { 8 } else { 4 }
}

#[cfg(not(target_arch = "x86_64"))]
fn vector_lanes() -> usize {
    4
}

fn native() -> Result<OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    for (name, value) in SETTINGS {
        flags.set(name, value).map_err(|error| format!("{name} = {value}: {error}"))?;
    }
    let builder = cranelift_native::builder()?;
    builder.finish(settings::Flags::new(flags)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_one_that_code_is_made_for() {
        let cpu = Cpu::new(usize::MAX);
        let isa = cpu.isa().expect("tests run on a machine that Cranelift knows");
        assert!(!isa.flags().is_pic() && !isa.flags().unwind_info());
    }

    #[test]
    fn vectors_are_no_wider_than_they_may_be() {
        assert_eq!([0, 4, 5, 7].map(lanes), [4; 4]);
        assert_eq!([8, 9, 16, usize::MAX].map(lanes), [vector_lanes(); 4]);
    }
}
