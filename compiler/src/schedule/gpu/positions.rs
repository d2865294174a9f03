//! Positions of maxima of long rows.
//!
//! A block has a row: first its threads find the maximum, then the first position where it stands. A NaN is above everything,
//! and is what differs from itself.

use super::{GROUPS, Grid, lanes};
use crate::dtype::DType;
use crate::kernel::{Expression, LoopKind, Register, Var};
use crate::nest::{Index, Reducer};
use crate::scalar::ScalarOp;
use crate::schedule::apply::last;

/// The shortest rows for which a block pays.
const LONG: usize = 64;

impl Grid<'_> {
    /// Whether positions are found by blocks.
    pub(super) fn finds_positions(&self) -> bool {
        self.lies_beside() && self.depth() >= LONG
    }

    /// The position of the first maximum of each row.
    pub(super) fn positions(&mut self) {
        let (results, depth, dtype) = (self.results(), self.depth(), self.dtype());
        self.fit(depth / 2);
        let row = Index::axis(self.writer.scope.open(results, LoopKind::Parallel).0);
        let row = if results > 1 { row } else { Index::default() };
        let groups = self.groups(depth);
        let held =
            (depth <= groups * self.threads && groups <= 2 * GROUPS).then(|| self.register(Reducer::Max, groups));
        let best = self.register(Reducer::Max, groups);
        let number = Index::axis(self.writer.scope.open(depth, lanes(depth, groups)).0);
        let value = self.element(&row, &number);
        if let Some(held) = held {
            self.writer.scope.assign(held, value);
        }
        let old = self.writer.scope.read(Expression::Register(best));
        let new = self.writer.scope.apply(ScalarOp::Max, &[old, value]);
        self.writer.scope.assign(best, new);
        self.writer.scope.close();
        let best = self.writer.scope.read(Expression::Combine(best, Reducer::Max));
        let first = self.first(best, held, (&row, depth), groups, dtype);
        let position = self.writer.scope.read(Expression::Combine(first, Reducer::Min));
        let point = self.point(&row, &Index::default());
        self.writer.finish(&[point], vec![position]);
        self.writer.scope.close();
    }

    /// Each thread's first position of a value.
    fn first(
        &mut self,
        best: Var,
        held: Option<Register>,
        (row, depth): (&Index, usize),
        groups: usize,
        dtype: DType,
    ) -> Register {
        let scope = &mut self.writer.scope;
        let none = scope.constant(DType::U32, Reducer::Min.identity(DType::U32));
        let first = scope.register(DType::U32, groups);
        scope.assign(first, none);
        let number = Index::axis(scope.open(depth, lanes(depth, groups)).0);
        let value = match held {
            Some(held) => scope.read(Expression::Register(held)),
            None => self.element(row, &number),
        };
        let point = self.point(row, &number);
        let argument = self.writer.flat.argument.substitute(&point, self.writer.scope.extents(), 0);
        let scope = &mut self.writer.scope;
        let mut stands = scope.apply(ScalarOp::Eq, &[value, best]);
        if dtype.is_float() {
            let nan = scope.apply(ScalarOp::Ne, &[value, value]);
            stands = scope.apply(ScalarOp::Or, &[stands, nan]);
        }
        let here = scope.define(Expression::Index(argument), DType::U32);
        let old = scope.read(Expression::Register(first));
        let earlier = scope.apply(ScalarOp::Min, &[old, here]);
        let new = scope.apply(ScalarOp::Select, &[stands, earlier, old]);
        scope.assign(first, new);
        scope.close();
        first
    }

    fn element(&mut self, row: &Index, number: &Index) -> Var {
        let point = self.point(row, number);
        last(self.writer.evaluate(&self.writer.flat.body.scalars, &[point], &[]))[0]
    }
}
