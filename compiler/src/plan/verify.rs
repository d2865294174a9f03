//! Verification of plans, by its own logic.
//!
//! Launches are simulated over ranges of bytes: each range remembers which value of the graph it holds. A read must find
//! the value that the launch names, whole and where it was written, whatever else has been placed over it meanwhile. That
//! covers live ranges, the old and the new half of state pairs, and the copies at the end. Whether the kernels compute what
//! the values stand for is not a question of plans.

mod alias;
mod loops;
mod memory;

use super::{ALIGNMENT, Buffer, BufferId, Launch, Part, Place, Plan};
use crate::graph::{Graph, Role, ValueId};
use crate::kernel::{Kernel, Parameter, ParameterId, Usage};
use alias::reads_before_writes;
use memory::{Memory, Span, span};
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
    /// What runs once per turn is not what it should be.
    #[error("loop {0} {1}")]
    Loop(usize, &'static str),
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
    for (id, buffer) in plan.buffers.iter().enumerate() {
        if let Some(&value) = leaf_of(buffer).and_then(|leaf| leaves.get(leaf)) {
            memory.write(&span(plan, BufferId(id), 0), value);
        }
    }
    loops::verify_places(plan)?;
    let mut at = 0;
    while at < plan.launches.len() {
        at = match plan.loops.iter().position(|turns| turns.launches.start == at) {
            Some(turns) => {
                loops::verify(plan, graph, turns, &mut memory)?;
                plan.loops[turns].launches.end
            }
            None => {
                verify_launch(plan, graph, &leaves, at, &mut memory)?;
                at + 1
            }
        };
    }
    verify_end(plan, graph, &leaves, &memory)
}

/// A launch that runs once.
fn verify_launch(
    plan: &Plan,
    graph: &Graph,
    leaves: &[ValueId],
    at: usize,
    memory: &mut Memory,
) -> Result<(), VerifyError> {
    verify_arguments(plan, graph, at)?;
    verify_reads(plan, at, memory)?;
    verify_writes(plan, graph, leaves, at)?;
    for (_, buffer, value) in written(plan, &plan.launches[at]) {
        memory.write(&span(plan, buffer, 0), value);
    }
    scratch(&plan.launches[at]).for_each(|(_, buffer)| memory.clear(&span(plan, buffer, 0)));
    Ok(())
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
            Place::Workspace(_) if memory::bytes(buffer).end > plan.workspace_bytes => {
                return wrong("leaves the workspace");
            }
            Place::Workspace(_) => {}
            Place::Part(part) => verify_part(plan, buffer, &part).or_else(wrong)?,
        }
    }
    Ok(())
}

/// A part is of a whole buffer of its type, and so is what is in its place in the first turn.
fn verify_part(plan: &Plan, buffer: &Buffer, part: &Part) -> Result<(), &'static str> {
    let whole = |id: BufferId| {
        let whole = plan.buffers.get(id.0).filter(|whole| !matches!(whole.place, Place::Part(_)));
        whole.filter(|whole| whole.dtype == buffer.dtype).ok_or("is part of no buffer of its type")
    };
    whole(part.of)?;
    match part.initial {
        _ if part.period == 0 => Err("is another part after no turns"),
        Some(initial) if whole(initial)?.elements != buffer.elements => Err("begins as an array of another size"),
        _ => Ok(()),
    }
}

fn leaf_of(buffer: &Buffer) -> Option<usize> {
    match buffer.place {
        Place::Leaf(leaf) => Some(leaf),
        Place::Workspace(_) | Place::Part(_) => None,
    }
}

/// The arguments of a launch that hold values: position, buffer, value, and whether the kernel writes it.
fn arguments<'p>(plan: &'p Plan, launch: &'p Launch) -> impl Iterator<Item = (usize, BufferId, ValueId, bool)> {
    let parameters = plan.kernels[launch.kernel].arguments();
    let arguments = launch.arguments.iter().zip(&launch.values).zip(parameters).enumerate();
    arguments.map(|(at, ((&buffer, &value), parameter))| (at, buffer, value, parameter.usage == Usage::Written))
}

/// The arguments of a launch that are scratch: position and buffer.
fn scratch(launch: &Launch) -> impl Iterator<Item = (usize, BufferId)> {
    launch.arguments.iter().copied().enumerate().skip(launch.values.len())
}

fn written<'p>(plan: &'p Plan, launch: &'p Launch) -> impl Iterator<Item = (usize, BufferId, ValueId)> {
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
        let (parameter, ty, buffer) = (parameters[argument], graph.ty(value), &plan.buffers[buffer.0]);
        if (parameter.dtype, parameter.elements) != (buffer.dtype, buffer.elements) {
            return wrong("is another array than the kernel takes");
        }
        if (ty.dtype, ty.known_shape().iter().product()) != (buffer.dtype, buffer.elements) {
            return wrong("is no array of the value's type");
        }
    }
    for (argument, buffer) in scratch(launch) {
        let wrong = |what| Err(VerifyError::Argument(at, argument, what));
        let (parameter, own) = (parameters[argument], &plan.buffers[buffer.0]);
        let is_workspace = matches!(own.place, Place::Workspace(_));
        if (parameter.dtype, parameter.elements) != (own.dtype, own.elements) || !is_workspace {
            return wrong("is no memory that the kernel may have for itself");
        }
        // In later turns, parts of other buffers lie where nothing else does.
        let mut others = launch.arguments.iter().enumerate().filter(|&(other, _)| other != argument);
        if others.any(|(_, &other)| span(plan, other, 0).meets(&span(plan, buffer, 0))) {
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
        let span = span(plan, buffer, 0);
        if !written && !memory.holds(&span, wanted) {
            let found = memory.read(&span);
            return Err(VerifyError::Stale { launch: at, argument, wanted, found });
        }
    }
    Ok(())
}

fn verify_writes(plan: &Plan, graph: &Graph, leaves: &[ValueId], at: usize) -> Result<(), VerifyError> {
    let launch = &plan.launches[at];
    let kernel = &plan.kernels[launch.kernel];
    for (output, id, value) in written(plan, launch) {
        let (own, buffer) = (span(plan, id, 0), &plan.buffers[id.0]);
        if matches!(buffer.place, Place::Part(_)) {
            return Err(VerifyError::Argument(at, output, "is a part, and written outside of a loop"));
        }
        if let Some(leaf) = leaf_of(buffer) {
            let pair = |role: &Role| *role == Role::Next(leaves[leaf]);
            let kept = plan.leaves[leaf].leaf.is_kept();
            if !kept || !graph.results.iter().any(|result| pair(&result.role) && result.value == value) {
                return Err(VerifyError::LeafWritten { launch: at, leaf, value });
            }
        }
        for (other, shared, _, _) in arguments(plan, launch) {
            let meets = span(plan, shared, 0).meets(&own);
            let shared = &plan.buffers[shared.0];
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
    let lost = |what: String, buffer: BufferId, wanted| {
        let span: Span = span(plan, buffer, 0);
        match memory.holds(&span, wanted) {
            true => Ok(()),
            false => Err(VerifyError::Lost { what, wanted, found: memory.read(&span) }),
        }
    };
    for (id, buffer) in plan.buffers.iter().enumerate() {
        let Some(leaf) = leaf_of(buffer) else { continue };
        let next = graph.results.iter().find(|result| result.role == Role::Next(leaves[leaf]));
        lost(format!("leaf {leaf}"), BufferId(id), next.map_or(leaves[leaf], |result| result.value))?;
    }
    for result in graph.results.iter().filter(|result| !matches!(result.role, Role::Next(_))) {
        let what = format!("{:?}", result.role);
        let planned = plan.results.iter().find(|planned| planned.role == result.role);
        match planned.filter(|planned| planned.buffer.0 < plan.buffers.len()) {
            Some(planned) => lost(what, planned.buffer, result.value)?,
            None => return Err(VerifyError::Lost { what, wanted: result.value, found: None }),
        }
    }
    Ok(())
}
