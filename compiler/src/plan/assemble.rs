//! From groups to a plan: buffers, launches and the copies at the end.

use super::memory::{LiveRange, padded, place};
use super::order::{Order, order, unchanged};
use super::{Buffer, BufferId, Launch, Place, Plan, PlanLeaf, PlanResult, bounds};
use crate::dtype::DType;
use crate::fuse::{self, Group, Part};
use crate::graph::{Graph, Origin, Role, ValueId};
use crate::kernel::{Kernel, Parameter, Usage};
use crate::schedule;
use crate::target::Target;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The plan that runs the groups of a graph on a machine.
pub fn plan(graph: &Graph, groups: Vec<Group>, target: &Target) -> Plan {
    let Order { launches, in_place } = order(graph, &groups);
    let mut assembly = Assembly::new(graph, target);
    for at in launches {
        assembly.group(&groups[at], &in_place[at]);
    }
    for result in graph.results.iter().filter(|result| !unchanged(result)) {
        assembly.result(&result.role, result.value);
    }
    assembly.place();
    assembly.plan
}

pub(super) struct Assembly<'g> {
    pub(super) graph: &'g Graph,
    target: &'g Target,
    pub(super) plan: Plan,
    pub(super) memory: Memory,
}

/// Where the values of a graph, or of the body of a scan, lie.
#[derive(Default)]
pub(super) struct Memory {
    /// The memory of each leaf.
    pub(super) leaves: BTreeMap<ValueId, BufferId>,
    /// What groups have written, and where. A leaf in here is a copy of that leaf.
    pub(super) made: BTreeMap<ValueId, BufferId>,
    /// Where groups have to write what.
    pub(super) outputs: BTreeMap<ValueId, BufferId>,
}

impl Memory {
    /// Where a value is read.
    pub(super) fn of(&self, value: ValueId) -> BufferId {
        *self.leaves.get(&value).unwrap_or_else(|| &self.made[&value])
    }
}

impl<'g> Assembly<'g> {
    fn new(graph: &'g Graph, target: &'g Target) -> Assembly<'g> {
        let mut assembly = Assembly {
            graph,
            target,
            plan: Plan { bounds: bounds::bounds(graph), ..Plan::default() },
            memory: Memory::default(),
        };
        for (position, (value, leaf, ty)) in graph.leaves().enumerate() {
            let leaf = PlanLeaf { leaf: leaf.clone(), dtype: ty.dtype, shape: ty.known_shape() };
            assembly.plan.leaves.push(leaf);
            let buffer = assembly.buffer(value, Place::Leaf(position));
            assembly.memory.leaves.insert(value, buffer);
        }
        assembly
    }

    /// Memory for a value of the graph.
    pub(super) fn buffer(&mut self, value: ValueId, place: Place) -> BufferId {
        let ty = self.graph.ty(value);
        self.array(ty.dtype, ty.known_shape().iter().product(), place)
    }

    /// A piece of memory.
    pub(super) fn array(&mut self, dtype: DType, elements: usize, place: Place) -> BufferId {
        self.plan.buffers.push(Buffer { dtype, elements, place });
        BufferId(self.plan.buffers.len() - 1)
    }

    pub(super) fn group(&mut self, group: &'g Group, in_place: &[Option<ValueId>]) {
        if let Some(scan) = &group.scan {
            return self.scan(group, scan);
        }
        let mut arguments: Vec<BufferId> = group.operands.iter().map(|&operand| self.memory.of(operand)).collect();
        let mut values = group.operands.clone();
        for (part, in_place) in group.parts.iter().zip(in_place).filter(|(part, _)| part.kept) {
            let output = match (in_place, self.memory.outputs.get(&part.result)) {
                (Some(leaf), _) => self.memory.leaves[leaf],
                (None, Some(&output)) => output,
                // The offset is found when it is known how long each buffer is needed.
                (None, None) => self.buffer(part.result, Place::Workspace(0)),
            };
            self.memory.made.insert(part.result, output);
            arguments.push(output);
            values.push(part.result);
        }
        let shapes: Vec<Vec<usize>> = group.operands.iter().map(|&value| self.graph.ty(value).known_shape()).collect();
        let kernel = match group.parts.as_slice() {
            [part] => schedule::kernel(&part.nest, &shapes, &group.label, self.target),
            parts => {
                let parts: Vec<schedule::Part<'_>> = parts.iter().map(part).collect();
                schedule::parts_kernel(&group.shared, &parts, &shapes, &group.label, self.target)
            }
        };
        self.launch(kernel, arguments, values, &group.label, group.origin);
    }

    /// Copies an array to another one.
    pub(super) fn copy(&mut self, from: BufferId, to: BufferId, value: ValueId, origin: Origin) {
        let Buffer { dtype, elements, .. } = self.plan.buffers[to.0];
        let kernel = schedule::kernel(&fuse::copy(dtype, &[elements]), &[vec![elements]], "copy", self.target);
        self.launch(kernel, vec![from, to], vec![value; 2], "copy", origin);
    }

    fn launch(
        &mut self,
        mut kernel: Kernel,
        mut arguments: Vec<BufferId>,
        values: Vec<ValueId>,
        label: &str,
        origin: Origin,
    ) {
        let mut written = kernel.parameters.iter().filter(|parameter| parameter.usage == Usage::Written);
        if written.all(|parameter| parameter.elements == 0) {
            return;
        }
        let scratch = kernel.arguments().skip(arguments.len());
        for &Parameter { dtype, elements, .. } in scratch {
            arguments.push(self.array(dtype, elements, Place::Workspace(0)));
        }
        let known = self.plan.kernels.iter().position(|other| same(other, &kernel));
        let kernel = known.unwrap_or_else(|| {
            kernel.name = format!("{}.{label}", self.plan.kernels.len());
            self.plan.kernels.push(kernel);
            self.plan.kernels.len() - 1
        });
        self.plan.launches.push(Launch { kernel, arguments, values, label: label.to_string(), origin });
    }

    /// Notes where a result is, or copies a next value into its leaf unless it was written there.
    fn result(&mut self, role: &Role, value: ValueId) {
        let buffer = self.memory.made[&value];
        let Role::Next(leaf) = role else {
            let shape = self.graph.ty(value).known_shape();
            return self.plan.results.push(PlanResult { role: role.clone(), buffer, shape });
        };
        let leaf = self.memory.leaves[leaf];
        if buffer == leaf {
            return;
        }
        let origin = self.graph.producer(value).map(|(_, node)| node.origin).unwrap_or_default();
        self.copy(buffer, leaf, value, origin);
    }

    /// Gives every buffer of the workspace its offset.
    fn place(&mut self) {
        let (buffers, ranges): (Vec<BufferId>, Vec<LiveRange>) = self.live_ranges().into_iter().unzip();
        let (offsets, bytes) = place(&ranges);
        for (buffer, offset) in buffers.into_iter().zip(offsets) {
            self.plan.buffers[buffer.0].place = Place::Workspace(offset);
        }
        self.plan.workspace_bytes = bytes;
        self.plan.unshared_bytes = ranges.iter().map(|range| range.bytes).sum();
    }

    /// The buffers of the workspace and when each is needed; those of no elements never are.
    fn live_ranges(&self) -> BTreeMap<BufferId, LiveRange> {
        let mut ranges = BTreeMap::new();
        let end = self.plan.launches.len();
        for (at, launch) in self.plan.launches.iter().enumerate() {
            // What is another part in every turn is needed as long as there are turns.
            let turns = self.plan.loop_of(at).map_or(at..at + 1, |turns| turns.launches.clone());
            for &argument in &launch.arguments {
                match self.plan.buffers[argument.0].place {
                    Place::Part(part) => [Some(part.of), part.initial]
                        .into_iter()
                        .flatten()
                        .for_each(|whole| self.needed(&mut ranges, whole, turns.start..=turns.end - 1)),
                    _ => self.needed(&mut ranges, argument, at..=at),
                }
            }
        }
        for result in &self.plan.results {
            self.needed(&mut ranges, result.buffer, end..=end);
        }
        for turns in self.plan.loops.iter().map(|turns| &turns.launches) {
            // What was there before the first turn must be there in the last one.
            let there = |range: &&mut LiveRange| range.first < turns.start && turns.contains(&range.last);
            ranges.values_mut().filter(there).for_each(|range| range.last = turns.end - 1);
        }
        ranges
    }

    /// Notes that a buffer is needed in these launches.
    fn needed(&self, ranges: &mut BTreeMap<BufferId, LiveRange>, id: BufferId, launches: RangeInclusive<usize>) {
        let buffer = &self.plan.buffers[id.0];
        if let Place::Workspace(_) = buffer.place {
            let bytes = padded(buffer.elements * buffer.dtype.size());
            let (first, last) = launches.into_inner();
            let range = ranges.entry(id).or_insert(LiveRange { first, last, bytes });
            range.first = range.first.min(first);
            range.last = range.last.max(last);
        }
    }
}

/// A part as schedules take it.
fn part(part: &Part) -> schedule::Part<'_> {
    schedule::Part { nest: &part.nest, axes: &part.axes, kept: part.kept }
}

/// Whether two kernels are the same but for their names.
fn same(a: &Kernel, b: &Kernel) -> bool {
    a.parameters == b.parameters
        && a.vars == b.vars
        && a.registers == b.registers
        && a.fragments == b.fragments
        && a.loops == b.loops
        && a.threads == b.threads
        && a.body == b.body
}
