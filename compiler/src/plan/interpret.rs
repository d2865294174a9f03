//! The meaning of plans: every launch by the kernel interpreter, on memory that is shared as the plan says.
//!
//! What a device does with a plan is judged by this. Memory holds one number per element, at the element's first byte, so
//! that buffers which share bytes share numbers.

use super::{Buffer, BufferId, Place, Plan, PlanResult};
use crate::graph::Array;
use crate::kernel::{self, Usage};
use std::ops::Range;

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
    for (launch, turn) in plan.runs() {
        memory.launch(plan, launch, turn, lanes);
    }
    let result = |result: &PlanResult| {
        let buffer = Seen::new(plan, result.buffer, 0);
        Array::new(buffer.whole.dtype, &result.shape, memory.load(&buffer))
    };
    Interpreted { results: plan.results.iter().map(result).collect(), leaves: memory.leaves }
}

struct Memory {
    leaves: Vec<Array>,
    /// Never written is not a number, so that reading it shows.
    workspace: Vec<f64>,
}

/// The elements of a buffer in a turn.
struct Seen<'p> {
    whole: &'p Buffer,
    elements: Range<usize>,
}

impl<'p> Seen<'p> {
    fn new(plan: &'p Plan, buffer: BufferId, turn: usize) -> Seen<'p> {
        let (whole, first) = plan.whole(buffer, turn);
        let first = usize::try_from(first).expect("parts lie inside of their buffers");
        Seen { whole: &plan.buffers[whole.0], elements: first..first + plan.buffers[buffer.0].elements }
    }
}

impl Memory {
    fn launch(&mut self, plan: &Plan, launch: usize, turn: usize, lanes: usize) {
        let launch = &plan.launches[launch];
        let kernel = &plan.kernels[launch.kernel];
        // Behind the values, arguments are scratch, which the interpreter brings itself.
        let arguments = &launch.arguments[..launch.values.len()];
        let buffers: Vec<Seen<'_>> = arguments.iter().map(|&buffer| Seen::new(plan, buffer, turn)).collect();
        let mut arrays: Vec<Vec<f64>> = buffers.iter().map(|buffer| self.load(buffer)).collect();
        kernel::interpret(kernel, &mut arrays, lanes);
        for ((buffer, array), parameter) in buffers.into_iter().zip(arrays).zip(&kernel.parameters) {
            if parameter.usage == Usage::Written {
                self.store(&buffer, array);
            }
        }
    }

    fn load(&self, Seen { whole, elements }: &Seen<'_>) -> Vec<f64> {
        match whole.place {
            Place::Leaf(leaf) => self.leaves[leaf].elements[elements.clone()].to_vec(),
            Place::Workspace(offset) => {
                elements.clone().map(|at| self.workspace[offset + at * whole.dtype.size()]).collect()
            }
            Place::Part(_) => unreachable!("a part is of a whole buffer"),
        }
    }

    fn store(&mut self, Seen { whole, elements }: &Seen<'_>, stored: Vec<f64>) {
        for (at, element) in elements.clone().zip(stored) {
            match whole.place {
                Place::Leaf(leaf) => self.leaves[leaf].elements[at] = element,
                Place::Workspace(offset) => self.workspace[offset + at * whole.dtype.size()] = element,
                Place::Part(_) => unreachable!("a part is of a whole buffer"),
            }
        }
    }
}
