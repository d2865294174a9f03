//! Random graphs over every op: what the machine computes is what the reference says, all fused and nothing.

use tapeless::{DType, Device, Options};
use tapeless_checks::hold::{hold, unfused};
use tapeless_compiler::generate::{Generated, generate};
use tapeless_compiler::graph;

/// How many graphs.
const GRAPHS: u64 = 2000;
/// About how many nodes each has.
const NODES: usize = 6;

/// How far an element may be off, relative to the largest of its array or to 1. The generator keeps graphs out in which an
/// error of 1e-6 of the leaves becomes one of 1e-4: rounding to 6e-8 in a chain of ops stays well below.
fn tolerance(dtype: DType) -> f64 {
    if dtype.is_float() { 1e-4 } else { 0.0 }
}

fn failures(options: &Options) -> Vec<String> {
    let device = Device::cpu();
    let held = |seed| {
        let Generated { graph, leaves } = generate(seed, NODES);
        let failure = hold(&graph, &leaves, &device, options, tolerance).err()?;
        Some(format!("seed {seed}: {failure}\n{}", graph::print(&graph)))
    };
    (0..GRAPHS).filter_map(held).collect()
}

#[test]
fn random_graphs_unfused() {
    let failures = failures(&unfused());
    assert!(failures.is_empty(), "{} of {GRAPHS}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn random_graphs_fused() {
    let failures = failures(&Options::default());
    assert!(failures.is_empty(), "{} of {GRAPHS}:\n{}", failures.len(), failures.join("\n"));
}
