//! The processor: which instructions it has, and how code is made for it.

mod code;

pub(crate) use code::Code;

use crate::error::Error;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};

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
}

impl Cpu {
    pub(crate) fn new() -> Cpu {
        Cpu { isa: native() }
    }

    /// What code is made for.
    pub(crate) fn isa(&self) -> Result<&OwnedTargetIsa, Error> {
        self.isa.as_ref().map_err(|reason| Error::Machine { reason: reason.clone() })
    }
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
        let cpu = Cpu::new();
        let isa = cpu.isa().expect("tests run on a machine that Cranelift knows");
        assert!(!isa.flags().is_pic() && !isa.flags().unwind_info());
    }
}
