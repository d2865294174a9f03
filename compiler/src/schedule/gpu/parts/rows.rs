//! Parts over rows.

use super::Blocks;
use super::held::Held;
use super::shape::Shape;
use super::sums::Sum;
use crate::kernel::{Expression, LoopKind, Register, Var};
use crate::nest::{Index, unflatten};
use crate::schedule::gpu::lanes;

/// Blocks of one size: how many, and from which row on.
struct Span {
    blocks: usize,
    first: usize,
    /// How many rows a block has.
    rows: usize,
}

impl Blocks<'_> {
    /// All rows, and what they sum up to.
    pub(super) fn rows(&mut self, shape: &Shape) {
        self.threads = shape.threads;
        let rows: usize = self.group.shared.iter().product();
        let size = if shape.alone { shape.threads.min(rows) } else { shape.at_once * shape.turns };
        let (whole, left) = (rows / size, rows % size);
        let spans = [
            Span { blocks: whole, first: 0, rows: size },
            Span { blocks: usize::from(left > 0), first: whole * size, rows: left },
        ];
        let blocks = whole + usize::from(left > 0);
        let targets = self.targets(blocks);
        for (number, span) in spans.iter().enumerate().filter(|(_, span)| span.blocks > 0) {
            let id = self.scope.open(span.blocks, LoopKind::Parallel);
            let block = if span.blocks > 1 { Index::axis(id.0) } else { Index::default() };
            let first = block.clone().times(span.rows as i64).plus(&Index::constant(span.first as i64));
            let sums = self.sums(shape);
            match shape.alone {
                true => self.rows_alone(span.rows, first, &sums),
                false => self.rows_of_block(shape, span.rows, first, &sums),
            }
            let piece = block.plus(&Index::constant(if number > 0 { whole as i64 } else { 0 }));
            self.leave_sums(&sums, &targets, &piece);
            self.scope.close();
        }
        self.sums_of_blocks(&targets, blocks);
    }

    /// Each thread has a row.
    fn rows_alone(&mut self, rows: usize, first: Index, sums: &[Sum]) {
        let lane = Index::axis(self.scope.open(rows, LoopKind::lanes(1)).0);
        self.turn_to(vec![first.plus(&lane)]);
        for stage in 0..self.group.stages.len() {
            self.straight(stage, sums);
        }
        self.leave();
        self.scope.close();
    }

    /// Begins with rows.
    fn turn_to(&mut self, rows: Vec<Index>) {
        let (shared, extents) = (self.group.shared, self.scope.extents());
        self.turns = rows.iter().map(|row| unflatten(row, shared, extents)).collect();
        self.singles = vec![vec![None; self.group.parts.len()]; rows.len()];
    }

    /// A stage, column after column.
    fn straight(&mut self, stage: usize, sums: &[Sum]) {
        let (parts, members) = (self.group.parts, &self.group.stages[stage].parts);
        let extents = &self.group.stages[stage].extents;
        let mut reduced: Vec<(usize, Var)> = Vec::new();
        for &part in members.iter().filter(|&&part| parts[part].reduces() && !parts[part].sums) {
            let dtype = parts[part].nest.reduced_dtype();
            reduced.push((part, self.scope.constant(dtype, parts[part].reducer().identity(dtype))));
        }
        for column in 0..extents.iter().product() {
            let left = unflatten(&Index::constant(column as i64), extents, self.scope.extents());
            self.enter(stage, left);
            match extents.is_empty() {
                true => self.singles(stage),
                false => self.elements(members, 0),
            }
            for (part, value) in &mut reduced {
                *value = self.taken_onto(*part, 0, *value);
            }
            for sum in sums.iter().filter(|sum| members.contains(&sum.part)) {
                let own = if parts[sum.part].outputs.is_empty() { 0 } else { column };
                self.take(sum.part, 0, sum.registers[own]);
            }
        }
        self.here = Some((stage, Vec::new()));
        for (part, value) in reduced {
            self.finish_row(part, 0, value);
        }
    }

    /// What a row was reduced to.
    fn finish_row(&mut self, part: usize, copy: usize, value: Var) {
        let value = self.reduced(part, copy, value);
        self.singles[copy][part] = Some(value);
        let place = self.place(part, copy);
        self.write(&place, value);
    }

    /// The rows of a block, of which all threads share the columns, some of them at once.
    fn rows_of_block(&mut self, shape: &Shape, rows: usize, first: Index, sums: &[Sum]) {
        let at_once = if rows.is_multiple_of(shape.at_once) { shape.at_once } else { 1 };
        let held = |stage: usize| {
            let columns = self.group.stages[stage].extents.iter().product();
            shape.groups[stage].filter(|_| shape.holds(stage, columns))
        };
        let groups: Vec<Option<usize>> = (0..self.group.stages.len()).map(held).collect();
        self.held = Held::choose(&self.group, at_once, &groups, &mut self.scope);
        self.clear_held();
        let turns = rows / at_once;
        let turn = match turns {
            1 => Index::default(),
            _ => Index::axis(self.scope.open(turns, LoopKind::Serial).0).times(at_once as i64),
        };
        let row = |copy: usize| first.clone().plus(&turn).plus(&Index::constant(copy as i64));
        self.turn_to((0..at_once).map(row).collect());
        for stage in 0..self.group.stages.len() {
            match shape.groups[stage] {
                Some(groups) => self.columns(stage, groups, sums),
                None => {
                    self.singles(stage);
                    self.take_rows(stage, sums);
                    self.leave();
                }
            }
        }
        if turns > 1 {
            self.scope.close();
        }
        self.held = Held::default();
    }

    /// Registers have something in them before a loop sets those of its iterations.
    fn clear_held(&mut self) {
        for register in self.held.registers() {
            let zero = self.scope.constant(self.scope.register_dtype(register), 0.0);
            self.scope.assign(register, zero);
        }
    }

    /// Sums over rows of what has one value in a row.
    fn take_rows(&mut self, stage: usize, sums: &[Sum]) {
        for copy in 0..self.turns.len() {
            self.enter(stage, Vec::new());
            for sum in sums.iter().filter(|sum| self.group.stages[stage].parts.contains(&sum.part)) {
                self.take(sum.part, copy, sum.registers[0]);
            }
        }
    }

    /// A stage over the columns of the rows that run at once.
    fn columns(&mut self, stage: usize, groups: usize, sums: &[Sum]) {
        let (parts, members) = (self.group.parts, &self.group.stages[stage].parts);
        let extents = &self.group.stages[stage].extents;
        let mut reduced: Vec<(usize, usize, Register)> = Vec::new();
        for copy in 0..self.turns.len() {
            for &part in members.iter().filter(|&&part| parts[part].reduces() && !parts[part].sums) {
                let dtype = parts[part].nest.reduced_dtype();
                let register = self.register(dtype, groups, parts[part].reducer().identity(dtype));
                reduced.push((copy, part, register));
            }
        }
        let columns = extents.iter().product();
        let number = Index::axis(self.scope.open(columns, lanes(columns, groups)).0);
        let left = unflatten(&number, extents, self.scope.extents());
        self.enter(stage, left);
        self.held.forget();
        for copy in 0..self.turns.len() {
            self.elements(members, copy);
            for &(_, part, register) in reduced.iter().filter(|(other, ..)| *other == copy) {
                self.take(part, copy, register);
            }
            for sum in sums.iter().filter(|sum| members.contains(&sum.part)) {
                self.take(sum.part, copy, sum.registers[0]);
            }
        }
        self.leave();
        self.scope.close();
        let values: Vec<Var> = reduced
            .iter()
            .map(|&(_, part, register)| self.scope.read(Expression::Combine(register, parts[part].reducer())))
            .collect();
        self.here = Some((stage, Vec::new()));
        for ((copy, part, _), value) in reduced.into_iter().zip(values) {
            self.finish_row(part, copy, value);
        }
        self.leave();
    }
}
