//! Applying a schedule: a flat nest and its loops enter, a kernel leaves.

use super::choose::{Level, Schedule};
use super::evaluate::Evaluate;
use super::flat::Flat;
use super::form::Form;
use super::scope::Scope;
use crate::dtype::DType;
use crate::kernel::{Expression, Kernel, LoopKind, ParameterId, Register, Var};
use crate::nest::{Index, Reducer, Scalar, ScalarId};
use crate::scalar::ScalarOp;

/// A point of the nest: one index over the kernel's loops per axis.
pub(super) type Point = Vec<Index>;

/// The kernel that runs the nest as the schedule says.
pub fn apply(flat: &Flat, schedule: &Schedule, name: &str) -> Kernel {
    let mut writer = Writer { flat, schedule, scope: Scope::new(name, flat.parameters.clone()) };
    if !flat.extents[..flat.outputs].contains(&0) {
        let origin = vec![Index::default(); flat.extents.len()];
        match &schedule.form {
            Form::Points => writer.loops(&schedule.outputs, vec![origin], &mut Writer::elements),
            Form::Tiled(tiles) => {
                let rows = writer.packed_rows(tiles, &origin);
                writer.loops(&schedule.outputs, vec![origin], &mut |writer, points| {
                    writer.tiled(tiles, rows, &points[0])
                });
            }
            Form::Running(running) => {
                writer.loops(&schedule.outputs, vec![origin], &mut |writer, points| writer.running(running, &points));
            }
            Form::Scattered(scattered) => {
                writer.zeros();
                writer
                    .loops(&schedule.outputs, vec![origin], &mut |writer, points| writer.scattered(scattered, &points));
            }
        }
    }
    writer.scope.finish()
}

pub(super) struct Writer<'a> {
    pub(super) flat: &'a Flat,
    pub(super) schedule: &'a Schedule,
    pub(super) scope: Scope,
}

impl Writer<'_> {
    /// Runs the levels as loops, the first outermost, and `inner` at each of their points. Copies of an unrolled level stay
    /// together: what is inside handles all of their points at once.
    pub(super) fn loops(&mut self, levels: &[Level], points: Vec<Point>, inner: &mut dyn FnMut(&mut Self, Vec<Point>)) {
        let Some((level, rest)) = levels.split_first() else { return inner(self, points) };
        if let Some(size) = level.piece {
            return self.pieces(level, size, rest, points, inner);
        }
        if let Some(inside) = level.inside {
            return self.around(level, inside, rest, &points, inner);
        }
        let (whole, left) =
            (self.flat.extents[level.axis] / level.unroll, self.flat.extents[level.axis] % level.unroll);
        if whole == 1 && level.kind == LoopKind::Serial {
            self.loops(rest, copies(&points, level.axis, &Index::default(), level.unroll), inner);
        } else if whole > 0 {
            let id = self.scope.open(whole, level.kind);
            let first = Index::axis(id.0).times(level.unroll as i64);
            self.loops(rest, copies(&points, level.axis, &first, level.unroll), inner);
            self.scope.close();
        }
        if left > 0 {
            let first = Index::constant((whole * level.unroll) as i64);
            self.loops(rest, copies(&points, level.axis, &first, left), inner);
        }
    }

    /// Runs a lanes level piece by piece, all whole pieces in parallel.
    fn pieces(
        &mut self,
        level: &Level,
        size: usize,
        rest: &[Level],
        points: Vec<Point>,
        inner: &mut dyn FnMut(&mut Self, Vec<Point>),
    ) {
        let (whole, left) = (self.flat.extents[level.axis] / size, self.flat.extents[level.axis] % size);
        let mut lanes = |writer: &mut Self, first: Index, extent: usize| {
            let id = writer.scope.open(extent, level.kind);
            let first = first.plus(&Index::axis(id.0));
            writer.loops(rest, copies(&points, level.axis, &first, 1), inner);
            writer.scope.close();
        };
        let id = self.scope.open(whole, LoopKind::Parallel);
        lanes(self, Index::axis(id.0).times(size as i64), size);
        self.scope.close();
        if left > 0 {
            lanes(self, Index::constant((whole * size) as i64), left);
        }
    }

    /// Runs a lanes level up to the inside, there, and behind it.
    fn around(
        &mut self,
        level: &Level,
        [first, end]: [usize; 2],
        rest: &[Level],
        points: &[Point],
        inner: &mut dyn FnMut(&mut Self, Vec<Point>),
    ) {
        let extent = self.flat.extents[level.axis];
        for part in [0..first, first..end, end..extent].into_iter().filter(|part| !part.is_empty()) {
            let id = self.scope.open(part.len(), level.kind);
            let first = Index::axis(id.0).plus(&Index::constant(part.start as i64));
            self.loops(rest, copies(points, level.axis, &first, 1), inner);
            self.scope.close();
        }
    }

    /// Computes and stores the output elements of these points.
    pub(super) fn elements(&mut self, points: Vec<Point>) {
        let reduced = match self.flat.reducer {
            None => {
                let values = self.evaluate(&self.flat.body.scalars, &points, &[]);
                return self.store(&points, &values);
            }
            Some(Reducer::ArgMax) => self.positions(&points),
            Some(reducer) => self.reduce(reducer, &points),
        };
        self.finish(&points, reduced);
    }

    /// Makes the results of reduced values, one per point, and stores them.
    pub(super) fn finish(&mut self, points: &[Point], reduced: Vec<Var>) {
        let flat = self.flat;
        let Some(epilogue) = &flat.epilogue else {
            let values: Vec<Vec<Var>> = reduced.into_iter().map(|value| vec![value]).collect();
            return self.store(points, &values);
        };
        let values = self.evaluate(&epilogue.scalars, points, &reduced);
        self.store(points, &values);
    }

    /// Stores the elements at each of these points, whose scalars have these values.
    fn store(&mut self, points: &[Point], values: &[Vec<Var>]) {
        for (point, values) in points.iter().zip(values) {
            let index = self.flat.write.substitute(point, self.scope.extents(), 0);
            for (output, result) in self.flat.results.iter().enumerate() {
                let output = ParameterId(self.flat.first_output() + output);
                self.scope.store(output, index.clone(), values[result.0]);
            }
        }
    }

    /// The array that is written, where there is one only.
    pub(super) fn output(&self) -> ParameterId {
        ParameterId(self.flat.first_output())
    }

    /// What the points along the reduction axes sum up to, or their maximum or minimum.
    fn reduce(&mut self, reducer: Reducer, points: &[Point]) -> Vec<Var> {
        let dtype = self.flat.body.dtype(&|read| self.flat.reads[read].dtype);
        let registers = self.registers(points.len(), dtype, reducer.identity(dtype));
        let op = reducer.operation().expect("positions of maxima are reduced elsewhere");
        self.reductions(points, &mut |writer, points| writer.accumulate(op, &registers, &points));
        let combined = self.schedule.reduces_in_lanes();
        let read = |&register: &Register| match combined {
            true => Expression::Combine(register, reducer),
            false => Expression::Register(register),
        };
        registers.iter().map(|register| self.scope.read(read(register))).collect()
    }

    /// Takes each point into a register.
    pub(super) fn accumulate(&mut self, op: ScalarOp, registers: &[Register], points: &[Point]) {
        let scalars = &self.flat.body.scalars;
        let dtype = self.flat.body.dtype(&|read| self.flat.reads[read].dtype);
        if let Some((left, right)) = self.product(op, dtype) {
            // Copy after copy, so that few operands wait in registers: the sums do not wait for each other anyway.
            for (register, point) in registers.iter().zip(points) {
                let values = self.evaluate(&scalars[..scalars.len() - 1], std::slice::from_ref(point), &[]);
                let old = self.scope.read(Expression::Register(*register));
                let sum = self.scope.apply(ScalarOp::Fma, &[values[0][left.0], values[0][right.0], old]);
                self.scope.assign(*register, sum);
            }
            return;
        }
        let values = last(self.evaluate(scalars, points, &[]));
        for (register, value) in registers.iter().zip(values) {
            let old = self.scope.read(Expression::Register(*register));
            let new = self.scope.apply(op, &[old, value]);
            self.scope.assign(*register, new);
        }
    }

    /// The operands of the float product that the body ends with, if products are what is summed up.
    fn product(&self, op: ScalarOp, dtype: DType) -> Option<(ScalarId, ScalarId)> {
        match self.flat.body.scalars.last() {
            Some(Scalar::Apply(ScalarOp::Mul, operands)) if op == ScalarOp::Add && dtype.is_float() => {
                Some((operands[0], operands[1]))
            }
            _ => None,
        }
    }

    /// The positions of the first maxima along the one reduction axis; a NaN is above everything.
    fn positions(&mut self, points: &[Point]) -> Vec<Var> {
        let dtype = self.flat.body.dtype(&|read| self.flat.reads[read].dtype);
        let best = self.registers(points.len(), dtype, Reducer::Max.identity(dtype));
        let positions = self.registers(points.len(), DType::U32, 0.0);
        self.reductions(points, &mut |writer, points| {
            let values = last(writer.evaluate(&writer.flat.body.scalars, &points, &[]));
            for (copy, value) in values.into_iter().enumerate() {
                let index = writer.flat.argument.substitute(&points[copy], writer.scope.extents(), 0);
                let here = writer.scope.define(Expression::Index(index), DType::U32);
                let old = writer.scope.read(Expression::Register(best[copy]));
                let position = writer.scope.read(Expression::Register(positions[copy]));
                let better = writer.better(old, value, dtype);
                let value = writer.scope.apply(ScalarOp::Select, &[better, value, old]);
                let position = writer.scope.apply(ScalarOp::Select, &[better, here, position]);
                writer.scope.assign(best[copy], value);
                writer.scope.assign(positions[copy], position);
            }
        });
        positions.iter().map(|&register| self.scope.read(Expression::Register(register))).collect()
    }

    /// Whether a value comes before the best so far.
    fn better(&mut self, best: Var, value: Var, dtype: DType) -> Var {
        let above = self.scope.apply(ScalarOp::Lt, &[best, value]);
        if !dtype.is_float() {
            return above;
        }
        let nan = self.scope.apply(ScalarOp::Ne, &[value, value]);
        let none_yet = self.scope.apply(ScalarOp::Eq, &[best, best]);
        let first_nan = self.scope.apply(ScalarOp::And, &[nan, none_yet]);
        self.scope.apply(ScalarOp::Or, &[above, first_nan])
    }

    /// One register per copy, set to a number.
    pub(super) fn registers(&mut self, copies: usize, dtype: DType, start: f64) -> Vec<Register> {
        let groups = self.schedule.groups();
        let start = self.scope.constant(dtype, start);
        let registers: Vec<Register> = (0..copies).map(|_| self.scope.register(dtype, groups)).collect();
        registers.iter().for_each(|&register| self.scope.assign(register, start));
        registers
    }

    /// Runs `inner` at every point of the reduction axes.
    pub(super) fn reductions(&mut self, points: &[Point], inner: &mut dyn FnMut(&mut Self, Vec<Point>)) {
        if !self.flat.extents.contains(&0) {
            self.loops(&self.schedule.reductions, points.to_vec(), inner);
        }
    }

    /// All scalars at all points, by point; the same scalar of all points comes together, so that chains of operations that
    /// wait for each other interleave.
    pub(super) fn evaluate(&mut self, scalars: &[Scalar], points: &[Point], reduced: &[Var]) -> Vec<Vec<Var>> {
        let mut values: Vec<Vec<Var>> = vec![Vec::with_capacity(scalars.len()); points.len()];
        for scalar in scalars {
            for (copy, point) in points.iter().enumerate() {
                let var = self.scalar(scalar, point, &values[copy], reduced.get(copy).copied());
                values[copy].push(var);
            }
        }
        values
    }
}

impl Evaluate for Writer<'_> {
    type Place = Point;

    fn scope(&mut self) -> &mut Scope {
        &mut self.scope
    }

    fn axes<'p>(&self, place: &'p Point) -> &'p [Index] {
        place
    }

    fn read(&mut self, number: usize, place: &Point) -> Var {
        let read = &self.flat.reads[number];
        let index = self.position(&read.position, place);
        self.scope.define(Expression::Load { parameter: ParameterId(read.operand), index }, read.dtype.computed())
    }
}

/// Each point this many times, with neighbouring positions on an axis from the first one on.
fn copies(points: &[Point], axis: usize, first: &Index, count: usize) -> Vec<Point> {
    let mut copies = Vec::with_capacity(points.len() * count);
    for point in points {
        for copy in 0..count {
            let mut point = point.clone();
            point[axis] = first.clone().plus(&Index::constant(copy as i64));
            copies.push(point);
        }
    }
    copies
}

/// The last scalar of each copy.
pub(super) fn last(values: Vec<Vec<Var>>) -> Vec<Var> {
    values.iter().map(|values| *values.last().expect("a verified body is not empty")).collect()
}
