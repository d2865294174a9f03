//! Writing contractions tile by tile.
//!
//! Within the loops around all tiles, blocks of columns come first, then blocks of rows, then parts of the axis that is summed
//! along; within those, panel by panel and tile by tile. So a panel stays close to the registers while all rows of a block
//! meet it, and neither blocks of columns nor blocks of rows know of each other.

mod packing;

use super::apply::{Point, Writer, last};
use super::tiles::{Blocks, Tiles, depth, is_long};
use crate::dtype::DType;
use crate::kernel::{Expression, LoopId, LoopKind, ParameterId, Var};
use crate::nest::{Index, ScalarId, flatten};
use crate::scalar::ScalarOp;

/// A contraction while it is written, in the loops around all tiles.
pub(super) struct Tiling<'w, 'a> {
    writer: &'w mut Writer<'a>,
    tiles: &'w Tiles,
    /// The row factor in scratch, row by row, if it is packed.
    rows: Option<ParameterId>,
}

/// Neighbouring columns of the result.
struct Columns {
    first: Index,
    count: usize,
    /// The panel factor of these columns in scratch, panel by panel, if it is packed.
    packed: Option<ParameterId>,
}

/// Neighbouring rows of the result.
struct Rows {
    first: Index,
    count: usize,
}

/// A tile in its lanes loop.
struct Tile<'c> {
    columns: &'c Columns,
    /// The panel, counted from the first of the columns.
    panel: Index,
    lanes: LoopId,
    rows: Rows,
    /// The point of each row.
    points: Vec<Point>,
}

/// The sums of a block in scratch, row by row.
#[derive(Clone, Copy)]
struct Sums {
    array: ParameterId,
    /// Columns of all panels, the last one whole.
    columns: usize,
}

impl Sums {
    fn place(&self, row: &Index, column: &Index) -> Index {
        row.clone().times(self.columns as i64).plus(column)
    }
}

impl<'a> Writer<'a> {
    /// All output elements at a point of the loops around all tiles.
    pub(super) fn tiled(&mut self, tiles: &Tiles, point: &Point) {
        let mut tiling = Tiling { writer: self, tiles, rows: None };
        tiling.pack_rows(point);
        let extent = tiling.writer.flat.extents[tiles.axis];
        let width = tiles.panels * tiles.columns;
        match tiles.depth {
            Some(depth) => {
                let packed = tiles.panel.packed || !extent.is_multiple_of(tiles.columns);
                let packed = packed.then(|| tiling.panels(tiles.panels.min(extent.div_ceil(tiles.columns))));
                tiling.blocks(extent, width, &mut |tiling, first, count| {
                    tiling.part_by_part(point, &Columns { first, count, packed }, depth);
                });
            }
            None => tiling.at_once(point, extent, width),
        }
    }
}

impl Tiling<'_, '_> {
    /// Runs `inner` for neighbours, this many at a time, and for what is left over.
    fn chunks(&mut self, extent: usize, size: usize, inner: &mut dyn FnMut(&mut Self, Index, usize)) {
        let (whole, left) = (extent / size, extent % size);
        match whole {
            0 => {}
            1 => inner(self, Index::default(), size),
            _ => {
                let id = self.writer.scope.open(whole, LoopKind::Serial);
                inner(self, Index::axis(id.0).times(size as i64), size);
                self.writer.scope.close();
            }
        }
        if left > 0 {
            inner(self, Index::constant((whole * size) as i64), left);
        }
    }

    /// Runs `inner` for blocks of neighbouring columns, in parallel if the tiles say so.
    fn blocks(&mut self, extent: usize, size: usize, inner: &mut dyn FnMut(&mut Self, Index, usize)) {
        match self.tiles.parallel {
            Some(Blocks::Columns) => self.parallel_chunks(extent, size, inner),
            Some(Blocks::Rows) | None => self.chunks(extent, size, inner),
        }
    }

    /// Runs `inner` for neighbours, this many at a time and all at once, and for what is left over.
    fn parallel_chunks(&mut self, extent: usize, size: usize, inner: &mut dyn FnMut(&mut Self, Index, usize)) {
        let (whole, left) = (extent / size, extent % size);
        if whole > 0 {
            let id = self.writer.scope.open(whole, LoopKind::Parallel);
            inner(self, Index::axis(id.0).times(size as i64), size);
            self.writer.scope.close();
        }
        if left > 0 {
            self.writer.scope.open(1, LoopKind::Parallel);
            inner(self, Index::constant((whole * size) as i64), left);
            self.writer.scope.close();
        }
    }

    /// Memory that a block has for itself.
    fn own(&mut self, elements: usize) -> ParameterId {
        match self.tiles.parallel.is_some() || self.writer.scope.is_parallel() {
            true => self.writer.scope.local(DType::F32, elements),
            false => self.writer.scope.scratch(DType::F32, elements),
        }
    }

    /// Memory for what all blocks of rows share.
    fn shared(&mut self, elements: usize) -> ParameterId {
        match self.tiles.parallel {
            Some(Blocks::Rows) => self.writer.scope.scratch(DType::F32, elements),
            Some(Blocks::Columns) | None => self.own(elements),
        }
    }

    /// Memory for so many panels.
    fn panels(&mut self, panels: usize) -> ParameterId {
        self.shared(panels * self.tiles.columns * depth(self.writer.flat))
    }

    /// The number of a point along the axes that are summed along.
    fn number(&self, point: &Point) -> Index {
        let outputs = self.writer.flat.outputs;
        flatten(&point[outputs..], &self.writer.flat.extents[outputs..])
    }

    /// The number of a point along the axes that only rows move along.
    fn row_number(&self, point: &Point) -> Index {
        let axes = &self.tiles.row_axes;
        let index: Vec<Index> = axes.iter().map(|&axis| point[axis].clone()).collect();
        let extents: Vec<usize> = axes.iter().map(|&axis| self.writer.flat.extents[axis]).collect();
        flatten(&index, &extents)
    }

    /// Runs `inner` at every point of the axes of rows but the last.
    fn other_rows(&mut self, point: &Point, inner: &mut dyn FnMut(&mut Self, &Point)) {
        let axes = self.tiles.row_axes.split_last().map_or(&[][..], |(_, others)| others);
        let mut point = point.clone();
        let mut ids = Vec::new();
        for &axis in axes {
            let id = self.writer.scope.open(self.writer.flat.extents[axis], LoopKind::Serial);
            point[axis] = Index::axis(id.0);
            ids.push(id);
        }
        inner(self, &point);
        ids.iter().for_each(|_| self.writer.scope.close());
    }

    /// Columns in whole panels need no scratch for sums: each tile is written when it is summed up. What is left of the
    /// columns is one panel that is filled up with zeros.
    fn at_once(&mut self, point: &Point, extent: usize, width: usize) {
        let left = extent % self.tiles.columns;
        if extent > left {
            let packed = self.tiles.panel.packed.then(|| self.panels(self.tiles.panels));
            self.blocks(extent - left, width, &mut |tiling, first, count| {
                let columns = Columns { first, count, packed };
                tiling.pack_panels(point, &columns);
                tiling.row_blocks(point, &mut |tiling, point, rows| tiling.whole_tiles(point, rows, &columns));
            });
        }
        if left > 0 {
            let packed = Some(self.panels(1));
            self.blocks(left, left, &mut |tiling, first, count| {
                let first = first.plus(&Index::constant((extent - left) as i64));
                let columns = Columns { first, count, packed };
                tiling.part_by_part(point, &columns, tiling.writer.flat.extents[tiling.writer.flat.outputs]);
            });
        }
    }

    fn whole_tiles(&mut self, point: &Point, rows: &Rows, columns: &Columns) {
        let depth = self.writer.flat.extents[self.writer.flat.outputs];
        self.for_each_tile(point, rows, columns, &mut |tiling, tile| {
            let zero = tiling.writer.scope.constant(DType::F32, 0.0);
            let sums = tiling.sum(tile, vec![zero; tile.rows.count], &Index::default(), depth);
            tiling.writer.finish(&tile.points, sums);
        });
    }

    /// Runs `inner` for each block of rows.
    fn row_blocks(&mut self, point: &Point, inner: &mut dyn FnMut(&mut Self, &Point, &Rows)) {
        let extent = self.tiles.row_axes.last().map_or(1, |&axis| self.writer.flat.extents[axis]);
        self.other_rows(point, &mut |tiling, point| {
            let parallel = tiling.tiles.parallel == Some(Blocks::Rows);
            let chunks = if parallel { Self::parallel_chunks } else { Self::chunks };
            chunks(tiling, extent, tiling.tiles.block_rows, &mut |tiling, first, count| {
                inner(tiling, point, &Rows { first, count });
            });
        });
    }

    /// Columns whose sums grow in scratch.
    fn part_by_part(&mut self, point: &Point, columns: &Columns, depth: usize) {
        self.pack_panels(point, columns);
        let width = self.tiles.columns;
        let all = columns.count.next_multiple_of(width);
        let array = self.own(all * self.tiles.block_rows);
        self.row_blocks(point, &mut |tiling, point, rows| {
            let sums = Sums { array, columns: all };
            tiling.block(point, rows, columns, sums, depth);
        });
    }

    /// The sums of a block, and then its results.
    fn block(&mut self, point: &Point, rows: &Rows, columns: &Columns, sums: Sums, part: usize) {
        let depth = self.writer.flat.extents[self.writer.flat.outputs];
        let whole = part >= depth;
        if !whole {
            self.zero(sums.array, rows.count * sums.columns);
        }
        self.chunks(depth, part, &mut |tiling, start, depth| {
            tiling.for_each_tile(point, rows, columns, &mut |tiling, tile| {
                let width = tiling.tiles.columns as i64;
                let column = tile.panel.clone().times(width).plus(&Index::axis(tile.lanes.0));
                let place = |row: usize| {
                    let row = tile.rows.first.clone().plus(&Index::constant(row as i64));
                    sums.place(&row, &column)
                };
                let scope = &mut tiling.writer.scope;
                let mut start_of = |row: usize| match whole {
                    true => scope.constant(DType::F32, 0.0),
                    false => scope.load_scratch(sums.array, place(row)),
                };
                let starts = (0..tile.rows.count).map(&mut start_of).collect();
                for (row, sum) in tiling.sum(tile, starts, &start, depth).into_iter().enumerate() {
                    tiling.writer.scope.store(sums.array, place(row), sum);
                }
            });
        });
        self.finish(point, rows, columns, sums);
    }

    /// Runs `inner` in the lanes loop of each tile of these rows and columns.
    fn for_each_tile(
        &mut self,
        point: &Point,
        rows: &Rows,
        columns: &Columns,
        inner: &mut dyn FnMut(&mut Self, &Tile<'_>),
    ) {
        let (panels, height) = (columns.count.div_ceil(self.tiles.columns), self.tiles.rows);
        let mut tile = |tiling: &mut Self, panel: &Index, first: &Index, count: usize| {
            tiling.tile(point, (rows, first, count), (columns, panel), inner);
        };
        match self.tiles.along_rows {
            true => self.chunks(rows.count, height, &mut |tiling, first, count| {
                tiling.chunks(panels, 1, &mut |tiling, panel, _| tile(tiling, &panel, &first, count));
            }),
            false => self.chunks(panels, 1, &mut |tiling, panel, _| {
                tiling.chunks(rows.count, height, &mut |tiling, first, count| tile(tiling, &panel, &first, count));
            }),
        }
    }

    /// Runs `inner` in the lanes loop of the tile that has so many rows from the first one on, of a panel.
    fn tile(
        &mut self,
        point: &Point,
        (rows, first, count): (&Rows, &Index, usize),
        (columns, panel): (&Columns, &Index),
        inner: &mut dyn FnMut(&mut Self, &Tile<'_>),
    ) {
        let (width, groups) = (self.tiles.columns, self.tiles.groups);
        let lanes = self.writer.scope.open(width, LoopKind::lanes(groups));
        let mut corner = point.clone();
        corner[self.tiles.axis] = panel.clone().times(width as i64).plus(&Index::axis(lanes.0)).plus(&columns.first);
        let row = |row: usize| rows.first.clone().plus(first).plus(&Index::constant(row as i64));
        let points = (0..count).map(|at| self.at_row(&corner, row(at))).collect();
        let rows = Rows { first: first.clone(), count };
        inner(self, &Tile { columns, panel: panel.clone(), lanes, rows, points });
        self.writer.scope.close();
    }

    /// The point at a position along the axis of rows.
    fn at_row(&self, point: &Point, row: Index) -> Point {
        let mut point = point.clone();
        if let Some(&axis) = self.tiles.row_axes.last() {
            point[axis] = row;
        }
        point
    }

    /// The sums of a tile: what they start with and the products for some positions along the first axis that is summed
    /// along.
    fn sum(&mut self, tile: &Tile<'_>, starts: Vec<Var>, start: &Index, depth: usize) -> Vec<Var> {
        let scope = &mut self.writer.scope;
        let registers: Vec<_> = starts.iter().map(|_| scope.register(DType::F32, self.tiles.groups)).collect();
        for (register, start) in registers.iter().zip(starts) {
            scope.assign(*register, start);
        }
        let id = scope.open(depth, LoopKind::Serial);
        let first = self.writer.flat.outputs;
        let mut points = tile.points.clone();
        points.iter_mut().for_each(|point| point[first] = start.clone().plus(&Index::axis(id.0)));
        let others: Vec<usize> = self.writer.flat.reduction_axes().skip(1).collect();
        for &axis in &others {
            let id = self.writer.scope.open(self.writer.flat.extents[axis], LoopKind::Serial);
            points.iter_mut().for_each(|point| point[axis] = Index::axis(id.0));
        }
        let panel = self.panel_element(tile, &points[0]);
        for (register, point) in registers.iter().zip(&points) {
            let row = self.row_element(point);
            let old = self.writer.scope.read(Expression::Register(*register));
            let sum = self.writer.scope.apply(ScalarOp::Fma, &[row, panel, old]);
            self.writer.scope.assign(*register, sum);
        }
        (0..=others.len()).for_each(|_| self.writer.scope.close());
        registers.iter().map(|&register| self.writer.scope.read(Expression::Register(register))).collect()
    }

    fn panel_element(&mut self, tile: &Tile<'_>, point: &Point) -> Var {
        let Some(packed) = tile.columns.packed else { return self.factor(self.tiles.panel.factor, point) };
        let place = self.packed_place(point, &Index::axis(tile.lanes.0), &tile.panel);
        self.writer.scope.load_scratch(packed, place)
    }

    fn row_element(&mut self, point: &Point) -> Var {
        let Some(packed) = self.rows else { return self.factor(self.tiles.row.factor, point) };
        let place = self.row_place(point);
        self.writer.scope.load_scratch(packed, place)
    }

    /// A factor at a point.
    fn factor(&mut self, factor: ScalarId, point: &Point) -> Var {
        let part = self.writer.flat.body.part(factor);
        last(self.writer.evaluate(&part.scalars, std::slice::from_ref(point), &[]))[0]
    }

    /// Stores zero to the first elements of scratch.
    fn zero(&mut self, scratch: ParameterId, elements: usize) {
        let scope = &mut self.writer.scope;
        let zero = scope.constant(DType::F32, 0.0);
        let id = scope.open(elements, LoopKind::lanes(4));
        scope.store(scratch, Index::axis(id.0), zero);
        scope.close();
    }

    /// Makes the results of a block from its sums.
    fn finish(&mut self, point: &Point, rows: &Rows, columns: &Columns, sums: Sums) {
        let beside = self.writer.flat.write.stride(self.tiles.axis) == Some(1);
        let (outer, inner) = if beside { (rows.count, columns.count) } else { (columns.count, rows.count) };
        let vectors = inner * self.tiles.groups / self.tiles.columns;
        let groups = 1 << vectors.clamp(1, if is_long(self.writer.flat) { 2 } else { 4 }).ilog2();
        let outer = Index::axis(self.writer.scope.open(outer, LoopKind::Serial).0);
        let inner = Index::axis(self.writer.scope.open(inner, LoopKind::lanes(groups)).0);
        let (row, column) = if beside { (outer, inner) } else { (inner, outer) };
        let mut point = self.at_row(point, rows.first.clone().plus(&row));
        point[self.tiles.axis] = columns.first.clone().plus(&column);
        let sum = self.writer.scope.load_scratch(sums.array, sums.place(&row, &column));
        self.writer.finish(&[point], vec![sum]);
        self.writer.scope.close();
        self.writer.scope.close();
    }
}
