//! Every op on the device: what compiled steps compute is what the reference says, forward and backward, unfused and fused.

use crate::hold::{hold, unfused};
use crate::samples::{gradients, leaves, retyped};
use tapeless::{DType, Options};
use tapeless_compiler::graph::{Graph, Op, Sample};
use tapeless_compiler::ops::OPS;

/// How far an element may be off, relative to the largest element of the result (or to 1, if all are smaller). Sums of some
/// ten products and functions good to four units in the last place (6e-8 each in f32, 1e-16 in f64) stay well below; in half
/// precision each value that is stored on the way is off by half a unit (5e-4, 4e-3).
fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => 1e-5,
        DType::F64 => 1e-12,
        DType::F16 => 1e-2,
        DType::Bf16 => 8e-2,
        _ => 0.0,
    }
}

/// Holds every sample of every op, as the graph that `make` makes of it; the failures, and how many samples were held.
fn failures(options: &Options, make: impl Fn(&'static dyn Op, &Sample) -> Option<Graph>) -> (Vec<String>, usize) {
    let (mut failures, mut held) = (Vec::new(), 0);
    for &op in OPS {
        for (number, sample) in op.samples().iter().enumerate() {
            for (dtype, sample) in retyped(op, sample, number) {
                let Some(graph) = make(op, &sample) else { continue };
                match hold(&graph, &leaves(&graph, &sample), options, tolerance) {
                    Ok(()) => held += 1,
                    Err(error) => failures.push(format!("{} sample {number} in {dtype}: {error}", op.name())),
                }
            }
        }
    }
    (failures, held)
}

#[test]
fn forward_unfused() {
    let (failures, held) = failures(&unfused(), |op, sample| Some(sample.graph(op).expect("samples are well typed")));
    assert!(failures.is_empty() && held > 4 * OPS.len(), "{held} held, these not:\n{}", failures.join("\n"));
}

#[test]
fn forward_fused() {
    let make = |op: &'static dyn Op, sample: &Sample| Some(sample.graph(op).expect("samples are well typed"));
    let (failures, held) = failures(&Options::default(), make);
    assert!(failures.is_empty() && held > 4 * OPS.len(), "{held} held, these not:\n{}", failures.join("\n"));
}

#[test]
fn backward_unfused() {
    let (failures, held) = failures(&unfused(), gradients);
    assert!(failures.is_empty() && held > 2 * OPS.len(), "{held} held, these not:\n{}", failures.join("\n"));
}

#[test]
fn backward_fused() {
    let (failures, held) = failures(&Options::default(), gradients);
    assert!(failures.is_empty() && held > 2 * OPS.len(), "{held} held, these not:\n{}", failures.join("\n"));
}
