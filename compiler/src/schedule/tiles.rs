//! Tiles: how a contraction runs near the peak of a machine.
//!
//! A flat nest enters; what leaves is plain data, which `tiled.rs` writes as a kernel. A tile is a rectangle of sums that are
//! held in registers together: some rows, which are positions along an axis of one factor, by some groups of lanes along an
//! axis of the other, the panel factor. Each element of the row factor meets all lanes, each group of lanes meets all rows.
//! The cheapest of all ways is taken, by a count of cycles of a machine that multiplies and adds two groups of lanes each.

use super::contraction::{Contraction, contraction, in_place};
use super::flat::Flat;
use crate::nest::{Scalar, ScalarId};
use crate::target::Target;

/// The rows of a tile and its groups of lanes. Their sums hide how long a multiplication takes, and with what they are fed
/// with they fit the registers of every machine: more are spilled, which is slower at any size.
const TILE: [usize; 2] = [4, 2];

/// The sums of so many products of a tile need operands that stay close to the registers.
const DEPTH: usize = 400;

/// How many elements of the panel factor a block takes, at most: half of what is close to a core.
const BLOCK: usize = 64 * 1024;

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
    /// How tiles form blocks; `None` where each tile is summed up and written at once.
    pub blocks: Option<Blocks>,
}

/// A factor of a contraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// The factor, by its scalar in the body.
    pub factor: ScalarId,
    /// Whether it is copied to scratch first, in the order in which tiles read it.
    pub packed: bool,
}

/// A rectangle of tiles whose sums stay in scratch until they are whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// How many tiles side by side.
    pub panels: usize,
    /// How many rows.
    pub rows: usize,
    /// How many positions along the first axis that is summed along are added at a time.
    pub depth: usize,
}

/// The tiles of a nest, and the output axes that all of this runs at each point of; `None` if it is no contraction, or one
/// that is as fast point by point.
pub fn tiles(flat: &Flat, target: &Target) -> Option<(Vec<usize>, Tiles)> {
    let contraction = contraction(flat)?;
    let mut best = (points_cost(flat, &contraction, target), None);
    for panel in [0, 1] {
        for &axis in &contraction.own[panel] {
            let tiles = Tiles::new(flat, &contraction, panel, axis, target);
            let cost = tiles.cost(flat, target);
            if cost < best.0 {
                best = (cost, Some(tiles));
            }
        }
    }
    let tiles = best.1?;
    let around = flat.output_axes().filter(|axis| *axis != tiles.axis && !tiles.row_axes.contains(axis)).collect();
    Some((around, tiles))
}

impl Tiles {
    /// With columns along an axis of one factor.
    fn new(flat: &Flat, contraction: &Contraction, panel: usize, axis: usize, target: &Target) -> Tiles {
        let [rows, groups] = TILE;
        let columns = groups * target.lanes;
        let [panel_factor, row_factor] = [contraction.factors[panel], contraction.factors[1 - panel]];
        let beside = in_place(flat, panel_factor).is_some_and(|position| position.stride(axis) == Some(1));
        let row_axes = contraction.own[1 - panel].clone();
        let mut tiles = Tiles {
            panel: Side { factor: panel_factor, packed: !beside },
            axis,
            row: Side { factor: row_factor, packed: in_place(flat, row_factor).is_none() },
            row_axes,
            rows,
            groups,
            columns,
            blocks: None,
        };
        if depth(flat) > DEPTH || flat.write.stride(axis) != Some(1) {
            tiles.blocks = Some(tiles.in_blocks(flat));
        }
        tiles
    }

    fn in_blocks(&self, flat: &Flat) -> Blocks {
        let (rows, panels) = (self.row_extent(flat), flat.extents[self.axis].div_ceil(self.columns));
        // Equal parts, as far as they go.
        let first = flat.extents[flat.outputs];
        let parts = depth(flat).div_ceil(DEPTH).min(first);
        Blocks {
            panels: (BLOCK / depth(flat) / self.columns).clamp(1, panels),
            rows: rows.min(64),
            depth: first.div_ceil(parts),
        }
    }

    /// How many rows there are along the axis of rows.
    pub(super) fn row_extent(&self, flat: &Flat) -> usize {
        self.row_axes.last().map_or(1, |&axis| flat.extents[axis])
    }

    /// How many cycles the nest takes.
    fn cost(&self, flat: &Flat, target: &Target) -> f64 {
        let (rows, columns) = (self.row_extent(flat), flat.extents[self.axis]);
        let (tiles, padded) = (columns.div_ceil(self.columns), columns.next_multiple_of(self.columns));
        let others: usize = self.row_axes.iter().rev().skip(1).map(|&axis| flat.extents[axis]).product();
        let own = |axis: &usize| *axis == self.axis || self.row_axes.contains(axis);
        let around: usize = flat.output_axes().filter(|axis| !own(axis)).map(|axis| flat.extents[axis]).product();
        let depth = depth(flat) as f64;
        let vector = 1.0 / target.lanes as f64;
        // The sums of a tile wait for each other for four cycles, however few they are.
        let sums = (rows.div_ceil(self.rows) * others * tiles) as f64 * depth * 4.0;
        let pack = |side: &Side, elements: usize, vector: f64| match side.packed {
            true => elements as f64 * depth * vector * factor_cost(flat, side.factor),
            false => 0.0,
        };
        let straight = reads_beside(flat, self.panel.factor, self.axis);
        let panels = pack(&self.panel, padded, if straight { vector } else { 1.0 });
        let packed_rows = pack(&self.row, rows * others, 1.0);
        let written = (rows * others * columns) as f64;
        let beside = flat.write.stride(self.axis) == Some(1);
        let scratch = match self.blocks {
            Some(blocks) => {
                let parts = flat.extents[flat.outputs].div_ceil(blocks.depth) as f64;
                written * ((2.0 + 2.0 * parts) * vector + if beside { vector } else { 1.5 })
            }
            // What is left of the columns goes through scratch too.
            None => written * vector + (rows * others * (columns % self.columns)) as f64 * 1.5,
        };
        around as f64 * (sums + panels + packed_rows + scratch)
    }
}

/// How many products each sum has.
pub(super) fn depth(flat: &Flat) -> usize {
    flat.reduction_axes().map(|axis| flat.extents[axis]).product()
}

/// The instructions that an element of a factor takes.
fn factor_cost(flat: &Flat, factor: ScalarId) -> f64 {
    1.0 + 0.5 * flat.body.part(factor).scalars.len() as f64
}

/// Whether all that a factor reads lies side by side along an axis.
pub(super) fn reads_beside(flat: &Flat, factor: ScalarId, axis: usize) -> bool {
    flat.body.part(factor).scalars.iter().all(|scalar| match scalar {
        Scalar::Read(read) => matches!(flat.reads[*read].position.stride(axis), Some(0 | 1)),
        Scalar::Index(index) => !index.uses(axis),
        Scalar::Constant(..) | Scalar::Reduced | Scalar::Apply(..) => true,
    })
}

/// How many cycles a contraction takes point by point: in lanes along an axis that is summed along, in lanes along the last
/// output axis, or one by one.
fn points_cost(flat: &Flat, contraction: &Contraction, target: &Target) -> f64 {
    let lanes = target.lanes;
    let points = flat.extents.iter().product::<usize>() as f64;
    let results = flat.output_axes().map(|axis| flat.extents[axis] as f64).product::<f64>();
    let instructions: f64 = contraction.factors.iter().map(|&factor| factor_cost(flat, factor) - 1.5).sum();
    // A factor that nothing else moves along with is loaded for each product.
    let shared = contraction.own.iter().filter(|own| own.iter().all(|&axis| flat.extents[axis] == 1)).count() as f64;
    let product = 0.55 + 0.5 * shared + instructions;
    let beside = |axis: usize| contraction.factors.iter().all(|&factor| reads_beside(flat, factor, axis));
    let along = |axis: usize| {
        let (whole, left) = (flat.extents[axis] / lanes, flat.extents[axis] % lanes);
        points / flat.extents[axis] as f64 * (whole as f64 + left as f64) * product
    };
    let combining = results * (3.0 + lanes as f64);
    let mut best = points * product;
    for axis in flat.reduction_axes().filter(|&axis| beside(axis)) {
        best = best.min(along(axis) + combining);
    }
    match flat.output_axes().last().filter(|&axis| beside(axis)) {
        Some(axis) => best.min(along(axis)),
        None => best,
    }
}
