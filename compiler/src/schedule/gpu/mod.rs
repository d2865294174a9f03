//! Schedules for GPUs: a flat nest enters, a kernel for blocks of threads leaves.
//!
//! What is elementwise runs in blocks of neighbouring elements, so that neighbouring threads have neighbours. What is reduced
//! runs in blocks of rows or of columns, in two stages where there are few results. Products of matrices run in tiles that go
//! through the memory of a block, on tensor cores where their operands may be rounded. Parts over rows run in blocks of rows,
//! see [`parts`]. For all else there is nothing here, and the schedules of machines with vectors serve.
//!
//! Results and what they are reduced from are counted from the first to the last, whatever axes there are: a number becomes
//! a point by quotients and remainders.

mod columns;
mod parts;
mod positions;
mod reduce;
mod tensor;
mod tiles;

pub(super) use parts::{Group, kernel as parts_kernel};

use super::apply::{Point, Writer};
use super::choose::{Schedule, choose};
use super::flat::Flat;
use super::form::{Form, Scattered, form};
use super::scope::Scope;
use crate::kernel::{Kernel, LoopKind, WARP};
use crate::nest::{Index, Reducer, unflatten};
use crate::target::{Precision, Target};

/// How many elements a thread of a block has at a time, at most.
const GROUPS: usize = 4;

/// How many values are rather looked at for every element that they may be added to than added one after the other.
const SEARCHED: usize = 1 << 27;

/// The kernel of a nest; `None` if it is none of those that are known here.
pub(super) fn kernel(flat: &Flat, name: &str, threads: usize, precision: Precision) -> Option<Kernel> {
    if flat.extents.contains(&0) {
        return None;
    }
    let form = form(flat);
    let schedule = match form {
        Form::Scattered(_) => choose(flat, &Target::gpu(threads)),
        _ => Schedule { outputs: Vec::new(), reductions: Vec::new(), form: Form::Points },
    };
    let writer = Writer { flat, schedule: &schedule, scope: Scope::new(name, flat.parameters.clone()) };
    let mut grid = Grid { writer, threads };
    match (flat.reducer, form) {
        (_, Form::Running(_) | Form::Tiled(_)) => return None,
        (_, Form::Scattered(scattered)) if grid.results().saturating_mul(grid.depth()) > SEARCHED => {
            grid.scattered(&scattered, &schedule);
        }
        (None, _) => grid.elementwise(),
        (Some(Reducer::ArgMax), _) if !grid.finds_positions() => return None,
        (Some(Reducer::ArgMax), _) => grid.positions(),
        (Some(reducer), _) => match (tensor::choose(flat, precision), tiles::choose(flat, threads)) {
            (Some(product), _) => grid.tensor(&product),
            (None, Some(tiles)) => grid.tiled(&tiles),
            (None, None) => grid.reduce(reducer),
        },
    }
    let threads = grid.threads;
    Some(Kernel { threads: Some(threads), ..grid.writer.scope.finish() })
}

/// Writes the kernel of a nest for blocks of so many threads.
struct Grid<'a> {
    writer: Writer<'a>,
    threads: usize,
}

impl Grid<'_> {
    /// How many results there are.
    fn results(&self) -> usize {
        self.writer.flat.extents[..self.writer.flat.outputs].iter().product()
    }

    /// How many points each of them is reduced from.
    fn depth(&self) -> usize {
        self.writer.flat.extents[self.writer.flat.outputs..].iter().product()
    }

    /// The point of a result by number, and of what it is reduced from.
    fn point(&self, result: &Index, reduced: &Index) -> Point {
        let flat = self.writer.flat;
        let (outputs, reductions) = flat.extents.split_at(flat.outputs);
        let extents = self.writer.scope.extents();
        let mut point = unflatten(result, outputs, extents);
        point.extend(unflatten(reduced, reductions, extents));
        point
    }

    /// How many groups of iterations of a lanes loop run together.
    fn groups(&self, extent: usize) -> usize {
        extent.div_ceil(self.threads).next_power_of_two().min(2 * GROUPS)
    }

    /// Runs `inner` in the lanes loops of blocks of neighbouring numbers.
    fn neighbours(&mut self, count: usize, inner: &mut dyn FnMut(&mut Self, &Index, usize)) {
        for piece in pieces(count, self.threads) {
            let number = piece.open(&mut self.writer.scope, self.threads);
            inner(self, &number, piece.groups(self.threads));
            self.writer.scope.close();
            self.writer.scope.close();
        }
    }

    /// Stores zero everywhere, and adds each value where it belongs, one row after the other.
    fn scattered(&mut self, scattered: &Scattered, schedule: &Schedule) {
        let flat = self.writer.flat;
        let (output, dtype) = (self.writer.output(), flat.dtype());
        self.neighbours(flat.parameters[output.0].elements, &mut |grid, number, _| {
            let zero = grid.writer.scope.constant(dtype, 0.0);
            grid.writer.scope.store(output, number.clone(), zero);
        });
        let origin = vec![Index::default(); flat.extents.len()];
        let add = &mut |writer: &mut Writer<'_>, points: Vec<Point>| writer.scattered(scattered, &points);
        self.writer.loops(&schedule.outputs, vec![origin], add);
    }

    fn elementwise(&mut self) {
        let results = self.results();
        self.neighbours(results, &mut |grid, number, _| {
            let point = grid.point(number, &Index::default());
            grid.writer.elements(vec![point]);
        });
    }
}

/// Blocks of neighbouring numbers, all of one size, and the first number.
#[derive(Clone, Copy, Debug)]
struct Piece {
    blocks: usize,
    first: usize,
    size: usize,
}

/// The blocks that numbers fall into, and the block that is left over.
fn pieces(count: usize, threads: usize) -> impl Iterator<Item = Piece> {
    let most = GROUPS * threads;
    let even = (most / 2..=most).rev().find(|size| count.is_multiple_of(*size) && size.is_multiple_of(WARP));
    let size = even.unwrap_or(most).min(count);
    let (blocks, left) = (count / size, count % size);
    let whole = Piece { blocks, first: 0, size };
    let rest = Piece { blocks: usize::from(left > 0), first: blocks * size, size: left };
    [whole, rest].into_iter().filter(|piece| piece.blocks > 0)
}

impl Piece {
    /// How many numbers a thread has at a time.
    fn groups(&self, threads: usize) -> usize {
        self.size.div_ceil(threads).next_power_of_two().min(GROUPS)
    }

    /// Opens the loop over blocks and the lanes loop in it; the number at a place in both.
    fn open(&self, scope: &mut Scope, threads: usize) -> Index {
        let block = scope.open(self.blocks, LoopKind::Parallel);
        let lane = scope.open(self.size, lanes(self.size, self.groups(threads)));
        let first = match self.blocks {
            1 => Index::constant(self.first as i64),
            _ => Index::axis(block.0).times(self.size as i64),
        };
        first.plus(&Index::axis(lane.0))
    }
}

/// Lanes of which each thread has as many neighbours as an instruction moves, if it has as many and they come out even.
fn lanes(extent: usize, groups: usize) -> LoopKind {
    let neighbours = [4, 2].into_iter().find(|&count| count <= groups && extent.is_multiple_of(count));
    LoopKind::Lanes { groups, neighbours: neighbours.unwrap_or(1) }
}

/// The size of the blocks that a number of things falls into: one that is at most so much, not far from it, and leaves
/// nothing over, of whole warps if there is such a one; else just that, and what is left over is a block of its own.
fn block(count: usize, most: usize) -> usize {
    if count <= most {
        return count;
    }
    let sizes = || (most / 4..=most).rev().filter(|size| count.is_multiple_of(*size));
    sizes().find(|size| size.is_multiple_of(WARP)).or_else(|| sizes().next()).unwrap_or(most)
}
