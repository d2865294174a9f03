//! The meaning of plans: every launch by the kernel interpreter, on memory that is shared as the plan says.
//!
//! What a device does with a plan is judged by this. Memory holds one number per element, at the element's first byte, so
//! that buffers which share bytes share numbers.

use super::{Buffer, BufferId, Launch, Place, Plan, PlanResult};
use crate::graph::Array;
use crate::kernel::{self, Usage};

/// What a run leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Interpreted {
    /// The leaves after the run, in their order: next values where there are state pairs.
    pub leaves: Vec<Array>,
    /// The results, in the order of [`Plan::results`].
    pub results: Vec<Array>,
}

/// Runs a plan on these leaves, on a machine with this many lanes.
pub fn interpret(plan: &Plan, leaves: &[Array], lanes: usize) -> Interpreted {
    assert_eq!(leaves.len(), plan.leaves.len(), "a plan runs on one array per leaf");
    let mut memory = Memory { leaves: leaves.to_vec(), workspace: vec![f64::NAN; plan.workspace_bytes] };
    for launch in &plan.launches {
        memory.launch(plan, launch, lanes);
    }
    let result = |result: &PlanResult| {
        let buffer = &plan.buffers[result.buffer.0];
        Array::new(buffer.dtype, &result.shape, memory.load(buffer))
    };
    Interpreted { results: plan.results.iter().map(result).collect(), leaves: memory.leaves }
}

struct Memory {
    leaves: Vec<Array>,
    /// Never written is not a number, so that reading it shows.
    workspace: Vec<f64>,
}

impl Memory {
    fn launch(&mut self, plan: &Plan, launch: &Launch, lanes: usize) {
        let kernel = &plan.kernels[launch.kernel];
        // Behind the values, arguments are scratch, which the interpreter brings itself.
        let arguments = &launch.arguments[..launch.values.len()];
        let buffers: Vec<&Buffer> = arguments.iter().map(|&BufferId(buffer)| &plan.buffers[buffer]).collect();
        let mut arrays: Vec<Vec<f64>> = buffers.iter().map(|buffer| self.load(buffer)).collect();
        kernel::interpret(kernel, &mut arrays, lanes);
        for ((buffer, array), parameter) in buffers.into_iter().zip(arrays).zip(&kernel.parameters) {
            if parameter.usage == Usage::Written {
                self.store(buffer, array);
            }
        }
    }

    fn load(&self, buffer: &Buffer) -> Vec<f64> {
        match buffer.place {
            Place::Leaf(leaf) => self.leaves[leaf].elements.clone(),
            Place::Workspace(offset) => {
                (0..buffer.elements).map(|at| self.workspace[offset + at * buffer.dtype.size()]).collect()
            }
        }
    }

    fn store(&mut self, buffer: &Buffer, elements: Vec<f64>) {
        match buffer.place {
            Place::Leaf(leaf) => self.leaves[leaf].elements = elements,
            Place::Workspace(offset) => {
                for (at, element) in elements.into_iter().enumerate() {
                    self.workspace[offset + at * buffer.dtype.size()] = element;
                }
            }
        }
    }
}
