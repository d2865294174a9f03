//! Runs plans launch by launch, each on the GPU and on the interpreter.

use crate::launcher::Gpu;
use std::collections::HashMap;
use tapeless_compiler::graph::Array;
use tapeless_compiler::kernel::Usage;
use tapeless_compiler::plan::{Buffer, BufferId, Place, Plan};

/// Holds every launch of a plan that runs on these leaves; how many there are.
pub fn hold(gpu: &Gpu, plan: &Plan, leaves: &[Array]) -> Result<usize, String> {
    let mut memory: HashMap<usize, Vec<f64>> = HashMap::new();
    let mut leaves: Vec<Vec<f64>> = leaves.iter().map(|leaf| leaf.elements.clone()).collect();
    for launch in &plan.launches {
        let kernel = &plan.kernels[launch.kernel];
        let arguments = &launch.arguments[..launch.values.len()];
        let buffers: Vec<&Buffer> = arguments.iter().map(|&BufferId(buffer)| &plan.buffers[buffer]).collect();
        let content = |buffer: &&Buffer| match buffer.place {
            Place::Leaf(leaf) => leaves[leaf].clone(),
            Place::Workspace(offset) => {
                let known = memory.get(&offset).filter(|elements| elements.len() == buffer.elements);
                known.cloned().unwrap_or_else(|| vec![0.0; buffer.elements])
            }
        };
        let arrays: Vec<Vec<f64>> = buffers.iter().map(content).collect();
        // An empty array lies anywhere.
        let same = |one: &Buffer, other: &Buffer| (one.place, one.elements) == (other.place, other.elements);
        let number = |buffer: &&Buffer| buffers.iter().position(|other| same(other, buffer));
        let numbers: Vec<usize> = buffers.iter().filter_map(number).collect();
        let results = gpu.hold(kernel, &arrays, &numbers)?;
        for ((buffer, elements), parameter) in buffers.iter().zip(results).zip(&kernel.parameters) {
            match (parameter.usage, buffer.place) {
                (Usage::Written, Place::Leaf(leaf)) => leaves[leaf] = elements,
                (Usage::Written, Place::Workspace(offset)) => {
                    memory.insert(offset, elements);
                }
                _ => {}
            }
        }
    }
    Ok(plan.launches.len())
}
