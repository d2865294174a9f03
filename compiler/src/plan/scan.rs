//! The launches of a scan: those of its body, on memory that moves from turn to turn.
//!
//! A stacked value is read and written where it lies, a slice in every turn. What is carried on is read where the turn before
//! wrote it: among the slices of the stacked result that it is, else in one of two halves that take turns. In the first turn
//! it is read where its initial value lies.

use super::assemble::{Assembly, Memory};
use super::memory::ALIGNMENT;
use super::order::order;
use super::{Buffer, BufferId, Loop, Part, Place};
use crate::fuse::{Group, Scan};
use crate::graph::{Graph, ValueId};
use crate::ops::Turns;
use std::collections::BTreeMap;
use std::mem;

/// Where slices of turns lie in an array: where those that this turn writes.
#[derive(Clone, Copy)]
struct Home {
    array: BufferId,
    first: i64,
    step: i64,
    period: usize,
}

impl<'g> Assembly<'g> {
    /// Adds the launches of a scan.
    pub(super) fn scan(&mut self, group: &'g Group, scan: &'g Scan) {
        let (turns, body) = (&scan.turns, scan.turns.body.graph());
        let count = turns.count.known().expect("extents are known once bound") as usize;
        let homes = self.homes(turns, &scan.results, count);
        let mut inside = self.arguments(turns, count, &group.operands, &homes);
        for (&value, home) in &homes {
            let part = self.part(body, value, home, None);
            inside.outputs.insert(value, part);
        }
        let first = self.plan.launches.len();
        let outside = (mem::replace(&mut self.memory, inside), mem::replace(&mut self.graph, body));
        for at in order(body, &scan.groups).launches {
            let group = &scan.groups[at];
            self.group(group, &vec![None; group.parts.len()]);
        }
        (self.memory, self.graph) = outside;
        let launches = first..self.plan.launches.len();
        if !launches.is_empty() {
            self.plan.loops.push(Loop { launches, turns: count, node: group.nodes[0] });
        }
        self.last_carries(group, scan, count, &homes);
    }

    /// Where the results of the body lie, over all turns.
    fn homes(&mut self, turns: &Turns, results: &[Option<ValueId>], count: usize) -> BTreeMap<ValueId, Home> {
        let (body, values) = (turns.body.graph(), turns.results());
        let mut homes = BTreeMap::new();
        let elements = |value: ValueId| body.ty(value).known_shape().iter().product::<usize>();
        for (&value, &result) in values.iter().zip(results).skip(turns.carries) {
            let Some(result) = result else { continue };
            let array = self.buffer(result, Place::Workspace(0));
            self.memory.made.insert(result, array);
            let size = elements(value) as i64;
            let (first, step) = (turns.position(0, count) as i64 * size, if turns.reverse { -size } else { size });
            homes.insert(value, Home { array, first, step, period: count });
        }
        for &value in &values[..turns.carries] {
            if homes.contains_key(&value) {
                continue;
            }
            let dtype = body.dtype(value);
            let half = (elements(value) * dtype.size()).next_multiple_of(ALIGNMENT) / dtype.size();
            let array = self.array(dtype, half + elements(value), Place::Workspace(0));
            homes.insert(value, Home { array, first: 0, step: half as i64, period: 2 });
        }
        homes
    }

    /// Where the arguments of the body lie.
    fn arguments(
        &mut self,
        turns: &Turns,
        count: usize,
        operands: &[ValueId],
        homes: &BTreeMap<ValueId, Home>,
    ) -> Memory {
        let (body, results) = (turns.body.graph(), turns.results());
        let mut memory = Memory::default();
        for (position, (argument, &operand)) in turns.arguments().into_iter().zip(operands).enumerate() {
            let given = self.memory.of(operand);
            let buffer = if position < turns.carries {
                let home = homes[&results[position]].before();
                self.part(body, argument, &home, Some(given))
            } else if position < turns.carries + turns.slices {
                let size = body.ty(argument).known_shape().iter().product::<usize>() as i64;
                let (first, step) = (turns.position(0, count) as i64 * size, if turns.reverse { -size } else { size });
                self.part(body, argument, &Home { array: given, first, step, period: count }, None)
            } else {
                given
            };
            memory.leaves.insert(argument, buffer);
        }
        memory
    }

    /// The part of an array that a value of the body is in.
    fn part(&mut self, body: &Graph, value: ValueId, home: &Home, initial: Option<BufferId>) -> BufferId {
        let Home { array, first, step, period } = *home;
        let ty = body.ty(value);
        let place = Place::Part(Part { of: array, first, step, period, initial });
        self.array(ty.dtype, ty.known_shape().iter().product(), place)
    }

    /// Copies what is carried after the last turn.
    fn last_carries(&mut self, group: &Group, scan: &Scan, count: usize, homes: &BTreeMap<ValueId, Home>) {
        let values = scan.turns.results();
        for (value, &result) in values.iter().zip(&scan.results).take(scan.turns.carries) {
            let Some(result) = result else { continue };
            let Home { array, first, step, period } = homes[value];
            let part = Part { of: array, first, step, period, initial: None };
            let last = Part { first: part.start(count - 1), step: 0, period: 1, ..part };
            let to = self.buffer(result, Place::Workspace(0));
            let Buffer { dtype, elements, .. } = self.plan.buffers[to.0];
            let from = self.array(dtype, elements, Place::Part(last));
            self.copy(from, to, result, group.origin);
            self.memory.made.insert(result, to);
        }
    }
}

impl Home {
    /// The same one turn before.
    fn before(&self) -> Home {
        match self.period {
            // Of two halves it is the other one.
            2 if self.first == 0 && self.step > 0 => Home { first: self.step, step: -self.step, ..*self },
            _ => Home { first: self.first - self.step, ..*self },
        }
    }
}
