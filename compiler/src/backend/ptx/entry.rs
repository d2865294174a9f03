//! Functions of a module: phases that run at once enter, the text of one function leaves.
//!
//! Each block runs one phase, by its number. What all phases need stands before them: where the arrays are, and which thread
//! this is.

use super::EmitError;
use super::emitter::Emitter;
use super::staging::copies_whole_tiles;
use super::text::{Class, Reg, Text};
use crate::dtype::DType;
use crate::kernel::{Kernel, Phase, SHARED_BYTES, Usage, WARP};
use std::fmt::Write;

/// What the memory of a block is called that a launch asks for.
pub(super) const DYNAMIC: &str = "dynamic";

/// From how many threads on a block with fragments may take so many registers that no other fits beside it.
const LARGE: usize = 256;

/// From how many registers on a kernel is a product in tiles, of which each thread has several sums.
const SUMS: usize = 8;

/// From how many arrays on their addresses take so many registers that others do not fit beside them, at what the assembler
/// allows a thread by itself.
const ARRAYS: usize = 12;

/// Where an array is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the memory of the GPU, at an address.
    Global(Reg),
    /// In the memory of the block, so many bytes behind its start.
    Shared(usize),
}

/// What stands at the beginning of a function.
pub(super) struct Entered<'k> {
    /// The kernel of all phases, which says where local arrays lie.
    pub(super) whole: &'k Kernel,
    pub(super) threads: usize,
    /// Where each parameter is.
    pub(super) places: Vec<Place>,
    /// Where the local arrays begin, in shared memory.
    pub(super) local: Reg,
    /// The number of the thread in its block.
    pub(super) thread: Reg,
    /// Whether this is the thread that stores what all compute alike.
    pub(super) is_first: Reg,
}

/// The function of this name that runs phases of a kernel at once.
pub(super) fn emit(kernel: &Kernel, phases: &[&Phase], threads: usize, name: &str) -> Result<String, EmitError> {
    let mut text = Text::default();
    let thread = text.set(Class::Word, "mov.u32", format_args!("%tid.x"));
    let mut block = text.set(Class::Word, "mov.u32", format_args!("%ctaid.x"));
    let is_first = text.set(Class::Predicate, "setp.eq.u32", format_args!("{thread}, 0"));
    let places = places(kernel, &mut text);
    let local = match kernel.local_offsets().1 {
        0 => text.constant(DType::U32, 0.0),
        bytes => {
            let name = if bytes > SHARED_BYTES { DYNAMIC } else { "local" };
            text.set(Class::Word, "mov.u32", format_args!("{name}"))
        }
    };
    let entered = Entered { whole: kernel, threads, places, local, thread, is_first };
    let mut folds = 0;
    for (number, phase) in phases.iter().enumerate() {
        let blocks = phase.parallel.unwrap_or(1);
        let next = (number + 1 < phases.len()).then(|| text.label());
        if let Some(next) = next {
            let others = text.set(Class::Predicate, "setp.ge.u32", format_args!("{block}, {blocks}"));
            text.line(format_args!("@{others} bra {next}"));
        }
        let emitted = Emitter::new(&phase.kernel, &entered, block, text).emit()?;
        text = emitted.0;
        folds = folds.max(emitted.1);
        if let Some(next) = next {
            text.place(next);
            block = text.set(Class::Word, "sub.u32", format_args!("{block}, {blocks}"));
        }
    }
    Ok(function(kernel, threads, name, folds, text))
}

fn function(kernel: &Kernel, threads: usize, name: &str, folds: usize, text: Text) -> String {
    let parameters: Vec<String> =
        (0..kernel.arguments().count()).map(|number| format!(".param .u64 a{number}")).collect();
    let mut function = format!("\n.visible .entry {name}({})\n", parameters.join(", "));
    let _ = writeln!(function, ".maxntid {threads}, 1, 1");
    if let Some(blocks) = blocks_at_once(kernel, threads) {
        let _ = writeln!(function, ".minnctapersm {blocks}");
    }
    function += "{\n";
    let local = kernel.local_offsets().1;
    if (1..=SHARED_BYTES).contains(&local) {
        let _ = writeln!(function, "\t.shared .align 64 .b8 local[{local}];");
    }
    if folds > 0 {
        let _ = writeln!(function, "\t.shared .align 8 .b8 fold[{}];", folds * threads / WARP * 8);
    }
    function += &text.finish();
    function += "}\n";
    function
}

/// How many blocks should fit on a processor at least, where the assembler must not choose.
fn blocks_at_once(kernel: &Kernel, threads: usize) -> Option<usize> {
    if threads >= LARGE && copies_whole_tiles(kernel) {
        // Blocks hide each other's waiting; threads have half of the registers then, too few for bounds and to compute.
        return Some(2);
    }
    // Left to itself, the assembler would rather keep some values in memory than have few blocks.
    let sums = kernel.local_offsets().1 > 0 && kernel.registers.len() >= SUMS;
    (sums || kernel.arguments().count() >= ARRAYS).then_some(1)
}

/// Where each parameter is: local ones in shared memory, all others at an address that is an argument.
fn places(kernel: &Kernel, text: &mut Text) -> Vec<Place> {
    let (offsets, _) = kernel.local_offsets();
    let mut arguments = 0..;
    let place = |(parameter, offset): (&crate::kernel::Parameter, Option<usize>)| match (parameter.usage, offset) {
        (Usage::Local, Some(offset)) => Place::Shared(offset),
        _ => {
            let number = arguments.next().expect("numbers do not end");
            let generic = text.set(Class::Long, "ld.param.u64", format_args!("[a{number}]"));
            Place::Global(text.set(Class::Long, "cvta.to.global.u64", format_args!("{generic}")))
        }
    };
    kernel.parameters.iter().zip(offsets).map(place).collect()
}
