//! Products of matrices in tiles.
//!
//! A block has a tile of the results, of which each thread has a few rows and columns in registers, in steps as wide as the
//! rows and columns of threads, so that neighbouring threads have neighbours. What the sums need of both factors comes through
//! the memory of the block, some positions of the axes that are summed along at a time. Where results do not fall into whole
//! tiles, the last ones compute more than there is, from what they read again, and store what there is: their sums go through
//! the memory of the block, too.

use super::Grid;
use crate::dtype::DType;
use crate::kernel::{Expression, LoopKind, ParameterId, Register, Var};
use crate::nest::{Index, Scalar, ScalarId, unflatten};
use crate::scalar::ScalarOp;
use crate::schedule::apply::{Point, last};
use crate::schedule::contraction::contraction;
use crate::schedule::flat::Flat;

/// How many positions of the axes that are summed along go through the memory of a block at a time.
const DEPTH: usize = 16;

/// How many blocks keep a GPU busy: only where there are more do tiles get larger.
const BUSY: usize = 128;

/// The fewest products of a sum for which it pays to share what is read.
const SHORT: usize = 8;

/// How a product of matrices is cut.
pub(super) struct Tiles {
    /// What tiles have rows and columns along.
    rows: Side,
    columns: Side,
    /// The output axes of which each point has tiles of its own.
    around: Vec<usize>,
    /// How many positions of the axes that are summed along are staged at a time.
    depth: usize,
}

/// One of the factors.
struct Side {
    factor: ScalarId,
    axis: usize,
    /// How many threads share a tile along the axis, and how many positions each has.
    threads: usize,
    each: usize,
    /// Whether elements lie side by side along the last of the axes that are summed along, and not along its own.
    along_sum: bool,
}

impl Side {
    fn new(flat: &Flat, factor: ScalarId, axis: usize, threads: usize, most: usize) -> Side {
        let each = flat.extents[axis].div_ceil(threads).next_power_of_two().min(most);
        let sum = flat.extents.len() - 1;
        let beside = |axis: usize| {
            let mut scalars = flat.body.part(factor).scalars.into_iter();
            scalars.any(|scalar| match scalar {
                Scalar::Read(read) => flat.reads[read].position.stride(axis) == Some(1),
                _ => false,
            })
        };
        Side { factor, axis, threads, each, along_sum: beside(sum) && !beside(axis) }
    }

    /// How many positions a tile has.
    fn extent(&self) -> usize {
        self.threads * self.each
    }

    /// How many elements of a tile are in the memory of a block for each position that is summed along. One more than there
    /// are keeps threads apart that store along it.
    fn pitch(&self) -> usize {
        self.extent() + usize::from(self.along_sum)
    }
}

/// The tiles of a nest; `None` if it is no product of matrices.
pub(super) fn choose(flat: &Flat, threads: usize) -> Option<Tiles> {
    let contraction = contraction(flat)?;
    let depth: usize = flat.extents[flat.outputs..].iter().product();
    let (Some(&first), Some(&second)) = (contraction.own[0].last(), contraction.own[1].last()) else { return None };
    let beside = |axis: usize| flat.write.stride(axis) == Some(1);
    let regular = [first, second].iter().all(|&axis| flat.write.stride(axis).is_some());
    if !regular || depth < SHORT || flat.extents[first].min(flat.extents[second]) < 4 {
        return None;
    }
    let [row, column] = if beside(first) && !beside(second) { [1, 0] } else { [0, 1] };
    let axes = [first, second];
    let across = 1 << threads.ilog2().div_ceil(2);
    let sides = |most: usize| {
        let side =
            |which: usize, threads: usize| Side::new(flat, contraction.factors[which], axes[which], threads, most);
        (side(row, threads / across), side(column, across))
    };
    let results: usize = flat.extents[..flat.outputs].iter().product();
    let (rows, columns) = sides(8);
    let whole = |side: &Side| flat.extents[side.axis].is_multiple_of(side.extent());
    let many = results / (rows.extent() * columns.extent()) >= BUSY;
    let large = whole(&rows) && whole(&columns) && many;
    let (rows, columns) = if large { (rows, columns) } else { sides(if threads > 256 { 2 } else { 4 }) };
    let around = flat.output_axes().filter(|axis| !axes.contains(axis)).collect();
    Some(Tiles { rows, columns, around, depth: if large { DEPTH / 2 } else { DEPTH }.min(depth) })
}

/// A block of results: where it is, and how much of it there is.
struct Tile {
    corner: Point,
    rows: usize,
    columns: usize,
}

/// What a block has for itself.
struct Own {
    /// The staged elements of both factors.
    staged: [ParameterId; 2],
    /// The sums of a tile that is not all there, if there is such a tile.
    part: Option<ParameterId>,
    /// The sums of each thread, by row and column.
    sums: Vec<Vec<Register>>,
}

impl Grid<'_> {
    /// The results in whole tiles, and what is left over.
    pub(super) fn tiled(&mut self, tiles: &Tiles) {
        let flat = self.writer.flat;
        let pieces = |side: &Side| {
            let (extent, size) = (flat.extents[side.axis], side.extent());
            let whole = extent / size;
            [(whole, 0, size), (usize::from(!extent.is_multiple_of(size)), whole * size, extent % size)]
        };
        let staged =
            [&tiles.rows, &tiles.columns].map(|side| self.writer.scope.local(DType::F32, side.pitch() * tiles.depth));
        let whole = |side: &Side| flat.extents[side.axis].is_multiple_of(side.extent());
        let elements = tiles.rows.extent() * tiles.columns.extent();
        let part = !(whole(&tiles.rows) && whole(&tiles.columns));
        let part = part.then(|| self.writer.scope.local(DType::F32, elements));
        for (rows, first_row, height) in pieces(&tiles.rows) {
            for (columns, first_column, width) in pieces(&tiles.columns) {
                if rows * columns > 0 {
                    let own = Own { staged, part, sums: Vec::new() };
                    let first = [first_row, first_column];
                    self.blocks(tiles, own, [rows, columns], first, [height, width]);
                }
            }
        }
    }

    /// Blocks for so many rows and columns of tiles, the first of which is somewhere, all of the same size.
    fn blocks(&mut self, tiles: &Tiles, mut own: Own, counts: [usize; 2], first: [usize; 2], sizes: [usize; 2]) {
        let flat = self.writer.flat;
        let mut extents: Vec<usize> = tiles.around.iter().map(|&axis| flat.extents[axis]).collect();
        extents.extend(counts);
        let id = self.writer.scope.open(extents.iter().product(), LoopKind::Parallel);
        let places = unflatten(&Index::axis(id.0), &extents, self.writer.scope.extents());
        let mut corner = vec![Index::default(); flat.extents.len()];
        for (&axis, place) in tiles.around.iter().zip(&places) {
            corner[axis] = place.clone();
        }
        for (at, side) in [&tiles.rows, &tiles.columns].into_iter().enumerate() {
            let place = places[tiles.around.len() + at].clone();
            let first = Index::constant(first[at] as i64);
            corner[side.axis] = if counts[at] > 1 { place.times(sizes[at] as i64).plus(&first) } else { first };
        }
        own.sums = self.registers(tiles);
        let tile = Tile { corner, rows: sizes[0], columns: sizes[1] };
        self.sums(tiles, &tile, &own);
        match sizes == [tiles.rows.extent(), tiles.columns.extent()] {
            true => self.whole_tile(tiles, &tile, &own),
            false => self.part_of_tile(tiles, &tile, &own),
        }
        self.writer.scope.close();
    }

    /// The sums of each thread, which begin as zeros.
    fn registers(&mut self, tiles: &Tiles) -> Vec<Vec<Register>> {
        let scope = &mut self.writer.scope;
        let zero = scope.constant(DType::F32, 0.0);
        let mut sums = Vec::new();
        for _ in 0..tiles.rows.each {
            let row: Vec<Register> = (0..tiles.columns.each).map(|_| scope.register(DType::F32, 1)).collect();
            row.iter().for_each(|&register| scope.assign(register, zero));
            sums.push(row);
        }
        sums
    }

    /// Sums up all products of a tile.
    fn sums(&mut self, tiles: &Tiles, tile: &Tile, own: &Own) {
        let depth = self.depth();
        let (whole, left) = (depth / tiles.depth, depth % tiles.depth);
        let id = self.writer.scope.open(whole, LoopKind::Serial);
        self.step(tiles, tile, own, &Index::axis(id.0).times(tiles.depth as i64), tiles.depth);
        self.writer.scope.close();
        if left > 0 {
            self.step(tiles, tile, own, &Index::constant((whole * tiles.depth) as i64), left);
        }
    }

    /// Takes so many positions of the axes that are summed along, from one on.
    fn step(&mut self, tiles: &Tiles, tile: &Tile, own: &Own, first: &Index, depth: usize) {
        self.stage(&tiles.rows, tile, own.staged[0], first, depth);
        self.stage(&tiles.columns, tile, own.staged[1], first, depth);
        let (row, column) = self.thread(tiles);
        let position = Index::axis(self.writer.scope.open(depth, LoopKind::Serial).0);
        let load = |grid: &mut Self, side: &Side, staged: ParameterId, at: &Index| -> Vec<Var> {
            let place = |each: usize| {
                let step = Index::constant((each * side.threads) as i64);
                position.clone().times(side.pitch() as i64).plus(at).plus(&step)
            };
            (0..side.each).map(|each| grid.writer.scope.load_scratch(staged, place(each))).collect()
        };
        let rows = load(self, &tiles.rows, own.staged[0], &row);
        let columns = load(self, &tiles.columns, own.staged[1], &column);
        for (registers, &row) in own.sums.iter().zip(&rows) {
            for (&register, &column) in registers.iter().zip(&columns) {
                let old = self.writer.scope.read(Expression::Register(register));
                let sum = self.writer.scope.apply(ScalarOp::Fma, &[row, column, old]);
                self.writer.scope.assign(register, sum);
            }
        }
        self.writer.scope.close();
        self.writer.scope.close();
    }

    /// Opens the loop over the threads of a block: the row and column of each.
    fn thread(&mut self, tiles: &Tiles) -> (Index, Index) {
        let id = self.writer.scope.open(self.threads, LoopKind::lanes(1));
        let (lane, across) = (Index::axis(id.0), tiles.columns.threads as i64);
        let extents = self.writer.scope.extents();
        (lane.divided(across, extents), lane.modulo(across, extents))
    }

    /// Copies what the sums of a tile need of a factor to the memory of the block.
    fn stage(&mut self, side: &Side, tile: &Tile, staged: ParameterId, first: &Index, depth: usize) {
        let (pitch, flat) = (side.pitch(), self.writer.flat);
        let count = pitch * depth;
        let groups = self.groups(count);
        let id = self.writer.scope.open(count, LoopKind::lanes(groups));
        let (lane, extents) = (Index::axis(id.0), self.writer.scope.extents());
        let along = if side.along_sum { depth } else { pitch } as i64;
        let (outer, inner) = (lane.divided(along, extents), lane.modulo(along, extents));
        let (position, own) = if side.along_sum { (inner, outer) } else { (outer, inner) };
        let number = first.clone().plus(&position);
        let mut point = tile.corner.clone();
        let along_axis = point[side.axis].clone().plus(&own);
        point[side.axis] = along_axis.clamped(flat.extents[side.axis] as i64, extents);
        let reductions = unflatten(&number, &flat.extents[flat.outputs..], extents);
        point.splice(flat.outputs.., reductions);
        let part = flat.body.part(side.factor);
        let value = last(self.writer.evaluate(&part.scalars, std::slice::from_ref(&point), &[]))[0];
        self.writer.scope.store(staged, position.times(pitch as i64).plus(&own), value);
        self.writer.scope.close();
    }

    /// The results of a tile straight from the registers of each thread.
    fn whole_tile(&mut self, tiles: &Tiles, tile: &Tile, own: &Own) {
        let (row, column) = self.thread(tiles);
        for (at, registers) in own.sums.iter().enumerate() {
            let mut points = Vec::new();
            for step in 0..registers.len() {
                let rows = row.clone().plus(&Index::constant((at * tiles.rows.threads) as i64));
                let columns = column.clone().plus(&Index::constant((step * tiles.columns.threads) as i64));
                points.push(place(tiles, tile, &rows, &columns));
            }
            let read = |&register: &Register| self.writer.scope.read(Expression::Register(register));
            let sums: Vec<Var> = registers.iter().map(read).collect();
            self.writer.finish(&points, sums);
        }
        self.writer.scope.close();
    }

    /// The results of a tile that is not all there, through the memory of the block.
    fn part_of_tile(&mut self, tiles: &Tiles, tile: &Tile, own: &Own) {
        let width = tiles.columns.extent();
        let array = own.part.expect("there is memory where tiles are not all there");
        let (row, column) = self.thread(tiles);
        for (at, registers) in own.sums.iter().enumerate() {
            for (step, &register) in registers.iter().enumerate() {
                let sum = self.writer.scope.read(Expression::Register(register));
                let rows = row.clone().plus(&Index::constant((at * tiles.rows.threads) as i64));
                let columns = column.clone().plus(&Index::constant((step * tiles.columns.threads) as i64));
                self.writer.scope.store(array, rows.times(width as i64).plus(&columns), sum);
            }
        }
        self.writer.scope.close();
        let count = tile.rows * tile.columns;
        let groups = self.groups(count);
        let id = self.writer.scope.open(count, LoopKind::lanes(groups));
        let (lane, extents) = (Index::axis(id.0), self.writer.scope.extents());
        let row = lane.divided(tile.columns as i64, extents);
        let column = lane.modulo(tile.columns as i64, extents);
        let point = place(tiles, tile, &row, &column);
        let sum = self.writer.scope.load_scratch(array, row.times(width as i64).plus(&column));
        self.writer.finish(&[point], vec![sum]);
        self.writer.scope.close();
    }
}

/// The point of a result of a tile.
fn place(tiles: &Tiles, tile: &Tile, row: &Index, column: &Index) -> Point {
    let mut point = tile.corner.clone();
    point[tiles.rows.axis] = point[tiles.rows.axis].clone().plus(row);
    point[tiles.columns.axis] = point[tiles.columns.axis].clone().plus(column);
    point
}
