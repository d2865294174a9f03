//! The text of plans, for people.

use super::{Part, Place, Plan};
use crate::graph::Leaf;
use crate::kernel::Usage;
use std::fmt::Write;

/// One line per leaf, launch and result, and the size of the workspace.
pub fn print(plan: &Plan) -> String {
    let mut text = String::new();
    write_all(plan, &mut text).expect("a string takes all text");
    text
}

fn write_all(plan: &Plan, text: &mut String) -> std::fmt::Result {
    writeln!(text, "workspace: {} bytes, {} without sharing", plan.workspace_bytes, plan.unshared_bytes)?;
    for (at, leaf) in plan.leaves.iter().enumerate() {
        writeln!(text, "leaf {at}: {} {}{:?}", name(&leaf.leaf), leaf.dtype, leaf.shape)?;
    }
    for (at, launch) in plan.launches.iter().enumerate() {
        if let Some(turns) = plan.loops.iter().find(|turns| turns.launches.start == at) {
            writeln!(text, "{} turns of launches {} to {}:", turns.turns, at, turns.launches.end - 1)?;
        }
        let kernel = &plan.kernels[launch.kernel];
        let places = |usage: Usage| -> String {
            let arguments = kernel.arguments().zip(&launch.arguments).filter(|(parameter, _)| parameter.usage == usage);
            arguments.map(|(_, buffer)| place(plan, buffer.0)).collect::<Vec<_>>().join(", ")
        };
        let (results, label, operands) = (places(Usage::Written), &launch.label, places(Usage::Read));
        write!(text, "launch {at}: {results} <- {label}({operands}) by {}", kernel.name)?;
        match places(Usage::Scratch) {
            scratch if scratch.is_empty() => writeln!(text)?,
            scratch => writeln!(text, " with {scratch}")?,
        }
    }
    for result in &plan.results {
        writeln!(text, "result {:?}: {} {:?}", result.role, place(plan, result.buffer.0), result.shape)?;
    }
    for bound in &plan.bounds {
        let part = if bound.shown.is_some() { "part of " } else { "" };
        let except = bound.except.map(|element| format!(" or is {element}")).unwrap_or_default();
        writeln!(text, "{part}leaf {} is below {}{except}: {}", bound.leaf, bound.below, bound.what)?;
    }
    plan.unfused.iter().try_for_each(|line| writeln!(text, "not fused: {line}"))
}

fn place(plan: &Plan, buffer: usize) -> String {
    let buffer = &plan.buffers[buffer];
    match buffer.place {
        Place::Leaf(leaf) => format!("leaf {leaf}"),
        Place::Workspace(offset) => format!("{}[{}] at {offset}", buffer.dtype, buffer.elements),
        Place::Part(part) => self::part(plan, &part),
    }
}

/// `f32[30] at 64 from 0 by 6`: the first element, and how much further it is in each turn.
fn part(plan: &Plan, part: &Part) -> String {
    let Part { of, first, step, period, initial } = part;
    let step = if *step == 0 { String::new() } else { format!(" by {step}") };
    let again = if *period == 2 { " and back" } else { "" };
    let initial = initial.map(|initial| format!(", first {}", place(plan, initial.0))).unwrap_or_default();
    format!("{} from {first}{step}{again}{initial}", place(plan, of.0))
}

fn name(leaf: &Leaf) -> String {
    match leaf {
        Leaf::User { name } => format!("input {name}"),
        Leaf::Parameter { store, key } => format!("parameter {store}:{key}"),
        Leaf::State { store, key } => format!("state {store}:{key}"),
        Leaf::Slot { store, name, .. } => format!("slot {store}:{name}"),
        Leaf::Seed { store } => format!("seed {store}"),
    }
}
