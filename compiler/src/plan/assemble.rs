//! From groups to a plan: buffers, launches and the copies at the end.

use super::memory::{LiveRange, padded, place};
use super::order::{Order, order, unchanged};
use super::{Buffer, BufferId, Launch, Place, Plan, PlanLeaf, PlanResult, bounds};
use crate::fuse::{self, Group, Part};
use crate::graph::{Graph, Origin, Role, ValueId};
use crate::kernel::{Kernel, Parameter, Usage};
use crate::schedule;
use crate::target::Target;
use std::collections::BTreeMap;

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

struct Assembly<'g> {
    graph: &'g Graph,
    target: &'g Target,
    plan: Plan,
    /// The memory of each leaf.
    leaves: BTreeMap<ValueId, BufferId>,
    /// What groups have written, and where. A leaf in here is a copy of that leaf.
    made: BTreeMap<ValueId, BufferId>,
}

impl<'g> Assembly<'g> {
    fn new(graph: &'g Graph, target: &'g Target) -> Assembly<'g> {
        let mut assembly = Assembly {
            graph,
            target,
            plan: Plan { bounds: bounds::bounds(graph), ..Plan::default() },
            leaves: BTreeMap::new(),
            made: BTreeMap::new(),
        };
        for (position, (value, leaf, ty)) in graph.leaves().enumerate() {
            let leaf = PlanLeaf { leaf: leaf.clone(), dtype: ty.dtype, shape: ty.known_shape() };
            assembly.plan.leaves.push(leaf);
            let buffer = assembly.buffer(value, Place::Leaf(position));
            assembly.leaves.insert(value, buffer);
        }
        assembly
    }

    fn buffer(&mut self, value: ValueId, place: Place) -> BufferId {
        let ty = self.graph.ty(value);
        self.plan.buffers.push(Buffer { dtype: ty.dtype, elements: ty.known_shape().iter().product(), place });
        BufferId(self.plan.buffers.len() - 1)
    }

    fn group(&mut self, group: &Group, in_place: &[Option<ValueId>]) {
        let operand = |value| *self.leaves.get(value).unwrap_or_else(|| &self.made[value]);
        let mut arguments: Vec<BufferId> = group.operands.iter().map(operand).collect();
        let mut values = group.operands.clone();
        for (part, in_place) in group.parts.iter().zip(in_place).filter(|(part, _)| part.kept) {
            let output = match in_place {
                Some(leaf) => self.leaves[leaf],
                // The offset is found when it is known how long each buffer is needed.
                None => self.buffer(part.result, Place::Workspace(0)),
            };
            self.made.insert(part.result, output);
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
            self.plan.buffers.push(Buffer { dtype, elements, place: Place::Workspace(0) });
            arguments.push(BufferId(self.plan.buffers.len() - 1));
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
        let buffer = self.made[&value];
        let Role::Next(leaf) = role else {
            let shape = self.graph.ty(value).known_shape();
            return self.plan.results.push(PlanResult { role: role.clone(), buffer, shape });
        };
        let leaf = self.leaves[leaf];
        if buffer == leaf {
            return;
        }
        let Buffer { dtype, elements, .. } = self.plan.buffers[leaf.0];
        let kernel = schedule::kernel(&fuse::copy(dtype, &[elements]), &[vec![elements]], "copy", self.target);
        let origin = self.graph.producer(value).map(|(_, node)| node.origin).unwrap_or_default();
        self.launch(kernel, vec![buffer, leaf], vec![value; 2], "copy", origin);
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
        let uses = self.plan.launches.iter().enumerate();
        let uses = uses.flat_map(|(at, launch)| launch.arguments.iter().map(move |&argument| (argument, at)));
        for (id, at) in uses.chain(self.plan.results.iter().map(|result| (result.buffer, end))) {
            let buffer = &self.plan.buffers[id.0];
            if let Place::Workspace(_) = buffer.place {
                let bytes = padded(buffer.elements * buffer.dtype.size());
                let range = ranges.entry(id).or_insert(LiveRange { first: at, last: at, bytes });
                range.last = range.last.max(at);
            }
        }
        ranges
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
