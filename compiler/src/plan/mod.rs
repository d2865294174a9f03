//! Plans: which kernels run in which order on which memory.
//!
//! Leaves and workspace are the only memory there is. The workspace is one allocation with static offsets, each a multiple
//! of 64 bytes; two buffers may share bytes when they are never alive at once, and a state pair may share the leaf's own
//! memory. Invariants, held by `verify`: every buffer is written before it is read, no launch writes what a later one still
//! reads under another name, leaves are written only as the new half of a state pair.

mod assemble;
pub mod bounds;
mod interpret;
mod memory;
mod order;
mod print;
mod shown;
pub mod verify;

pub use assemble::plan;
pub use interpret::{Interpreted, interpret};
pub use memory::ALIGNMENT;
pub use print::print;
pub use shown::Shown;

use crate::dtype::DType;
use crate::graph::{Leaf, Origin, Role, ValueId};
use crate::kernel::{Cost, Kernel, cost};

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
    /// What each launch costs.
    pub fn costs(&self) -> impl Iterator<Item = Cost> {
        self.launches.iter().map(|launch| cost(&self.kernels[launch.kernel]))
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
