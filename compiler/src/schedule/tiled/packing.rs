//! Packing: factors in scratch, in the order in which tiles read them.
//!
//! What a factor is made of is computed here, once for each element. It runs in lanes along an axis that all of it lies side
//! by side along, be it stored apart.

use super::{Columns, Tiling};
use crate::dtype::DType;
use crate::kernel::{LoopKind, ParameterId};
use crate::nest::{Index, Scalar};
use crate::schedule::apply::Point;
use crate::schedule::contraction::in_place;
use crate::schedule::tiles::{Blocks, computed_beside, depth, reads_beside, run};

/// How many neighbouring elements of a column are copied together when a panel is packed.
const LINE: usize = 16;

/// How many lines of a column follow each other when rows are packed: what comes from far away comes side by side.
const LINES: usize = 4;

/// From how many elements on rows in scratch are so far apart that neighbours do not fall into the same sets of a cache.
const FAR: usize = 256;

/// How long an axis is at most that a panel is packed all along for each step of what is around.
const TOGETHER: usize = 4;

impl Tiling<'_, '_> {
    /// Copies the row factor to scratch, row by row, if it is packed.
    pub(super) fn pack_rows(&mut self, point: &Point) {
        if !self.tiles.row.packed {
            return;
        }
        let flat = self.writer.flat;
        let rows: usize = self.tiles.row_axes.iter().map(|&axis| flat.extents[axis]).product();
        let packed = match self.writer.scope.is_parallel() {
            true => self.writer.scope.local(DType::F32, rows * row_stride(depth(flat))),
            false => self.writer.scope.scratch(DType::F32, rows * row_stride(depth(flat))),
        };
        self.rows = Some(packed);
        let factor = self.tiles.row.factor;
        let beside = reads_beside(flat, factor, flat.extents.len() - 1);
        let across = !beside && self.tiles.row_axes.last().is_some_and(|&axis| computed_beside(flat, factor, axis));
        let extent = self.tiles.row_axes.last().map_or(1, |&axis| flat.extents[axis]);
        // Where neighbouring elements of a row are apart, those of neighbouring rows may be on one line. More of them are taken
        // where rows are as far apart as the next ones: else each place would take divisions.
        let even = in_place(flat, factor).zip(self.tiles.row_axes.last());
        let even = even.is_some_and(|(position, &axis)| position.stride(axis).is_some());
        let (together, line) = if beside { (1, 1) } else { (if even { LINES * LINE } else { LINE }, LINE) };
        let alone = self.tiles.row_axes.len() < 2;
        let around = self.writer.schedule.outputs.iter().any(|level| level.kind == LoopKind::Parallel);
        let parallel = self.tiles.parallel.is_some() || around && !self.writer.scope.is_parallel();
        self.other_rows(point, &mut |tiling, point| {
            let chunks = if parallel && alone { Self::parallel_chunks } else { Self::chunks };
            chunks(tiling, extent, together, &mut |tiling, first, count| {
                let mut corner = point.clone();
                for axis in flat.reduction_axes() {
                    let last = axis + 1 == flat.extents.len();
                    let groups = tiling.tiles.groups;
                    let kind = if last && beside { LoopKind::lanes(groups) } else { LoopKind::Serial };
                    corner[axis] = Index::axis(tiling.writer.scope.open(flat.extents[axis], kind).0);
                }
                tiling.chunks(count, line, &mut |tiling, start, count| {
                    tiling.neighbours(count, across, &mut |tiling, row| {
                        let point = tiling.at_row(&corner, first.clone().plus(&start).plus(row));
                        let value = tiling.factor(factor, &point);
                        let place = tiling.row_place(&point);
                        tiling.writer.scope.store(packed, place, value);
                    });
                });
                flat.reduction_axes().for_each(|_| tiling.writer.scope.close());
                tiling.zeros_between(packed, &tiling.at_row(point, first), count);
            });
        });
    }

    /// Fills what lies between packed rows, this many from a point on.
    fn zeros_between(&mut self, packed: ParameterId, point: &Point, count: usize) {
        let depth = depth(self.writer.flat);
        let between = row_stride(depth) - depth;
        if between == 0 {
            return;
        }
        let row = Index::axis(self.writer.scope.open(count, LoopKind::Serial).0);
        let column = Index::axis(self.writer.scope.open(between, LoopKind::lanes(1)).0);
        let stride = row_stride(depth) as i64;
        let place = self.row_number(point).plus(&row).times(stride).plus(&column).plus(&Index::constant(depth as i64));
        let zero = self.writer.scope.constant(DType::F32, 0.0);
        self.writer.scope.store(packed, place, zero);
        (0..2).for_each(|_| self.writer.scope.close());
    }

    /// Runs `inner` for a few neighbours, in lanes or one after the other.
    fn neighbours(&mut self, count: usize, lanes: bool, inner: &mut dyn FnMut(&mut Self, &Index)) {
        if !lanes {
            return (0..count).for_each(|neighbour| inner(self, &Index::constant(neighbour as i64)));
        }
        let id = self.writer.scope.open(count, LoopKind::lanes(1));
        inner(self, &Index::axis(id.0));
        self.writer.scope.close();
    }

    pub(super) fn row_place(&self, point: &Point) -> Index {
        self.row_number(point).times(row_stride(depth(self.writer.flat)) as i64).plus(&self.number(point))
    }

    /// Copies the panel factor of columns to scratch, if it is packed: panel by panel, each in the order in which tiles read
    /// it. What a panel has no column for is zero.
    pub(super) fn pack_panels(&mut self, point: &Point, columns: &Columns) {
        let Some(packed) = columns.packed else { return };
        let width = self.tiles.columns;
        let parallel = self.tiles.parallel == Some(Blocks::Rows);
        let chunks = if parallel { Self::parallel_chunks } else { Self::chunks };
        chunks(self, columns.count, width, &mut |tiling, first, count| {
            let panel = first.divided(width as i64, tiling.writer.scope.extents());
            let mut point = point.clone();
            point[tiling.tiles.axis] = columns.first.clone().plus(&first);
            tiling.pack_panel(&point, count, packed, &panel);
        });
    }

    /// Copies a panel, the first column of which is at a point.
    fn pack_panel(&mut self, point: &Point, count: usize, packed: ParameterId, panel: &Index) {
        let (flat, axis, width) = (self.writer.flat, self.tiles.axis, self.tiles.columns);
        let last = flat.extents.len() - 1;
        let mut corner = point.clone();
        for (position, &extent) in corner.iter_mut().zip(&flat.extents).take(last).skip(flat.outputs) {
            *position = Index::axis(self.writer.scope.open(extent, LoopKind::Serial).0);
        }
        let run = run(flat, self.tiles.panel.factor, axis).min(width);
        let beside = |axis: usize| reads_beside(flat, self.tiles.panel.factor, axis);
        let computed = count == width && computed_beside(flat, self.tiles.panel.factor, last);
        let short = flat.extents[last] <= TOGETHER && last > flat.outputs;
        let copied = matches!(flat.body.scalars[self.tiles.panel.factor.0], Scalar::Read(_));
        let line = if copied || computed { LINE } else { TOGETHER };
        match (run > 1 && count == width, !copied || beside(last) && !short) {
            (true, _) => self.pack_runs(corner, run, packed, panel),
            // Column by column, a few elements of each: so a line is done with before the next one is needed.
            (false, true) => self.chunks(flat.extents[last], line, &mut |tiling, first, elements| {
                for (columns, inside) in [(count, true), (width - count, false)] {
                    if columns == 0 {
                        continue;
                    }
                    let id = tiling.writer.scope.open(columns, LoopKind::Serial);
                    let column = Index::axis(id.0).plus(&Index::constant(if inside { 0 } else { count as i64 }));
                    tiling.neighbours(elements, computed, &mut |tiling, element| {
                        corner[last] = first.clone().plus(element);
                        tiling.copy_or_zero(&corner, column.clone(), inside, packed, panel);
                    });
                    tiling.writer.scope.close();
                }
            }),
            (false, false) => {
                let together = if short { flat.extents[last] } else { 1 };
                self.pack_together(corner, count, together, packed, panel);
            }
        }
        (flat.outputs..last).for_each(|_| self.writer.scope.close());
    }

    /// Copies all columns of a panel, so many at a time that lie side by side.
    fn pack_runs(&mut self, mut corner: Point, run: usize, packed: ParameterId, panel: &Index) {
        let (flat, width) = (self.writer.flat, self.tiles.columns);
        let last = flat.extents.len() - 1;
        corner[last] = Index::axis(self.writer.scope.open(flat.extents[last], LoopKind::Serial).0);
        let groups = (self.tiles.groups * run / width).max(1);
        for first in (0..width).step_by(run) {
            let id = self.writer.scope.open(run, LoopKind::lanes(groups));
            let column = Index::axis(id.0).plus(&Index::constant(first as i64));
            self.copy(&corner, column, packed, panel);
            self.writer.scope.close();
        }
        self.writer.scope.close();
    }

    /// Copies so many elements of every column of a panel at a time.
    fn pack_together(&mut self, mut corner: Point, count: usize, together: usize, packed: ParameterId, panel: &Index) {
        let (width, last) = (self.tiles.columns, corner.len() - 1);
        self.chunks(self.writer.flat.extents[last], together, &mut |tiling, first, elements| {
            for (element, column) in (0..elements).flat_map(|element| (0..width).map(move |at| (element, at))) {
                corner[last] = first.clone().plus(&Index::constant(element as i64));
                tiling.copy_or_zero(&corner, Index::constant(column as i64), column < count, packed, panel);
            }
        });
    }

    fn copy_or_zero(&mut self, point: &Point, column: Index, inside: bool, packed: ParameterId, panel: &Index) {
        match inside {
            true => self.copy(point, column, packed, panel),
            false => {
                let zero = self.writer.scope.constant(DType::F32, 0.0);
                let place = self.packed_place(point, &column, panel);
                self.writer.scope.store(packed, place, zero);
            }
        }
    }

    /// Copies an element of a panel whose first column is at a point.
    fn copy(&mut self, point: &Point, column: Index, packed: ParameterId, panel: &Index) {
        let place = self.packed_place(point, &column, panel);
        let mut point = point.clone();
        point[self.tiles.axis] = point[self.tiles.axis].clone().plus(&column);
        let value = self.factor(self.tiles.panel.factor, &point);
        self.writer.scope.store(packed, place, value);
    }

    pub(super) fn packed_place(&self, point: &Point, column: &Index, panel: &Index) -> Index {
        let row = panel.clone().times(depth(self.writer.flat) as i64).plus(&self.number(point));
        row.times(self.tiles.columns as i64).plus(column)
    }
}

/// How far apart rows of so many elements lie in scratch: an odd number of lines where they are long, since rows that are a
/// power of two apart would fall into few sets of a cache.
fn row_stride(depth: usize) -> usize {
    if depth < FAR { depth } else { (depth.div_ceil(LINE) | 1) * LINE }
}
