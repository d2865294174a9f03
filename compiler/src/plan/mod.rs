//! Plans: which kernels run in which order on which memory.
//!
//! Leaves and workspace are the only memory there is. The workspace is one allocation with static offsets, each a multiple
//! of 64 bytes; two buffers may share bytes when they are never alive at once, and a state pair may share the leaf's own
//! memory. Invariants, held by `verify`: every buffer is written before it is read, no launch writes what a later one still
//! reads under another name, leaves are written only as the new half of a state pair.
//!
//! The launches of a scan's body are there once, and run once per turn: what of their arguments is another piece of memory in
//! every turn is a [`Part`] of a buffer. So neither code nor plan grow with the number of turns.

mod assemble;
pub mod bounds;
mod interpret;
mod memory;
mod order;
mod print;
mod scan;
mod shown;
pub mod verify;

pub use assemble::plan;
pub use interpret::{Interpreted, interpret};
pub use memory::ALIGNMENT;
pub use print::print;
pub use shown::Shown;

use crate::dtype::DType;
use crate::graph::{Leaf, NodeId, Origin, Role, ValueId};
use crate::kernel::{Cost, Kernel, cost};
use std::ops::Range;

/// Everything that a device needs to run a step.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What comes from outside, in the order of the graph's leaves.
    pub leaves: Vec<PlanLeaf>,
    /// The memory that launches name.
    pub buffers: Vec<Buffer>,
    /// The distinct kernels.
    pub kernels: Vec<Kernel>,
    /// What runs, in order.
    pub launches: Vec<Launch>,
    /// Which of that runs several times, in order.
    pub loops: Vec<Loop>,
    /// What leaves, except next values: those are in their leaves after the last launch.
    pub results: Vec<PlanResult>,
    /// The size of the workspace.
    pub workspace_bytes: usize,
    /// What the workspace would be if no two buffers shared memory.
    pub unshared_bytes: usize,
    /// What the elements of inputs must be, for the caller to check before a run.
    pub bounds: Vec<Bound>,
    /// What was not fused and why, one line each.
    pub unfused: Vec<String>,
}

impl Plan {
    /// What each launch costs, in all its turns.
    pub fn costs(&self) -> impl Iterator<Item = Cost> {
        let launches = self.launches.iter().enumerate();
        launches.map(|(at, launch)| cost(&self.kernels[launch.kernel]).times(self.turns(at)))
    }

    /// The loop that a launch is in.
    pub fn loop_of(&self, launch: usize) -> Option<&Loop> {
        self.loops.iter().find(|turns| turns.launches.contains(&launch))
    }

    /// How often a launch runs.
    pub fn turns(&self, launch: usize) -> usize {
        self.loop_of(launch).map_or(1, |turns| turns.turns)
    }

    /// Every run of a launch in order: its number, and the turn.
    pub fn runs(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut next = 0;
        let stretches = std::iter::from_fn(move || {
            let stretch = self.loops.iter().find(|turns| turns.launches.start == next);
            let (launches, turns) = stretch.map_or((next..next + 1, 1), |turns| (turns.launches.clone(), turns.turns));
            let found = (next < self.launches.len()).then(|| (launches.clone(), turns));
            next = launches.end;
            found
        });
        stretches.flat_map(|(launches, turns)| {
            (0..turns).flat_map(move |turn| launches.clone().map(move |launch| (launch, turn)))
        })
    }

    /// Where a buffer is in a turn: a buffer that is no part, and the first element of it.
    pub fn whole(&self, buffer: BufferId, turn: usize) -> (BufferId, i64) {
        match self.buffers[buffer.0].place {
            Place::Part(Part { initial: Some(initial), .. }) if turn == 0 => (initial, 0),
            Place::Part(part) => (part.of, part.start(turn)),
            Place::Leaf(_) | Place::Workspace(_) => (buffer, 0),
        }
    }

    /// How many bytes each thread needs for itself.
    pub fn local_bytes(&self) -> usize {
        self.kernels.iter().map(|kernel| kernel.local_offsets().1).max().unwrap_or(0)
    }

    /// How many bytes there are in leaves and workspace.
    pub fn memory_bytes(&self) -> usize {
        let leaf = |leaf: &PlanLeaf| leaf.shape.iter().product::<usize>() * leaf.dtype.size();
        self.workspace_bytes + self.leaves.iter().map(leaf).sum::<usize>()
    }
}

/// Elements of an input that must be in `0..below`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Position in [`Plan::leaves`].
    pub leaf: usize,
    /// Which elements; all of them if there is nothing here.
    pub shown: Option<Shown>,
    /// What the elements must be less than; none may be negative.
    pub below: usize,
    /// One element that may be there all the same.
    pub except: Option<i64>,
    /// What the elements are used for, to be told in the error.
    pub what: String,
}

impl Bound {
    /// Whether an element may be there.
    pub fn takes(&self, element: i64) -> bool {
        usize::try_from(element).is_ok_and(|index| index < self.below) || self.except == Some(element)
    }
}

/// A leaf with its known shape.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanLeaf {
    /// What it is.
    pub leaf: Leaf,
    /// The element type.
    pub dtype: DType,
    /// The extents.
    pub shape: Vec<usize>,
}

/// A buffer, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub usize);

/// A piece of memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// The element type.
    pub dtype: DType,
    /// How many elements.
    pub elements: usize,
    /// Where it lies.
    pub place: Place,
}

/// Where a buffer lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The whole memory of a leaf, by position in [`Plan::leaves`].
    Leaf(usize),
    /// The workspace, from this byte on.
    Workspace(usize),
    /// A part of another buffer, which may be another part in every turn of a loop.
    Part(Part),
}

/// A part of a buffer that is no part itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The buffer.
    pub of: BufferId,
    /// The first element in the first turn.
    pub first: i64,
    /// How many elements further it is in the next turn.
    pub step: i64,
    /// After how many turns it is where it began.
    pub period: usize,
    /// What it is in the first turn instead: another whole buffer.
    pub initial: Option<BufferId>,
}

impl Part {
    /// The first element in a turn.
    pub fn start(&self, turn: usize) -> i64 {
        self.first + self.step * (turn % self.period) as i64
    }
}

/// Launches that run one after the other, several times: the body of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loop {
    /// Positions in [`Plan::launches`], at least one.
    pub launches: Range<usize>,
    /// How often they run.
    pub turns: usize,
    /// The scan. The values of its launches are those of its body.
    pub node: NodeId,
}

/// One run of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// Position in [`Plan::kernels`].
    pub kernel: usize,
    /// One buffer per parameter of the kernel that is not local. Those for scratch, which come last, are in the workspace and in no other launch.
    pub arguments: Vec<BufferId>,
    /// What each argument but scratch holds: the value of the graph that is read from it, or that it holds after the launch.
    pub values: Vec<ValueId>,
    /// What it computes, for listings: the ops in order.
    pub label: String,
    /// Where its last op was written.
    pub origin: Origin,
}

/// A result with its known shape. Results lie in the workspace, never in a leaf.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanResult {
    /// What it is for; never [`Role::Next`].
    pub role: Role,
    /// Where it is.
    pub buffer: BufferId,
    /// The extents.
    pub shape: Vec<usize>,
}
