//! Runs plans launch by launch, each on the GPU and on the interpreter.

use crate::launcher::Gpu;
use std::collections::HashMap;
use std::ops::Range;
use tapeless_compiler::graph::Array;
use tapeless_compiler::kernel::Usage;
use tapeless_compiler::plan::{BufferId, Place, Plan};

/// Holds every launch of a plan that runs on these leaves; how many there are.
pub fn hold(gpu: &Gpu, plan: &Plan, leaves: &[Array]) -> Result<usize, String> {
    let mut memory = Memory { workspace: HashMap::new(), leaves: leaves.iter().map(|l| l.elements.clone()).collect() };
    let mut runs = 0;
    for (launch, turn) in plan.runs() {
        let launch = &plan.launches[launch];
        let kernel = &plan.kernels[launch.kernel];
        let seen = |&buffer: &BufferId| Seen::new(plan, buffer, turn);
        let buffers: Vec<Seen> = launch.arguments[..launch.values.len()].iter().map(seen).collect();
        let arrays: Vec<Vec<f64>> = buffers.iter().map(|buffer| memory.read(buffer)).collect();
        // An empty array lies anywhere.
        let number = |buffer: &Seen| buffers.iter().position(|other| other == buffer);
        let numbers: Vec<usize> = buffers.iter().filter_map(number).collect();
        let results = gpu.hold(kernel, &arrays, &numbers)?;
        for ((buffer, elements), parameter) in buffers.iter().zip(results).zip(&kernel.parameters) {
            if parameter.usage == Usage::Written {
                memory.write(buffer, &elements);
            }
        }
        runs += 1;
    }
    Ok(runs)
}

/// The elements of a buffer in a turn: the array that they are of, how many that has, and which they are.
#[derive(PartialEq)]
struct Seen {
    array: Place,
    size: usize,
    elements: Range<usize>,
}

impl Seen {
    fn new(plan: &Plan, buffer: BufferId, turn: usize) -> Seen {
        let (array, first) = plan.whole(buffer, turn);
        let first = usize::try_from(first).expect("parts lie inside of their arrays");
        let elements = first..first + plan.buffers[buffer.0].elements;
        let array = &plan.buffers[array.0];
        Seen { array: array.place, size: array.elements, elements }
    }
}

struct Memory {
    workspace: HashMap<usize, Vec<f64>>,
    leaves: Vec<Vec<f64>>,
}

impl Memory {
    /// The array that elements are of; zeros where nothing of its size was written.
    fn array(&mut self, seen: &Seen) -> &mut Vec<f64> {
        match seen.array {
            Place::Leaf(leaf) => &mut self.leaves[leaf],
            Place::Workspace(offset) => {
                let array = self.workspace.entry(offset).or_default();
                if array.len() != seen.size {
                    *array = vec![0.0; seen.size];
                }
                array
            }
            Place::Part(_) => unreachable!("a part is of a whole buffer"),
        }
    }

    fn read(&mut self, seen: &Seen) -> Vec<f64> {
        self.array(seen)[seen.elements.clone()].to_vec()
    }

    fn write(&mut self, seen: &Seen, elements: &[f64]) {
        self.array(seen)[seen.elements.clone()].copy_from_slice(elements);
    }
}
