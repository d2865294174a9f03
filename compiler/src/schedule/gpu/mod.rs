//! Schedules for GPUs: a flat nest enters, a kernel for blocks of threads leaves.
//!
//! What is elementwise runs in blocks of neighbouring elements, so that neighbouring threads have neighbours. What is reduced
//! runs in blocks of rows or of columns, in two stages where there are few results. Products of matrices run in tiles that go
//! through the memory of a block, on tensor cores where their operands may be rounded. For all else there is nothing here, and the schedules of machines with vectors serve.
//!
//! Results and what they are reduced from are counted from the first to the last, whatever axes there are: a number becomes
//! a point by quotients and remainders.

mod reduce;
mod tensor;
mod tiles;

use super::apply::{Point, Writer};
use super::choose::Schedule;
use super::flat::Flat;
use super::form::{Form, form};
use super::scope::Scope;
use crate::kernel::{Kernel, LoopKind, WARP};
use crate::nest::{Index, Reducer, unflatten};
use crate::target::Precision;

/// How many elements a thread of a block has at a time, at most.
const GROUPS: usize = 4;

/// The kernel of a nest; `None` if it is none of those that are known here.
pub(super) fn kernel(flat: &Flat, name: &str, threads: usize, precision: Precision) -> Option<Kernel> {
    if flat.extents.contains(&0) || form(flat) != Form::Points || flat.reducer == Some(Reducer::ArgMax) {
        return None;
    }
    let schedule = Schedule { outputs: Vec::new(), reductions: Vec::new(), form: Form::Points };
    let writer = Writer { flat, schedule: &schedule, scope: Scope::new(name, flat.parameters.clone()) };
    let mut grid = Grid { writer, threads };
    match flat.reducer {
        None => grid.elementwise(),
        Some(reducer) => match (tensor::choose(flat, precision), tiles::choose(flat, threads)) {
            (Some(product), _) => grid.tensor(&product),
            (None, Some(tiles)) => grid.tiled(&tiles),
            (None, None) => grid.reduce(reducer),
        },
    }
    Some(grid.writer.scope.finish())
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

    /// How many groups of iterations of a lanes loop run together: a power of two, none of which is empty.
    fn groups(&self, extent: usize) -> usize {
        1 << (extent / self.threads).clamp(1, GROUPS).ilog2()
    }

    /// Runs `inner` in the lanes loops of blocks of neighbouring numbers.
    fn neighbours(&mut self, count: usize, inner: &mut dyn FnMut(&mut Self, &Index, usize)) {
        let size = block(count, GROUPS * self.threads);
        let (whole, left) = (count / size, count % size);
        for (blocks, first, size) in [(whole, 0, size), (usize::from(left > 0), whole * size, left)] {
            if blocks == 0 {
                continue;
            }
            let groups = self.groups(size);
            let block = self.writer.scope.open(blocks, LoopKind::Parallel);
            let lane = self.writer.scope.open(size, LoopKind::Lanes { groups });
            let first =
                if blocks > 1 { Index::axis(block.0).times(size as i64) } else { Index::constant(first as i64) };
            inner(self, &first.plus(&Index::axis(lane.0)), groups);
            self.writer.scope.close();
            self.writer.scope.close();
        }
    }

    fn elementwise(&mut self) {
        let results = self.results();
        self.neighbours(results, &mut |grid, number, _| {
            let point = grid.point(number, &Index::default());
            grid.writer.elements(vec![point]);
        });
    }
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
