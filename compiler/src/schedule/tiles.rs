//! Tiles: how a contraction runs near the peak of a machine.
//!
//! A flat nest enters; what leaves is plain data, which `tiled.rs` writes as a kernel. A tile is a rectangle of sums that are
//! held in registers together: some rows, which are positions along an axis of one factor, by some groups of lanes along an
//! axis of the other, the panel factor. Each element of the row factor meets all lanes, each group of lanes meets all rows.
//! The cheapest of all ways is taken, by a count of cycles of a machine that multiplies and adds two groups of lanes each.

use super::contraction::{Contraction, contraction, in_place};
use super::flat::Flat;
use super::spread::is_worth_it;
use crate::kernel::{PART, steps};
use crate::nest::{Index, Scalar, ScalarId};
use crate::scalar::ScalarOp;
use crate::target::Target;
use std::ops::Range;

/// The rows of a tile and its groups of lanes. Their sums hide how long a multiplication takes, and with what they are fed
/// with they fit the registers of every machine: more are spilled, which is slower at any size.
const TILE: [usize; 2] = [4, 2];

/// The most products that the sums of a tile take at a time: beyond that, a panel is too far from the registers.
const DEPTH: usize = 1024;

/// How many elements of the panel factor a block takes, at most: half of what is close to a core.
const PANELS: usize = 64 * 1024;

/// How many elements of the row factor a block takes, at most.
const ROWS: usize = 32 * 1024;

/// The most scalars of an epilogue that is evaluated while other sums wait in registers.
const LONG: usize = 12;

/// How many sums of a block wait for a long epilogue: they stay close to the registers.
const SUMS: usize = 4 * 1024;

/// How many sums of a block grow in scratch, at most.
const GROWING: usize = 32 * 1024;

/// How many cycles it takes to begin and end a loop of a tile.
const LOOP: f64 = 5.0;

/// The most neighbours that are packed together.
const RUN: usize = 16;

/// The most products of a sum that is short.
const SHORT: usize = 128;

/// How many blocks there are at least, if they run in parallel.
const BLOCKS: usize = 4;

/// About how many blocks of rows there are at most.
const MOST_BLOCKS: usize = 32;

/// Elements in a line of a cache, lines in a set, and sets.
const CACHE: [usize; 3] = [16, 8, 64];

/// How many elements lie on as many pages as the machine remembers.
const PAGES: usize = 32 * 1024;

/// How many elements are further apart than what a core has for itself.
const SPAN: usize = 256 * 1024;

/// How a contraction is cut into tiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiles {
    /// The factor whose elements are read side by side.
    pub panel: Side,
    /// The axis that its tiles have columns along.
    pub axis: usize,
    /// The factor each element of which meets all lanes.
    pub row: Side,
    /// The axes that only it moves along; tiles have rows along the last one.
    pub row_axes: Vec<usize>,
    /// How many rows a tile has.
    pub rows: usize,
    /// How many groups of lanes it has.
    pub groups: usize,
    /// The columns of a tile: its groups times the lanes of the machine.
    pub columns: usize,
    /// How many panels a block has.
    pub panels: usize,
    /// How many rows a block has.
    pub block_rows: usize,
    /// How many positions along the first axis that is summed along are added at a time, if the sums of a block grow in
    /// scratch: where there are too many for one time, or too much is done with each sum for the registers.
    pub depth: Option<usize>,
    /// Whether tiles follow each other along a row of them, not down a panel: where sums are short, what is read and written
    /// for each result takes longer than the factors, and lies side by side along a row. Where sums grow in scratch, all
    /// panels of a block stay close to a core for as long, and each element of the row factor comes from far away once.
    pub along_rows: bool,
    /// Which blocks run in parallel, if any do.
    pub parallel: Option<Blocks>,
}

/// Blocks that know nothing of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// Blocks of columns, each with panels of its own.
    Columns,
    /// Blocks of rows, which share all panels.
    Rows,
}

/// A factor of a contraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// The factor, by its scalar in the body.
    pub factor: ScalarId,
    /// Whether it is copied to scratch first, in the order in which tiles read it.
    pub packed: bool,
}

/// The tiles of a nest, and the output axes that all of this runs at each point of; `None` if it is no contraction, or one
/// that is as fast point by point.
pub fn tiles(flat: &Flat, target: &Target) -> Option<(Vec<usize>, Tiles)> {
    let (cost, tiles) = cheapest(flat, target);
    let mut tiles = tiles?;
    let around = tiles.around(flat);
    if around.is_empty() && is_worth_it(cost, target) {
        tiles.spread(flat);
    }
    if is_long(flat) {
        let width = tiles.panels.max(1) * tiles.columns;
        tiles.block_rows = tiles.block_rows.min((SUMS / width).max(1).next_multiple_of(tiles.rows));
    }
    Some((around, tiles))
}

/// The tiles of a nest that take the fewest cycles, and how many; none if it is no contraction, or one that is as fast point
/// by point.
pub(super) fn cheapest(flat: &Flat, target: &Target) -> (f64, Option<Tiles>) {
    let Some(contraction) = contraction(flat) else { return (f64::INFINITY, None) };
    let mut best = (points_cost(flat, &contraction, target), None);
    for panel in [0, 1] {
        for &axis in &contraction.own[panel] {
            for packed in [[false; 2], [false, true], [true, false], [true; 2]] {
                let Some(tiles) = Tiles::new(flat, &contraction, [panel, axis], packed, target) else { continue };
                let cost = tiles.cost(flat, target);
                if cost < best.0 {
                    best = (cost, Some(tiles));
                }
            }
        }
    }
    best
}

/// How many columns a tile has.
pub(super) fn columns(target: &Target) -> usize {
    TILE[1] * target.lanes
}

impl Tiles {
    /// With columns along an axis of one factor, that factor and the other one packed or not; `None` if one that is not
    /// cannot be read where it is.
    fn new(
        flat: &Flat,
        contraction: &Contraction,
        [panel, axis]: [usize; 2],
        packed: [bool; 2],
        target: &Target,
    ) -> Option<Tiles> {
        let ([rows, groups], columns) = (TILE, columns(target));
        let [panel_factor, row_factor] = [contraction.factors[panel], contraction.factors[1 - panel]];
        let beside = in_place(flat, panel_factor).is_some_and(|position| position.stride(axis) == Some(1));
        if !packed[0] && !beside || !packed[1] && in_place(flat, row_factor).is_none() {
            return None;
        }
        let (depth, first) = (depth(flat), flat.extents[flat.outputs]);
        let row_axes = contraction.own[1 - panel].clone();
        let part = (depth > DEPTH && first > 1).then(|| parts(first, depth.div_ceil(DEPTH)));
        let at_once = part.map_or(depth, |part| depth / first * part);
        let extent = flat.extents[axis];
        let panels = if part.is_some() { extent.div_ceil(columns) } else { extent / columns };
        let panels = block(panels, PANELS / at_once / columns);
        let row_extent = row_axes.last().map_or(1, |&axis| flat.extents[axis]);
        let most_rows = if part.is_some() { GROWING / (panels * columns) } else { ROWS / depth };
        Some(Tiles {
            panel: Side { factor: panel_factor, packed: packed[0] },
            axis,
            row: Side { factor: row_factor, packed: packed[1] },
            row_axes,
            rows,
            groups,
            columns,
            panels,
            block_rows: block(row_extent, most_rows).next_multiple_of(rows),
            depth: part.or(is_long(flat).then_some(first)),
            along_rows: depth <= SHORT || part.is_some(),
            parallel: None,
        })
    }

    /// The output axes around all tiles.
    pub(super) fn around(&self, flat: &Flat) -> Vec<usize> {
        flat.output_axes().filter(|axis| *axis != self.axis && !self.row_axes.contains(axis)).collect()
    }

    /// Whether the row factor is the same all around the tiles.
    pub(super) fn rows_stay(&self, flat: &Flat) -> bool {
        let row = flat.body.part(self.row.factor);
        self.around(flat).into_iter().all(|axis| !flat.body_depends(&row, axis))
    }

    /// The axes that are summed along, by the loop that runs along them: neighbours share one where all that is read lies as
    /// if they were one axis. What is packed does.
    pub(super) fn summed(&self, flat: &Flat) -> Vec<Range<usize>> {
        let sides = [&self.panel, &self.row].into_iter().filter(|side| !side.packed);
        let positions: Vec<&Index> = sides.filter_map(|side| in_place(flat, side.factor)).collect();
        let joins = |position: &&Index, axis: usize| {
            position.stride(axis - 1) == position.stride(axis).map(|stride| stride * flat.extents[axis] as i64)
        };
        let mut loops: Vec<Range<usize>> = Vec::new();
        for axis in flat.reduction_axes() {
            match loops.last_mut() {
                Some(axes) if positions.iter().all(|position| joins(position, axis)) => axes.end = axis + 1,
                _ => loops.push(axis..axis + 1),
            }
        }
        loops
    }

    /// Cuts blocks for several threads: where tiles follow each other along rows, blocks of rows, and where the row factor is
    /// the larger one and all panels stay close to a core, so that each of its elements comes from far away once.
    fn spread(&mut self, flat: &Flat) {
        let (rows, columns) = (self.row_extent(flat), flat.extents[self.axis]);
        let panels = if self.depth.is_some() { columns.div_ceil(self.columns) } else { columns / self.columns };
        let shares_panels = self.panels >= panels && self.panel.packed && rows > columns;
        let short = self.along_rows && self.panels >= panels;
        if (short || shares_panels) && self.row_axes.len() == 1 && rows >= BLOCKS * self.rows {
            self.parallel = Some(Blocks::Rows);
            let most = (rows / if short { MOST_BLOCKS } else { BLOCKS }).max(self.rows).next_multiple_of(self.rows);
            self.block_rows = self.block_rows.min(most);
        } else if panels > 1 {
            self.parallel = Some(Blocks::Columns);
            self.panels = self.panels.min(parts(panels, BLOCKS.min(panels)));
        }
    }

    /// How many rows there are along the axis of rows.
    pub(super) fn row_extent(&self, flat: &Flat) -> usize {
        self.row_axes.last().map_or(1, |&axis| flat.extents[axis])
    }

    /// How many cycles the nest takes.
    pub(super) fn cost(&self, flat: &Flat, target: &Target) -> f64 {
        let (rows, columns) = (self.row_extent(flat), flat.extents[self.axis]);
        let (tiles, padded) = (columns.div_ceil(self.columns), columns.next_multiple_of(self.columns));
        let others: usize = self.row_axes.iter().rev().skip(1).map(|&axis| flat.extents[axis]).product();
        let own = |axis: &usize| *axis == self.axis || self.row_axes.contains(axis);
        let around: usize = flat.output_axes().filter(|axis| !own(axis)).map(|axis| flat.extents[axis]).product();
        let depth = depth(flat) as f64;
        let vector = 1.0 / target.lanes as f64;
        // The sums of a tile wait for each other for four cycles, however few they are.
        let innermost = self.summed(flat).pop().map_or(1, |axes| flat.extents[axes].iter().product());
        let step = 4.0 + distance(flat, &self.panel, 2.0) + distance(flat, &self.row, 1.0) + LOOP / innermost as f64;
        let sums = (rows.div_ceil(self.rows) * others * tiles) as f64 * depth * step;
        let pack = |side: &Side, along: Option<usize>, elements: usize, element: f64| {
            let mut axes = along.into_iter().chain([last(flat)]);
            let lanes = axes.any(|axis| computed_beside(flat, side.factor, axis));
            let computed = instructions(flat, side.factor) * if lanes { vector } else { 1.0 };
            if side.packed { elements as f64 * depth * (element + computed) } else { 0.0 }
        };
        let run = run(flat, self.panel.factor, self.axis);
        let element = match run {
            RUN => 3.0 * vector,
            1 if reads_beside(flat, self.panel.factor, last(flat)) => 1.2,
            1 => 1.5,
            _ => 3.0 / run.min(target.lanes) as f64,
        };
        let panels = pack(&self.panel, Some(self.axis), padded, element);
        let packed_rows = pack(&self.row, self.row_axes.last().copied(), rows * others, 1.2);
        let packed_rows = if self.rows_stay(flat) { packed_rows / around as f64 } else { packed_rows };
        let (results, left) = ((rows * others) as f64, columns % self.columns);
        let written = if flat.write.stride(self.axis) == Some(1) { vector } else { 1.5 };
        let scratch = match self.depth {
            Some(part) => {
                let parts = flat.extents[flat.outputs].div_ceil(part) as f64;
                results * columns as f64 * ((2.0 + 2.0 * parts) * vector + written)
            }
            // What is left of the columns goes through scratch too.
            None => results * ((columns - left) as f64 * written + left as f64 * (4.0 * vector + 1.5)),
        };
        around as f64 * (sums + panels + packed_rows + scratch)
    }
}

/// How many cycles longer a tile takes for each product because a factor is read where it is: neighbouring rows of it may
/// fall into the same few sets of the closest cache, which takes so many cycles, and lie on more lines or pages than are
/// close.
fn distance(flat: &Flat, side: &Side, conflict: f64) -> f64 {
    let [line, ways, sets] = CACHE;
    let Some(position) = in_place(flat, side.factor).filter(|_| !side.packed) else { return 0.0 };
    let last = last(flat);
    let stride = position.stride(last).unwrap_or(0).unsigned_abs() as usize;
    let depth = flat.extents[last].min(DEPTH);
    let apart = if stride.is_multiple_of(line) { (stride / line).max(1) } else { 1 };
    let different = sets / sets.min(1 << apart.trailing_zeros());
    let conflict = if stride >= line && depth > ways * different { conflict } else { 0.0 };
    conflict
        + match stride * depth {
            span if span > SPAN => 2.0,
            span if stride >= line && depth >= ways * sets || span > PAGES => 0.5,
            _ => 0.0,
        }
}

/// The size of the parts that an extent falls into, about so many: equal ones if there are such.
fn parts(extent: usize, wanted: usize) -> usize {
    let even = (wanted..=2 * wanted).find(|&parts| extent.is_multiple_of(parts));
    extent.div_ceil(even.unwrap_or(wanted)).max(1)
}

/// The size of the blocks that an extent falls into, none larger than so much.
fn block(extent: usize, most: usize) -> usize {
    parts(extent, extent.div_ceil(most.max(1)).max(1))
}

/// Whether so much is done with each sum that it waits in scratch for its turn.
pub(super) fn is_long(flat: &Flat) -> bool {
    flat.epilogue.as_ref().is_some_and(|epilogue| epilogue.scalars.len() > LONG)
}

/// How many products each sum has.
pub(super) fn depth(flat: &Flat) -> usize {
    flat.reduction_axes().map(|axis| flat.extents[axis]).product()
}

/// The last axis of all, the innermost of those that are summed along.
fn last(flat: &Flat) -> usize {
    flat.extents.len() - 1
}

/// How many cycles the operations of a factor take, but for one read.
fn instructions(flat: &Flat, factor: ScalarId) -> f64 {
    let cycles = |scalar: &Scalar| match scalar {
        Scalar::Apply(op, _) if op.is_transcendental() => 8.0,
        Scalar::Apply(ScalarOp::Div | ScalarOp::Sqrt, _) => 2.0,
        _ => 0.5,
    };
    flat.body.part(factor).scalars.iter().map(cycles).sum::<f64>() - 0.5
}

/// Whether all that a factor reads lies side by side along an axis.
pub(super) fn reads_beside(flat: &Flat, factor: ScalarId, axis: usize) -> bool {
    flat.body.part(factor).scalars.iter().all(|scalar| match scalar {
        Scalar::Read(read) => matches!(flat.reads[*read].position.stride(axis), Some(0 | 1)),
        Scalar::Index(index) => !index.uses(axis),
        Scalar::Constant(..) | Scalar::Reduced | Scalar::Apply(..) => true,
    })
}

/// How many neighbours along an output axis, beginning at a multiple of as many, a factor reads side by side: at most
/// [`RUN`], and 1 if fewer than the lanes of a part.
pub(super) fn run(flat: &Flat, factor: ScalarId, axis: usize) -> usize {
    if reads_beside(flat, factor, axis) {
        return RUN;
    }
    let beside = |length: &usize| {
        let mut extents = flat.extents.clone();
        let mut axes: Vec<Index> = (0..extents.len()).map(Index::axis).collect();
        extents.extend([extents[axis] / length, *length]);
        axes[axis] = Index::axis(axes.len()).times(*length as i64).plus(&Index::axis(axes.len() + 1));
        let last = extents.len() - 1;
        let straight = |index: &Index| index.substitute(&axes, &extents, 0).stride(last);
        flat.extents[axis].is_multiple_of(*length)
            && flat.body.part(factor).scalars.iter().all(|scalar| match scalar {
                Scalar::Read(read) => matches!(straight(&flat.reads[*read].position), Some(0 | 1)),
                Scalar::Index(index) => straight(index) == Some(0),
                Scalar::Constant(..) | Scalar::Reduced | Scalar::Apply(..) => true,
            })
    };
    [RUN, RUN / 2, PART].into_iter().find(beside).unwrap_or(1)
}

/// Whether a factor takes instructions that can run in lanes along an axis while it is packed, wherever that puts them.
pub(super) fn computed_beside(flat: &Flat, factor: ScalarId, axis: usize) -> bool {
    !matches!(flat.body.scalars[factor.0], Scalar::Read(_)) && reads_beside(flat, factor, axis)
}

/// How many cycles a contraction takes point by point: in lanes along an axis that is summed along, in lanes along the last
/// output axis, or one by one.
fn points_cost(flat: &Flat, contraction: &Contraction, target: &Target) -> f64 {
    let lanes = target.lanes;
    let points = flat.extents.iter().product::<usize>() as f64;
    let results = flat.output_axes().map(|axis| flat.extents[axis] as f64).product::<f64>();
    let instructions: f64 = contraction.factors.iter().map(|&factor| instructions(flat, factor)).sum();
    // A factor that nothing else moves along with is loaded for each product.
    let shared = contraction.own.iter().filter(|own| own.iter().all(|&axis| flat.extents[axis] == 1)).count() as f64;
    let product = 0.75 + 0.5 * shared + instructions;
    let beside = |axis: usize| contraction.factors.iter().all(|&factor| reads_beside(flat, factor, axis));
    let along = |axis: usize| {
        let steps = steps(flat.extents[axis], lanes).into_iter().sum::<usize>();
        points / flat.extents[axis] as f64 * steps as f64 * product
    };
    let combining = results * (1.5 + 0.75 * lanes as f64);
    let mut best = points * product;
    for axis in flat.reduction_axes().filter(|&axis| beside(axis)) {
        best = best.min(along(axis) + combining);
    }
    match flat.output_axes().last().filter(|&axis| beside(axis)) {
        Some(axis) => best.min(along(axis)),
        None => best,
    }
}
