//! Loops: launches that run once per turn of a scan.
//!
//! One turn is simulated, for all write the same memory: whole buffers are of the turn alone, and parts lie in arrays that
//! belong to the loop. What is read of the turn before must lie where that wrote it, what is read of arrays must be the slice
//! of the turn, and all that the first turn finds must still be there after it. Parts move by the same step in every turn, or
//! back and forth, so the first three turns and the last one stand for all.

use super::super::{BufferId, Part, Place, Plan};
use super::memory::{Memory, Span, span};
use super::{VerifyError, arguments, scratch, verify_arguments};
use crate::graph::{Graph, Node, ValueId};
use crate::ops::Turns;
use std::collections::BTreeMap;

/// Demands that loops come one after the other, and that parts are inside of their buffers in every turn.
pub(super) fn verify_places(plan: &Plan) -> Result<(), VerifyError> {
    let mut end = 0;
    for (number, turns) in plan.loops.iter().enumerate() {
        let launches = &turns.launches;
        if launches.is_empty() || launches.start < end || launches.end > plan.launches.len() || turns.turns == 0 {
            return Err(VerifyError::Loop(number, "is no stretch of launches of its own"));
        }
        end = launches.end;
    }
    for (at, launch) in plan.launches.iter().enumerate() {
        let turns = plan.turns(at);
        for (argument, buffer) in launch.arguments.iter().enumerate() {
            let Some(buffer) = plan.buffers.get(buffer.0) else { return Err(VerifyError::Kernel(at)) };
            let Place::Part(part) = buffer.place else { continue };
            let elements = plan.buffers[part.of.0].elements as i64;
            let inside = |turn| (0..=elements - buffer.elements as i64).contains(&part.start(turn));
            let even = part.period >= turns || part.period == 2;
            let mut found = samples(turns).filter(|&turn| turn > 0 || part.initial.is_none());
            if !even || !found.all(inside) {
                return Err(VerifyError::Argument(at, argument, "leaves its buffer in some turn"));
            }
        }
    }
    Ok(())
}

/// Turns that stand for all of so many.
fn samples(turns: usize) -> impl Iterator<Item = usize> {
    (0..turns.min(3)).chain(turns.checked_sub(1).filter(|&last| last > 2))
}

/// Simulates a loop.
pub(super) fn verify(plan: &Plan, graph: &Graph, number: usize, memory: &mut Memory) -> Result<(), VerifyError> {
    let node = graph.nodes().nth(plan.loops[number].node.0).map(|(_, node)| node);
    let Some(node) = node.filter(|node| node.op.name() == "scan") else {
        return Err(VerifyError::Loop(number, "is of no scan"));
    };
    let scan = Turns::of(&node.attributes);
    if scan.count.known() != Some(plan.loops[number].turns as i64) {
        return Err(VerifyError::Loop(number, "has not as many turns as its scan"));
    }
    let mut looped = Looped { plan, node, scan: &scan, number, parts: BTreeMap::new(), homes: Vec::new() };
    looped.find_parts(memory)?;
    let given = looped.given()?;
    hold(&given, memory)?;
    let first = ValueId(graph.values().len());
    for at in plan.loops[number].launches.clone() {
        looped.launch(at, first, memory)?;
    }
    memory.forget(first);
    hold(&given, memory)?;
    looped.leave(memory);
    Ok(())
}

/// What a launch of the body reads that was there before: launch, argument, place and value.
type Given = (usize, usize, Span, ValueId);

fn hold(given: &[Given], memory: &Memory) -> Result<(), VerifyError> {
    for (launch, argument, span, wanted) in given {
        if !memory.holds(span, *wanted) {
            let (found, wanted) = (memory.read(span), *wanted);
            return Err(VerifyError::Stale { launch: *launch, argument: *argument, wanted, found });
        }
    }
    Ok(())
}

struct Looped<'p> {
    plan: &'p Plan,
    node: &'p Node,
    scan: &'p Turns,
    number: usize,
    /// Where values of the body are written that other turns or others need.
    parts: BTreeMap<ValueId, BufferId>,
    /// The arrays that they are part of.
    homes: Vec<Span>,
}

impl Looped<'_> {
    fn launches(&self) -> impl Iterator<Item = usize> + use<> {
        self.plan.loops[self.number].launches.clone()
    }

    fn turns(&self) -> usize {
        self.plan.loops[self.number].turns
    }

    fn part(&self, buffer: BufferId) -> Option<Part> {
        match self.plan.buffers[buffer.0].place {
            Place::Part(part) => Some(part),
            Place::Leaf(_) | Place::Workspace(_) => None,
        }
    }

    /// Finds out which arrays belong to the loop; they hold nothing before it.
    fn find_parts(&mut self, memory: &mut Memory) -> Result<(), VerifyError> {
        let mut arrays: Vec<BufferId> = Vec::new();
        for at in self.launches() {
            verify_arguments(self.plan, self.scan.body.graph(), at)?;
            for (_, buffer, value, written) in arguments(self.plan, &self.plan.launches[at]) {
                let Some(part) = self.part(buffer).filter(|_| written) else { continue };
                let is_new = self.parts.insert(value, buffer).is_none();
                if !is_new || part.initial.is_some() || !matches!(self.place(part.of), Place::Workspace(_)) {
                    return Err(VerifyError::Loop(self.number, "writes a value where it may not"));
                }
                if arrays.contains(&part.of) {
                    return Err(VerifyError::Loop(self.number, "writes two values into one array"));
                }
                arrays.push(part.of);
            }
        }
        for array in arrays {
            let home = span(self.plan, array, 0);
            if self.homes.iter().any(|other| other.meets(&home)) {
                return Err(VerifyError::Loop(self.number, "keeps two arrays in one place"));
            }
            memory.clear(&home);
            self.homes.push(home);
        }
        Ok(())
    }

    fn place(&self, buffer: BufferId) -> Place {
        self.plan.buffers[buffer.0].place
    }

    /// What the body reads of its arguments, and where that lies before the first turn.
    fn given(&self) -> Result<Vec<Given>, VerifyError> {
        let mut given = Vec::new();
        let leaves = self.scan.arguments();
        for at in self.launches() {
            for (argument, buffer, value, written) in arguments(self.plan, &self.plan.launches[at]) {
                // Nothing is read of an array of nothing, and no launch writes it.
                let is_read = !written && self.plan.buffers[buffer.0].elements > 0;
                let Some(position) = leaves.iter().position(|&leaf| leaf == value).filter(|_| is_read) else {
                    continue;
                };
                let whole = match self.whole(position, buffer) {
                    Ok(whole) => whole,
                    Err(what) => return Err(VerifyError::Argument(at, argument, what)),
                };
                given.push((at, argument, span(self.plan, whole, 0), self.node.operands[position]));
            }
        }
        Ok(given)
    }

    /// The buffer of an operand that an argument of the body is read of, if it is read there in every turn.
    fn whole(&self, position: usize, buffer: BufferId) -> Result<BufferId, &'static str> {
        let (scan, part) = (self.scan, self.part(buffer));
        if position >= scan.carries + scan.slices {
            return if part.is_none() { Ok(buffer) } else { Err("should be the same in every turn") };
        }
        if position >= scan.carries {
            let found = part.filter(|part| part.initial.is_none() && self.is_slice(buffer, part));
            return found.map(|part| part.of).ok_or("is not the slice of the turn");
        }
        let written = self.parts.get(&scan.results()[position]).and_then(|&buffer| self.part(buffer));
        let (Some(part), Some(written)) = (part, written) else { return Err("is not carried on") };
        let mut later = samples(self.turns()).filter(|&turn| turn > 0);
        let same = part.of == written.of && part.period == written.period;
        let follows = later.all(|turn| part.start(turn) == written.start(turn - 1));
        part.initial.filter(|_| same && follows).ok_or("is not what the turn before wrote")
    }

    /// Whether a part is the slice of the turn in every turn.
    fn is_slice(&self, buffer: BufferId, part: &Part) -> bool {
        let (elements, turns) = (self.plan.buffers[buffer.0].elements, self.turns());
        let at = |turn| (self.scan.position(turn, turns) * elements) as i64;
        let all = self.plan.buffers[part.of.0].elements == turns * elements;
        all && part.period >= turns && samples(turns).all(|turn| part.start(turn) == at(turn))
    }

    /// Simulates a launch. Values of the body are numbered from `first` on.
    fn launch(&self, at: usize, first: ValueId, memory: &mut Memory) -> Result<(), VerifyError> {
        let launch = &self.plan.launches[at];
        let inside = |value: ValueId| ValueId(first.0 + value.0);
        for (argument, buffer, value, written) in arguments(self.plan, launch) {
            let place = span(self.plan, buffer, 0);
            let wanted = inside(value);
            if !written && !self.scan.arguments().contains(&value) && !memory.holds(&place, wanted) {
                return Err(VerifyError::Stale { launch: at, argument, wanted: value, found: memory.read(&place) });
            }
            if written {
                self.verify_apart(at, argument, buffer)?;
            }
        }
        for (argument, buffer) in scratch(launch) {
            self.verify_of_the_turn(at, argument, buffer)?;
            memory.clear(&span(self.plan, buffer, 0));
        }
        for (argument, buffer, value, _) in arguments(self.plan, launch).filter(|(.., written)| *written) {
            if self.part(buffer).is_none() {
                self.verify_of_the_turn(at, argument, buffer)?;
            }
            memory.write(&span(self.plan, buffer, 0), inside(value));
        }
        Ok(())
    }

    /// What is of one turn alone is in the workspace, beside what turns keep.
    fn verify_of_the_turn(&self, at: usize, argument: usize, buffer: BufferId) -> Result<(), VerifyError> {
        let own = span(self.plan, buffer, 0);
        let right =
            matches!(self.place(buffer), Place::Workspace(_)) && !self.homes.iter().any(|home| home.meets(&own));
        if right { Ok(()) } else { Err(VerifyError::Argument(at, argument, "writes over what turns keep")) }
    }

    /// What a launch writes lies apart from all else that it has, in every turn.
    fn verify_apart(&self, at: usize, output: usize, buffer: BufferId) -> Result<(), VerifyError> {
        for (other, shared, ..) in arguments(self.plan, &self.plan.launches[at]).filter(|(other, ..)| *other != output)
        {
            let meets = |turn| span(self.plan, shared, turn).meets(&span(self.plan, buffer, turn));
            if samples(self.turns()).any(meets) {
                return Err(VerifyError::Overlap(at, other, output));
            }
        }
        Ok(())
    }

    /// Notes what the loop leaves behind: stacked values, and what is carried after the last turn.
    fn leave(&self, memory: &mut Memory) {
        let values = self.scan.results();
        for (value, &result) in values.iter().zip(&self.node.results).skip(self.scan.carries) {
            let Some((&buffer, part)) = self.parts.get(value).and_then(|buffer| Some((buffer, self.part(*buffer)?)))
            else {
                continue;
            };
            if self.is_slice(buffer, &part) {
                memory.write(&span(self.plan, part.of, 0), result);
            }
        }
        for (value, &result) in values.iter().zip(&self.node.results).take(self.scan.carries) {
            if let Some(&buffer) = self.parts.get(value) {
                memory.note(&span(self.plan, buffer, self.turns() - 1), result);
            }
        }
    }
}
