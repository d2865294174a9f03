//! The text of plans, for people.

use super::{Place, Plan};
use crate::graph::Leaf;
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
        let (arguments, scratch) = launch.arguments.split_at(launch.values.len());
        let (output, operands) =
            arguments.split_last().expect("a kernel writes the last parameter that is not scratch");
        let scratch: Vec<String> = scratch.iter().map(|buffer| format!(" with {}", place(plan, buffer.0))).collect();
        let operands: Vec<String> = operands.iter().map(|buffer| place(plan, buffer.0)).collect();
        let (output, kernel) = (place(plan, output.0), &plan.kernels[launch.kernel].name);
        let (operands, scratch) = (operands.join(", "), scratch.concat());
        writeln!(text, "launch {at}: {output} <- {}({operands}) by {kernel}{scratch}", launch.label)?;
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
    }
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
