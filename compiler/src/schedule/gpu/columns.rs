//! Results side by side, each from points that several threads of a block share.
//!
//! The threads of a block fall into rows as long as the block has results. Each row takes every so many-th of the points, and
//! what the rows have goes through the memory of the block, to be taken together in order.

use super::Grid;
use super::reduce::operation;
use crate::dtype::DType;
use crate::kernel::{Expression, LoopKind, ParameterId, Register, Var};
use crate::nest::{Index, Reducer};
use crate::scalar::ScalarOp;
use crate::schedule::scope::Scope;

/// How many results a block has where there are many, and where there are few: no fewer than memory moves at a time.
const WIDTHS: [usize; 2] = [32, 8];

/// How many blocks are many.
const MANY: usize = 128;

/// Who writes a kernel with columns.
pub(super) trait Columns {
    fn scope(&mut self) -> &mut Scope;
    fn threads(&self) -> usize;
}

impl Columns for Grid<'_> {
    fn scope(&mut self) -> &mut Scope {
        &mut self.writer.scope
    }

    fn threads(&self) -> usize {
        self.threads
    }
}

/// How columns are reduced.
#[derive(Clone, Copy)]
pub(super) struct Reduced {
    pub(super) op: ScalarOp,
    pub(super) dtype: DType,
    /// What changes nothing.
    pub(super) identity: f64,
    /// How many points each column has.
    pub(super) depth: usize,
}

/// Takes a point of a result into a register: the number of the result, that of the point.
pub(super) type Take<'t, W> = &'t mut dyn FnMut(&mut W, Register, &Index, &Index);

/// Stores a result by number.
pub(super) type Finish<'t, W> = &'t mut dyn FnMut(&mut W, &Index, Var);

/// Reduces so many columns, each to one result.
pub(super) fn columns<W: Columns>(
    writer: &mut W,
    reduced: Reduced,
    results: usize,
    take: Take<'_, W>,
    finish: Finish<'_, W>,
) {
    let width = if results / WIDTHS[0] >= MANY { WIDTHS[0] } else { WIDTHS[1] };
    let (whole, left) = (results / width, results % width);
    for (blocks, first, width) in [(whole, 0, width), (usize::from(left > 0), whole * width, left)] {
        if blocks == 0 {
            continue;
        }
        let rows = (writer.threads() / width).min(reduced.depth);
        let local = writer.scope().local(reduced.dtype, rows * width);
        let id = writer.scope().open(blocks, LoopKind::Parallel);
        let first = match blocks {
            1 => Index::constant(first as i64),
            _ => Index::axis(id.0).times(width as i64),
        };
        let register = begun(writer, reduced);
        points(writer, reduced, (register, &first), (rows, width), take);
        let (row, column) = rows_and_columns(writer, rows, width);
        let value = writer.scope().read(Expression::Register(register));
        writer.scope().store(local, row.times(width as i64).plus(&column), value);
        writer.scope().close();
        together(writer, reduced, (local, &first), (rows, width), finish);
        writer.scope().close();
    }
}

fn begun<W: Columns>(writer: &mut W, reduced: Reduced) -> Register {
    let identity = writer.scope().constant(reduced.dtype, reduced.identity);
    let register = writer.scope().register(reduced.dtype, 1);
    writer.scope().assign(register, identity);
    register
}

/// Each row of threads takes its points, all rows as often, and then some of them once more.
fn points<W: Columns>(
    writer: &mut W,
    reduced: Reduced,
    (register, first): (Register, &Index),
    (rows, width): (usize, usize),
    take: Take<'_, W>,
) {
    let (turns, left) = (reduced.depth / rows, reduced.depth % rows);
    for (begun, turns, rows) in [(0, turns, rows), (turns * rows, usize::from(left > 0), left)] {
        if turns == 0 {
            continue;
        }
        let (row, column) = rows_and_columns(writer, rows, width);
        let turn = match turns {
            1 => Index::default(),
            _ => Index::axis(writer.scope().open(turns, LoopKind::Serial).0).times(rows as i64),
        };
        let number = turn.plus(&row).plus(&Index::constant(begun as i64));
        take(writer, register, &first.clone().plus(&column), &number);
        if turns > 1 {
            writer.scope().close();
        }
        writer.scope().close();
    }
}

/// Opens a loop over so many rows of columns; where it is.
fn rows_and_columns<W: Columns>(writer: &mut W, rows: usize, width: usize) -> (Index, Index) {
    let thread = Index::axis(writer.scope().open(rows * width, LoopKind::lanes(1)).0);
    let extents = writer.scope().extents();
    (thread.divided(width as i64, extents), thread.modulo(width as i64, extents))
}

/// Each column of what the rows have in one, in order.
fn together<W: Columns>(
    writer: &mut W,
    reduced: Reduced,
    (local, first): (ParameterId, &Index),
    (rows, width): (usize, usize),
    finish: Finish<'_, W>,
) {
    let register = begun(writer, reduced);
    let column = Index::axis(writer.scope().open(width, LoopKind::lanes(1)).0);
    let row = match rows {
        1 => Index::default(),
        _ => Index::axis(writer.scope().open(rows, LoopKind::Serial).0),
    };
    let value = writer.scope().load_scratch(local, row.times(width as i64).plus(&column));
    let old = writer.scope().read(Expression::Register(register));
    let new = writer.scope().apply(reduced.op, &[old, value]);
    writer.scope().assign(register, new);
    if rows > 1 {
        writer.scope().close();
    }
    let value = writer.scope().read(Expression::Register(register));
    finish(writer, &first.clone().plus(&column), value);
    writer.scope().close();
}

impl Grid<'_> {
    /// The results from so many points each, whatever is taken of them.
    pub(super) fn by_columns(&mut self, reducer: Reducer, results: usize, depth: usize, take: Take<'_, Self>) {
        let dtype = self.dtype();
        let identity = reducer.identity(dtype);
        let reduced = Reduced { op: operation(reducer), dtype: dtype.computed(), identity, depth };
        columns(self, reduced, results, take, &mut |grid, result, value| {
            let point = grid.point(result, &Index::default());
            grid.writer.finish(&[point], vec![value]);
        });
    }
}
