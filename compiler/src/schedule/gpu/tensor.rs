//! Products of matrices on tensor cores.
//!
//! A block has a tile of the results as a fragment, and fills the memory of the block ahead with what the sums need of both
//! factors, some positions of the axes that are summed along at a time. What is read straight is copied, 16 bytes at a time
//! where elements lie so; what is computed is stored. The fragment then goes through the memory of the block, so that
//! neighbouring threads finish neighbouring results. Tiles at the end read again what they have read instead of what is not
//! there, zeros along the sum, and store what is there.

use super::Grid;
use crate::dtype::DType;
use crate::kernel::{Expression, Factor, Fragment, LoopKind, ParameterId, Statement, Transfer, Var};
use crate::nest::{Atom, Index, Scalar, ScalarId, Term, unflatten};
use crate::scalar::ScalarOp;
use crate::schedule::apply::{Point, last};
use crate::schedule::contraction::{Contraction, contraction, products};
use crate::schedule::flat::{Flat, FlatRead};
use crate::target::Precision;

/// How many blocks keep a GPU busy: only where there are more do tiles get larger.
const BUSY: usize = 96;

/// The shortest sides and sums that are worth a tile.
const SHORT: usize = 16;

/// The most times that a thread copies several elements before it does so again, single ones, and computes one.
const MOST_GROUPS: [usize; 3] = [16, 8, 4];

/// How many bytes are copied together at most.
const TOGETHER: usize = 16;

/// How a product of matrices is cut.
pub(super) struct Product {
    rows: Side,
    columns: Side,
    /// The output axes of which each point has tiles of its own.
    around: Vec<usize>,
    /// How many positions of the axes that are summed along are staged at a time, and how many such stages there are.
    depth: usize,
    stages: usize,
    threads: usize,
    /// What the operands are staged as.
    dtype: DType,
}

/// One of the factors.
struct Side {
    factor: ScalarId,
    /// The output axes that tiles lie along, taken together.
    axes: Vec<usize>,
    /// How many positions they have together.
    extent: usize,
    /// How many of these a tile has.
    tile: usize,
    /// The operand, if it is read straight.
    read: Option<FlatRead>,
    /// Whether neighbours along the sum are staged side by side; else those along its own axes.
    along_depth: bool,
    /// How many neighbours are copied together.
    together: usize,
}

impl Side {
    fn new(flat: &Flat, contraction: &Contraction, which: usize, staged: DType) -> Option<Side> {
        let (factor, axes) = (contraction.factors[which], joined(flat, &contraction.own[which])?);
        let extent = axes.iter().map(|&axis| flat.extents[axis]).product();
        let sum = flat.extents.len() - 1;
        let own = *axes.last()?;
        let part = flat.body.part(factor);
        let mut reads = part.scalars.iter().filter_map(|scalar| match scalar {
            Scalar::Read(read) => Some(&flat.reads[*read]),
            _ => None,
        });
        let beside = |axis: usize| reads.clone().any(|read| read.position.stride(axis) == Some(1));
        let along_depth = beside(sum) && !beside(own);
        let fits = |read: &&FlatRead| read.dtype == DType::F32 || read.dtype == staged;
        let read =
            reads.next().filter(|read| part.scalars.len() == 1 && fits(read) && is_straight(flat, read)).cloned();
        let together = read.as_ref().map_or(1, |read| {
            let count = TOGETHER / read.dtype.size();
            let (axis, alone) =
                if along_depth { (sum, flat.reduction_axes().len() == 1) } else { (own, axes.len() == 1) };
            let even = |term: &Term| term.atom == Atom::Axis(axis) || term.coefficient % count as i64 == 0;
            let lies = alone
                && flat.extents[axis].is_multiple_of(count)
                && read.position.stride(axis) == Some(1)
                && read.position.offset % count as i64 == 0
                && read.position.terms.iter().all(even);
            if lies { count } else { 1 }
        });
        Some(Side { factor, axes, extent, tile: 0, read, along_depth, together })
    }

    /// How many tiles there are.
    fn tiles(&self) -> usize {
        self.extent.div_ceil(self.tile)
    }

    /// Whether the last tile is not all there.
    fn has_part(&self) -> bool {
        !self.extent.is_multiple_of(self.tile)
    }
}

/// The last of the axes that a factor has for itself, and those before it that can be taken together with it: results, and
/// what finishes them, lie along all of them as along one.
fn joined(flat: &Flat, own: &[usize]) -> Option<Vec<usize>> {
    let (&last, before) = own.split_last()?;
    let reads = flat.epilogue.iter().flat_map(|body| &body.scalars).filter_map(|scalar| match scalar {
        Scalar::Read(read) => Some(&flat.reads[*read].position),
        Scalar::Index(index) => Some(index),
        _ => None,
    });
    let indices: Vec<&Index> = reads.chain([&flat.write]).collect();
    let gathers = |index: &Index| index.any(&mut |atom| matches!(atom, Atom::Gathered { .. }));
    if indices.iter().any(|index| index.stride(last).is_none() || gathers(index)) {
        return None;
    }
    let mut axes = vec![last];
    for &axis in before.iter().rev() {
        let (next, extent) = (axes[0], flat.extents[axes[0]] as i64);
        let as_one = |index: &&Index| index.stride(axis) == index.stride(next).map(|stride| stride * extent);
        if axis + 1 != next || !indices.iter().all(as_one) {
            break;
        }
        axes.insert(0, axis);
    }
    Some(axes)
}

/// Whether a position is a sum over axes.
fn is_straight(flat: &Flat, read: &FlatRead) -> bool {
    let axis = |atom: &Atom| matches!(atom, Atom::Axis(axis) if *axis < flat.extents.len());
    read.position.terms.iter().all(|term| axis(&term.atom))
}

/// The tiles of a nest; `None` if it is no product of matrices that tensor cores may take, or a small one. Those of bf16 they
/// may take whatever the precision.
pub(super) fn choose(flat: &Flat, precision: Precision) -> Option<Product> {
    let (dtype, contraction) = match (precision, contraction(flat)) {
        (Precision::F32, Some(_)) => return None,
        (Precision::Tf32, Some(contraction)) => (DType::F32, contraction),
        (Precision::Bf16, Some(contraction)) => (DType::Bf16, contraction),
        // Products of bf16 are exact in f32.
        (_, None) => (DType::Bf16, products(flat, DType::Bf16)?),
    };
    let sum: usize = flat.extents[flat.outputs..].iter().product();
    let [first, second] = [Side::new(flat, &contraction, 0, dtype)?, Side::new(flat, &contraction, 1, dtype)?];
    let reads_halves = |side: &Side| side.read.as_ref().is_some_and(|read| read.dtype == DType::Bf16);
    if precision == Precision::F32 && !(reads_halves(&first) && reads_halves(&second)) {
        return None;
    }
    let beside = |side: &Side| side.axes.last().and_then(|&axis| flat.write.stride(axis)) == Some(1);
    let (mut rows, mut columns) = if beside(&first) && !beside(&second) { (second, first) } else { (first, second) };
    if rows.extent.min(columns.extent).min(sum) < SHORT {
        return None;
    }
    let around: Vec<usize> =
        flat.output_axes().filter(|axis| !rows.axes.contains(axis) && !columns.axes.contains(axis)).collect();
    let times: usize = around.iter().map(|&axis| flat.extents[axis]).product();
    let blocks = |tile: usize| rows.extent.div_ceil(tile) * columns.extent.div_ceil(tile) * times;
    let (tile, threads, bytes, stages) = match [128, 64].map(|tile| blocks(tile) >= BUSY) {
        [true, _] => (128, 256, 64, 4),
        [false, true] => (64, 128, 128, 3),
        [false, false] => (32, 128, 128, 4),
    };
    (rows.tile, columns.tile) = (tile, tile);
    let depth = (bytes / dtype.size()).min(sum.next_power_of_two());
    let stages = stages.min(sum.div_ceil(depth) + 1);
    Some(Product { rows, columns, around, depth, stages, threads, dtype })
}

/// A block of results: the number of its first row and of its first column, and its place on the axes around.
struct Tile {
    corner: Point,
    first: [Index; 2],
}

impl Grid<'_> {
    /// The results in tiles.
    pub(super) fn tensor(&mut self, product: &Product) {
        let Product { rows, columns, depth, dtype, .. } = product;
        let flat = self.writer.flat;
        self.threads = product.threads;
        let scope = &mut self.writer.scope;
        scope.on_threads(product.threads);
        let staged = [rows, columns].map(|side| scope.local(*dtype, side.tile * depth));
        let array = scope.local(DType::F32, rows.tile * columns.tile);
        let fragment = scope.fragment(rows.tile, columns.tile);
        let mut extents: Vec<usize> = product.around.iter().map(|&axis| flat.extents[axis]).collect();
        extents.extend([rows.tiles(), columns.tiles()]);
        let id = scope.open(extents.iter().product(), LoopKind::Parallel);
        let places = unflatten(&Index::axis(id.0), &extents, scope.extents());
        let mut corner = vec![Index::default(); flat.extents.len()];
        for (&axis, place) in product.around.iter().zip(&places) {
            corner[axis] = place.clone();
        }
        let [.., row, column] = places.as_slice() else { unreachable!("tiles have rows and columns") };
        let tile = Tile { corner, first: [row.clone(), column.clone()] };
        scope.run(Statement::Clear(fragment));
        self.contract(product, &tile, fragment, staged);
        self.writer.scope.run(Statement::Unload { fragment, array });
        self.finish_tile(product, &tile, array);
        self.writer.scope.close();
    }

    /// Sums up all products of a tile.
    fn contract(&mut self, product: &Product, tile: &Tile, fragment: Fragment, staged: [ParameterId; 2]) {
        let kind = LoopKind::Staged { stages: product.stages };
        let step = Index::axis(self.writer.scope.open(self.depth().div_ceil(product.depth), kind).0);
        let sides = [&product.rows, &product.columns];
        for (at, side) in sides.into_iter().enumerate() {
            match &side.read {
                Some(read) => self.copy(product, side, &tile.corner, (&tile.first[at], &step), read, staged[at]),
                None => self.fill(product, side, &tile.corner, (&tile.first[at], &step), staged[at]),
            }
        }
        let factor = |at: usize| Factor { array: staged[at], along_depth: sides[at].along_depth };
        let (left, right) = (factor(0), factor(1));
        self.writer.scope.run(Statement::Contract { fragment, left, right, depth: product.depth });
        self.writer.scope.close();
    }

    /// Copies what a step needs of an operand, some neighbours at a time.
    fn copy(
        &mut self,
        product: &Product,
        side: &Side,
        corner: &Point,
        place: (&Index, &Index),
        read: &FlatRead,
        to: ParameterId,
    ) {
        let count = side.together;
        let (index, point, within) = self.staging(product, side, corner, place);
        let source = read.position.substitute(&point, self.writer.scope.extents(), 0);
        let from = ParameterId(read.operand);
        self.writer.scope.run(Statement::Copy(Transfer { from, source, to, index, count, within }));
        self.writer.scope.close();
    }

    /// Computes what a step needs of a factor.
    fn fill(&mut self, product: &Product, side: &Side, corner: &Point, place: (&Index, &Index), to: ParameterId) {
        let (index, point, within) = self.staging(product, side, corner, place);
        let part = self.writer.flat.body.part(side.factor);
        let mut value = last(self.writer.evaluate(&part.scalars, std::slice::from_ref(&point), &[]))[0];
        if let Some(within) = within {
            let zero = self.writer.scope.constant(DType::F32, 0.0);
            value = self.writer.scope.apply(ScalarOp::Select, &[within, value, zero]);
        }
        self.writer.scope.store(to, index, value);
        self.writer.scope.close();
    }

    /// Opens the loop that fills the memory of a block for a side: where an iteration stores, the point that this is about, and
    /// whether there is one along the sum.
    fn staging(
        &mut self,
        product: &Product,
        side: &Side,
        corner: &Point,
        (tile, step): (&Index, &Index),
    ) -> (Index, Point, Option<Var>) {
        let (flat, sum, scope) = (self.writer.flat, self.depth(), &mut self.writer.scope);
        let (own, summed) = if side.along_depth { (1, side.together) } else { (side.together, 1) };
        let iterations = side.tile * product.depth / side.together;
        let kind = match (&side.read, side.together) {
            (Some(_), 2..) => 0,
            (Some(_), _) => 1,
            (None, _) => 2,
        };
        let groups = 1 << (iterations / self.threads).clamp(1, MOST_GROUPS[kind]).ilog2();
        let lane = Index::axis(scope.open(iterations, LoopKind::lanes(groups)).0);
        let along = (if side.along_depth { product.depth } else { side.tile } / side.together) as i64;
        let (outer, inner) = (lane.divided(along, scope.extents()), lane.modulo(along, scope.extents()));
        let (own_place, sum_place) = if side.along_depth { (&outer, &inner) } else { (&inner, &outer) };
        // Positions are counted in as many as are copied together, so that they stay together at the end.
        let number = tile.clone().times((side.tile / own) as i64).plus(own_place);
        let number = number.clamped((side.extent / own) as i64, scope.extents()).times(own as i64);
        let position = step.clone().times((product.depth / summed) as i64).plus(sum_place);
        let within = (!sum.is_multiple_of(product.depth)).then(|| {
            let here = scope.define(Expression::Index(position.clone()), DType::U32);
            let end = scope.constant(DType::U32, (sum / summed) as f64);
            scope.apply(ScalarOp::Lt, &[here, end])
        });
        let position = position.clamped((sum / summed) as i64, scope.extents()).times(summed as i64);
        let mut point = corner.clone();
        point.splice(flat.outputs.., unflatten(&position, &flat.extents[flat.outputs..], scope.extents()));
        set(flat, side, &number, scope.extents(), &mut point);
        let index = outer.times(along).plus(&inner).times(side.together as i64);
        (index, point, within)
    }

    /// Makes the results of a tile from its sums.
    fn finish_tile(&mut self, product: &Product, tile: &Tile, array: ParameterId) {
        let (flat, scope) = (self.writer.flat, &mut self.writer.scope);
        let width = product.columns.tile as i64;
        let count = product.rows.tile * product.columns.tile;
        let groups = 1 << (count / self.threads).clamp(1, super::GROUPS).ilog2();
        let lane = Index::axis(scope.open(count, LoopKind::lanes(groups)).0);
        let sum = scope.load_scratch(array, lane.clone());
        let places = [lane.divided(width, scope.extents()), lane.modulo(width, scope.extents())];
        let (mut point, mut bounds) = (tile.corner.clone(), 0);
        for (at, side) in [&product.rows, &product.columns].into_iter().enumerate() {
            let number = tile.first[at].clone().times(side.tile as i64).plus(&places[at]);
            set(flat, side, &number, scope.extents(), &mut point);
            if side.has_part() {
                scope.open_within(number, side.extent);
                bounds += 1;
            }
        }
        self.writer.finish(&[point], vec![sum]);
        (0..=bounds).for_each(|_| self.writer.scope.close());
    }
}

/// Puts a point where a side has its position of this number.
fn set(flat: &Flat, side: &Side, number: &Index, extents: &[usize], point: &mut Point) {
    let own: Vec<usize> = side.axes.iter().map(|&axis| flat.extents[axis]).collect();
    for (&axis, place) in side.axes.iter().zip(unflatten(number, &own, extents)) {
        point[axis] = place;
    }
}
