//! Kernels of several nests in blocks.
//!
//! The parts of a group enter, laid out along the axes that they share; one kernel leaves, or nothing, and then the schedules
//! of machines with vectors serve. Parts that share no axes are elementwise, and each block has neighbouring points of them.
//! Else positions of the shared axes are rows: each thread has a row where rows are short, else each block has one row or
//! several at once, and its threads share their columns. Columns that are needed again stay in registers, as far as these
//! reach; what does not is loaded or computed again, so that nothing of a row goes through memory. Sums over the rows grow in
//! registers as long as a block lasts; where there are several blocks, their sums are summed up in order.

mod evaluate;
mod held;
mod rows;
mod shape;
mod sums;

use super::pieces;
use crate::kernel::{Kernel, Parameter, ParameterId, Usage, Var};
use crate::nest::{Index, unflatten};
use crate::schedule::parts::Laid;
use crate::schedule::parts::stages::{Stage, at_same_point};
use crate::schedule::scope::Scope;
use evaluate::Place;
use held::Held;
use shape::Shape;
use std::collections::BTreeSet;

/// Parts that become one kernel.
#[derive(Clone, Copy)]
pub(in crate::schedule) struct Group<'a> {
    /// The extents of the axes that they share.
    pub shared: &'a [usize],
    /// The parts, each behind what it reads.
    pub parts: &'a [Laid<'a>],
    /// Which of them stand in one loop, in order.
    pub stages: &'a [Stage],
    /// The shapes of the operands.
    pub operand_shapes: &'a [Vec<usize>],
}

impl Group<'_> {
    /// Where a part stands.
    fn stage_of(&self, part: usize) -> usize {
        let stage = self.stages.iter().position(|stage| stage.parts.contains(&part));
        stage.expect("each part stands in a stage")
    }

    /// The parts of a stage, taken apart where they have nothing to do with each other: they neither read each other nor
    /// anything but single numbers that both read.
    fn apart(&self, stage: usize) -> Vec<Vec<usize>> {
        let operands = self.operand_shapes.len();
        let large =
            |operand: &usize| self.operand_shapes.get(*operand).is_none_or(|shape| shape.iter().product::<usize>() > 1);
        let mut units: Vec<(BTreeSet<usize>, Vec<usize>)> = Vec::new();
        for &part in &self.stages[stage].parts {
            let reads = self.parts[part].nest.reads.iter().map(|read| read.operand).filter(large);
            let mut unit = (reads.chain([operands + part]).collect::<BTreeSet<usize>>(), vec![part]);
            let (joined, apart): (Vec<_>, Vec<_>) =
                units.into_iter().partition(|(touched, _)| !touched.is_disjoint(&unit.0));
            for (touched, parts) in joined {
                unit.0.extend(touched);
                unit.1.extend(parts);
            }
            units = apart;
            units.push(unit);
        }
        let mut parts: Vec<Vec<usize>> = units.into_iter().map(|(_, parts)| parts).collect();
        parts.iter_mut().for_each(|parts| parts.sort_unstable());
        parts.sort_unstable();
        parts
    }

    /// Whether each part has points of its own or one value per row, and none has to be in memory before another one reads it.
    fn is_regular(&self) -> bool {
        let operands = self.operand_shapes.len();
        let plain = |part: &Laid<'_>| !part.reduces() || part.outputs.is_empty() && !self.shared.is_empty();
        let read_where_it_is = |at: usize| {
            self.parts.iter().enumerate().all(|(other, reader)| {
                let mut reads = reader.nest.reads.iter().filter(|read| read.operand == operands + at);
                let same = self.stage_of(other) == self.stage_of(at);
                reads.all(|read| same && at_same_point(reader, &self.parts[at], &read.index))
            })
        };
        let known = |at: usize| {
            let part = &self.parts[at];
            part.outputs.is_empty() || !(part.kept || self.shared.is_empty()) || read_where_it_is(at)
        };
        self.parts.iter().all(plain) && (0..self.parts.len()).all(known)
    }
}

/// The kernel of a group for blocks of about so many threads.
pub(in crate::schedule) fn kernel(
    group: Group<'_>,
    parameters: &[Parameter],
    name: &str,
    threads: usize,
) -> Option<Kernel> {
    if !group.is_regular() {
        return None;
    }
    let (mut parameters, mut results) = (parameters.to_vec(), Vec::new());
    for part in group.parts {
        results.push(part.kept.then_some(ParameterId(parameters.len())));
        if part.kept {
            parameters.push(Parameter {
                dtype: part.nest.dtype,
                elements: part.result_elements(),
                usage: Usage::Written,
            });
        }
    }
    let mut writer = Blocks {
        group,
        scope: Scope::new(name, parameters),
        threads,
        results,
        turns: vec![Vec::new()],
        singles: vec![vec![None; group.parts.len()]],
        known: Vec::new(),
        here: None,
        held: Held::default(),
    };
    match group.shared.is_empty() {
        true => (0..group.stages.len()).for_each(|stage| writer.points(stage)),
        false => writer.rows(&Shape::choose(&group, threads)?),
    }
    let threads = writer.threads;
    Some(Kernel { threads: Some(threads), ..writer.scope.finish() })
}

/// Writes the kernel of a group.
struct Blocks<'a> {
    group: Group<'a>,
    scope: Scope,
    /// How many threads a block has.
    threads: usize,
    /// The array of each part that is kept.
    results: Vec<Option<ParameterId>>,
    /// For each row that runs at once, the position on each shared axis.
    turns: Vec<Vec<Index>>,
    /// For each such row, the value of each part that has one.
    singles: Vec<Vec<Option<Var>>>,
    /// What parts are at points of the loop that is open.
    known: Vec<(Place, Var)>,
    /// The stage that runs, and the position on each of its axes, in the loop that is open.
    here: Option<(usize, Vec<Index>)>,
    /// What registers hold.
    held: Held,
}

impl Blocks<'_> {
    /// A stage of elementwise parts that share no axes.
    fn points(&mut self, stage: usize) {
        let extents = &self.group.stages[stage].extents;
        if extents.is_empty() {
            self.singles(stage);
            return self.leave();
        }
        for members in self.group.apart(stage) {
            for piece in pieces(extents.iter().product(), self.threads) {
                let number = piece.open(&mut self.scope, self.threads);
                let left = unflatten(&number, extents, self.scope.extents());
                self.enter(stage, left);
                self.elements(&members, 0);
                self.leave();
                self.scope.close();
                self.scope.close();
            }
        }
    }

    /// Begins with a point of a stage.
    fn enter(&mut self, stage: usize, left: Vec<Index>) {
        self.here = Some((stage, left));
    }

    /// Forgets what belongs to the loop that is closed now.
    fn leave(&mut self) {
        self.here = None;
        self.known.clear();
    }

    /// Computes the parts of a stage, out of these, that have an element at the point of a row, then stores what is kept: so what is updated
    /// in place is read before.
    fn elements(&mut self, members: &[usize], copy: usize) {
        let parts = self.group.parts;
        let elementwise = |&part: &usize| !parts[part].reduces() && !parts[part].sums;
        let members: Vec<usize> = members.iter().copied().filter(elementwise).collect();
        let values: Vec<Var> = members.iter().map(|&part| self.own(part, copy)).collect();
        for (part, value) in members.into_iter().zip(values) {
            let place = self.place(part, copy);
            self.write(&place, value);
        }
    }

    /// The values that parts of a stage without axes have in each row.
    fn singles(&mut self, stage: usize) {
        let parts = self.group.parts;
        for copy in 0..self.turns.len() {
            self.enter(stage, Vec::new());
            for &part in self.group.stages[stage].parts.iter().filter(|&&part| !parts[part].sums) {
                let value = self.own(part, copy);
                self.singles[copy][part] = Some(value);
                let place = self.place(part, copy);
                self.write(&place, value);
            }
        }
    }

    /// Stores a value if its part is kept.
    fn write(&mut self, place: &Place, value: Var) {
        if let Some(result) = self.results[place.part] {
            let index = self.group.parts[place.part].write().substitute(&place.axes, self.scope.extents(), 0);
            self.scope.store(result, index, value);
        }
    }
}
