//! Verification of plans, by its own logic.
//!
//! Launches are simulated over ranges of bytes: each range remembers which value of the graph it holds. A read must find
//! the value that the launch names, whole and where it was written, whatever else has been placed over it meanwhile. That
//! covers live ranges, the old and the new half of state pairs, and the copies at the end. Whether the kernels compute what
//! the values stand for is not a question of plans.

mod alias;

use super::{ALIGNMENT, Buffer, BufferId, Launch, Place, Plan};
use crate::graph::{Graph, Role, ValueId};
use crate::kernel::{Kernel, Parameter, ParameterId, Usage};
use alias::reads_before_writes;
use std::collections::BTreeMap;
use std::ops::Range;
use thiserror::Error;

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// The leaves are not those of the graph.
    #[error("leaf {0} of the plan is not leaf {0} of the graph")]
    Leaf(usize),
    /// A buffer is not where it may be.
    #[error("buffer {0} {1}")]
    Buffer(usize, &'static str),
    /// A launch does not fit its kernel.
    #[error("launch {0}: argument {1} {2}")]
    Argument(usize, usize, &'static str),
    /// A launch names a kernel that is not there, or has too many or too few arguments.
    #[error("launch {0} does not fit its kernel")]
    Kernel(usize),
    /// A read does not find what it wants.
    #[error("launch {launch}: argument {argument} should hold value {wanted:?}, its memory holds {found:?}")]
    Stale {
        /// The launch.
        launch: usize,
        /// The argument.
        argument: usize,
        /// The value that the launch reads.
        wanted: ValueId,
        /// What was written there last, if it is one value.
        found: Option<ValueId>,
    },
    /// A launch writes what it still reads.
    #[error("launch {0}: arguments {1} and {2} share memory, and elements are written before they are read")]
    Overlap(usize, usize, usize),
    /// A launch writes a leaf that does not change, or something that is not its next value.
    #[error("launch {launch} writes value {value:?} into leaf {leaf}")]
    LeafWritten {
        /// The launch.
        launch: usize,
        /// The leaf, by position.
        leaf: usize,
        /// The value.
        value: ValueId,
    },
    /// After the last launch something is not there.
    #[error("after the last launch {what} should hold value {wanted:?}, its memory holds {found:?}")]
    Lost {
        /// The result or leaf.
        what: String,
        /// The value that it should hold.
        wanted: ValueId,
        /// What it holds.
        found: Option<ValueId>,
    },
}

/// Proves that the plan computes what the graph means, if its kernels do.
pub fn verify(plan: &Plan, graph: &Graph) -> Result<(), VerifyError> {
    verify_leaves(plan, graph)?;
    verify_buffers(plan)?;
    let mut memory = Memory::default();
    let leaves: Vec<ValueId> = graph.leaves().map(|(value, ..)| value).collect();
    for (buffer, &value) in plan.buffers.iter().filter_map(|buffer| Some((buffer, leaves.get(leaf_of(buffer)?)?))) {
        memory.write(buffer, value);
    }
    for at in 0..plan.launches.len() {
        verify_arguments(plan, graph, at)?;
        verify_reads(plan, at, &memory)?;
        verify_writes(plan, graph, &leaves, at)?;
        for (_, buffer, value) in written(plan, &plan.launches[at]) {
            memory.write(buffer, value);
        }
        scratch(plan, &plan.launches[at]).for_each(|(_, buffer)| memory.clear(buffer));
    }
    verify_end(plan, graph, &leaves, &memory)
}

fn verify_leaves(plan: &Plan, graph: &Graph) -> Result<(), VerifyError> {
    let mut leaves = graph.leaves();
    for (at, planned) in plan.leaves.iter().enumerate() {
        let same = leaves.next().is_some_and(|(_, leaf, ty)| {
            *leaf == planned.leaf && ty.dtype == planned.dtype && ty.known_shape() == planned.shape
        });
        if !same {
            return Err(VerifyError::Leaf(at));
        }
    }
    leaves.next().map_or(Ok(()), |_| Err(VerifyError::Leaf(plan.leaves.len())))
}

fn verify_buffers(plan: &Plan) -> Result<(), VerifyError> {
    for (at, buffer) in plan.buffers.iter().enumerate() {
        let wrong = |what| Err(VerifyError::Buffer(at, what));
        match buffer.place {
            Place::Leaf(leaf) => match plan.leaves.get(leaf) {
                Some(leaf) if leaf.dtype != buffer.dtype => return wrong("is of another type than its leaf"),
                Some(leaf) if leaf.shape.iter().product::<usize>() != buffer.elements => {
                    return wrong("is of another size than its leaf");
                }
                Some(_) => {}
                None => return wrong("names no leaf"),
            },
            Place::Workspace(offset) if offset % ALIGNMENT != 0 => return wrong("is not aligned"),
            Place::Workspace(_) if bytes(buffer).end > plan.workspace_bytes => return wrong("leaves the workspace"),
            Place::Workspace(_) => {}
        }
    }
    Ok(())
}

fn leaf_of(buffer: &Buffer) -> Option<usize> {
    match buffer.place {
        Place::Leaf(leaf) => Some(leaf),
        Place::Workspace(_) => None,
    }
}

/// Which bytes of its space a buffer takes, with its padding.
fn bytes(buffer: &Buffer) -> Range<usize> {
    let start = match buffer.place {
        Place::Leaf(_) => 0,
        Place::Workspace(offset) => offset,
    };
    start..start + (buffer.elements * buffer.dtype.size()).next_multiple_of(ALIGNMENT)
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// What the bytes of each space hold: of the workspace (no number) and of each leaf.
#[derive(Default)]
struct Memory(BTreeMap<Option<usize>, Vec<(Range<usize>, ValueId)>>);

impl Memory {
    fn write(&mut self, buffer: &Buffer, value: ValueId) {
        self.clear(buffer);
        self.0.entry(leaf_of(buffer)).or_default().push((bytes(buffer), value));
    }

    /// Forgets what was written there, even in part.
    fn clear(&mut self, buffer: &Buffer) {
        let range = bytes(buffer);
        self.0.entry(leaf_of(buffer)).or_default().retain(|(other, _)| !overlap(other, &range));
    }

    /// The value that was written exactly there and is still whole.
    fn read(&self, buffer: &Buffer) -> Option<ValueId> {
        let range = bytes(buffer);
        self.0.get(&leaf_of(buffer))?.iter().find(|(other, _)| *other == range).map(|(_, value)| *value)
    }

    fn holds(&self, buffer: &Buffer, value: ValueId) -> bool {
        buffer.elements == 0 || self.read(buffer) == Some(value)
    }
}

/// The arguments of a launch that hold values: position, buffer, value, and whether the kernel writes it.
fn arguments<'p>(plan: &'p Plan, launch: &'p Launch) -> impl Iterator<Item = (usize, &'p Buffer, ValueId, bool)> {
    let parameters = plan.kernels[launch.kernel].arguments();
    let buffers = launch.arguments.iter().map(|&BufferId(buffer)| &plan.buffers[buffer]);
    let arguments = buffers.zip(&launch.values).zip(parameters).enumerate();
    arguments.map(|(at, ((buffer, &value), parameter))| (at, buffer, value, parameter.usage == Usage::Written))
}

/// The arguments of a launch that are scratch: position and buffer.
fn scratch<'p>(plan: &'p Plan, launch: &'p Launch) -> impl Iterator<Item = (usize, &'p Buffer)> {
    let buffers = launch.arguments.iter().map(|&BufferId(buffer)| &plan.buffers[buffer]);
    buffers.enumerate().skip(launch.values.len())
}

fn written<'p>(plan: &'p Plan, launch: &'p Launch) -> impl Iterator<Item = (usize, &'p Buffer, ValueId)> {
    arguments(plan, launch).filter(|(.., written)| *written).map(|(at, buffer, value, _)| (at, buffer, value))
}

fn verify_arguments(plan: &Plan, graph: &Graph, at: usize) -> Result<(), VerifyError> {
    let launch = &plan.launches[at];
    let count = plan.kernels.get(launch.kernel).map(|kernel| kernel.arguments().count());
    let values = graph.values().len();
    if count != Some(launch.arguments.len())
        || count.is_some_and(|_| holding(&plan.kernels[launch.kernel]) != launch.values.len())
        || launch.arguments.iter().any(|&BufferId(buffer)| buffer >= plan.buffers.len())
        || launch.values.iter().any(|&ValueId(value)| value >= values)
    {
        return Err(VerifyError::Kernel(at));
    }
    let parameters: Vec<&Parameter> = plan.kernels[launch.kernel].arguments().collect();
    for (argument, buffer, value, _) in arguments(plan, launch) {
        let wrong = |what| Err(VerifyError::Argument(at, argument, what));
        let (parameter, ty) = (parameters[argument], graph.ty(value));
        if (parameter.dtype, parameter.elements) != (buffer.dtype, buffer.elements) {
            return wrong("is another array than the kernel takes");
        }
        if (ty.dtype, ty.known_shape().iter().product()) != (buffer.dtype, buffer.elements) {
            return wrong("is no array of the value's type");
        }
    }
    for (argument, buffer) in scratch(plan, launch) {
        let wrong = |what| Err(VerifyError::Argument(at, argument, what));
        let parameter = parameters[argument];
        if (parameter.dtype, parameter.elements) != (buffer.dtype, buffer.elements) || leaf_of(buffer).is_some() {
            return wrong("is no memory that the kernel may have for itself");
        }
        let others = launch.arguments.iter().enumerate().filter(|&(other, _)| other != argument);
        let mut others = others.map(|(_, &BufferId(other))| &plan.buffers[other]);
        if others.any(|other| leaf_of(other).is_none() && overlap(&bytes(other), &bytes(buffer))) {
            return wrong("is scratch and shares memory with another argument");
        }
    }
    Ok(())
}

/// How many parameters of a kernel hold values: all before the first that is scratch.
fn holding(kernel: &Kernel) -> usize {
    kernel.arguments().take_while(|parameter| parameter.usage != Usage::Scratch).count()
}

fn verify_reads(plan: &Plan, at: usize, memory: &Memory) -> Result<(), VerifyError> {
    for (argument, buffer, wanted, written) in arguments(plan, &plan.launches[at]) {
        if !written && !memory.holds(buffer, wanted) {
            let found = memory.read(buffer);
            return Err(VerifyError::Stale { launch: at, argument, wanted, found });
        }
    }
    Ok(())
}

fn verify_writes(plan: &Plan, graph: &Graph, leaves: &[ValueId], at: usize) -> Result<(), VerifyError> {
    let launch = &plan.launches[at];
    let kernel = &plan.kernels[launch.kernel];
    for (output, buffer, value) in written(plan, launch) {
        if let Some(leaf) = leaf_of(buffer) {
            let pair = |role: &Role| *role == Role::Next(leaves[leaf]);
            let kept = plan.leaves[leaf].leaf.is_kept();
            if !kept || !graph.results.iter().any(|result| pair(&result.role) && result.value == value) {
                return Err(VerifyError::LeafWritten { launch: at, leaf, value });
            }
        }
        for (other, shared, _, _) in arguments(plan, launch) {
            let meets = leaf_of(shared) == leaf_of(buffer) && overlap(&bytes(shared), &bytes(buffer));
            let fits = shared.place == buffer.place
                && shared.dtype == buffer.dtype
                && reads_before_writes(kernel, ParameterId(other), ParameterId(output));
            if other != output && meets && !fits {
                return Err(VerifyError::Overlap(at, other, output));
            }
        }
    }
    Ok(())
}

fn verify_end(plan: &Plan, graph: &Graph, leaves: &[ValueId], memory: &Memory) -> Result<(), VerifyError> {
    let lost = |what: String, buffer: &Buffer, wanted| match memory.holds(buffer, wanted) {
        true => Ok(()),
        false => Err(VerifyError::Lost { what, wanted, found: memory.read(buffer) }),
    };
    for buffer in &plan.buffers {
        let Some(leaf) = leaf_of(buffer) else { continue };
        let next = graph.results.iter().find(|result| result.role == Role::Next(leaves[leaf]));
        lost(format!("leaf {leaf}"), buffer, next.map_or(leaves[leaf], |result| result.value))?;
    }
    for result in graph.results.iter().filter(|result| !matches!(result.role, Role::Next(_))) {
        let what = format!("{:?}", result.role);
        let planned = plan.results.iter().find(|planned| planned.role == result.role);
        match planned.and_then(|planned| plan.buffers.get(planned.buffer.0)) {
            Some(buffer) => lost(what, buffer, result.value)?,
            None => return Err(VerifyError::Lost { what, wanted: result.value, found: None }),
        }
    }
    Ok(())
}
