//! Sums, maxima and minima.
//!
//! Where points that lie side by side are reduced, each block has a result, and its threads share the points. Else each
//! thread has a result, and neighbours have neighbouring ones, or the threads of a block share the points of some neighbours. Where that leaves a GPU idle, the points fall into parts, which
//! are reduced by themselves, and then in order.

use super::{GROUPS, Grid, block, lanes};
use crate::dtype::DType;
use crate::kernel::{Expression, LoopKind, ParameterId, Register, WARP};
use crate::nest::{Index, Reducer};
use crate::scalar::ScalarOp;

/// How many blocks keep a GPU busy.
const BUSY: usize = 512;

/// How many points a block has at least, if its threads share them.
const SHARED: usize = 128;

/// How many points a result has at least, and at most, if several threads of a block share them that has several results.
const TALL: usize = 32;
const DEEP: usize = 4096;

/// How many points a part has at least, for each thread that has a part of its own.
const PART: usize = 16;

impl Grid<'_> {
    /// The results of a nest that reduces.
    pub(super) fn reduce(&mut self, reducer: Reducer) {
        let (results, depth) = (self.results(), self.depth());
        let few = results.div_ceil(self.threads) < BUSY / 4;
        match self.lies_beside() && depth >= SHARED || results < self.threads / 4 && depth > results {
            true => self.by_blocks(reducer, results, depth),
            false if few && (TALL..=DEEP).contains(&depth) => {
                self.by_columns(reducer, results, depth, &mut |grid, register, result, number| {
                    let point = grid.point(result, number);
                    grid.writer.accumulate(operation(reducer), &[register], &[point]);
                });
            }
            false => self.by_threads(reducer, results, depth),
        }
    }

    /// Whether most of what is reduced lies side by side along the last axis.
    pub(super) fn lies_beside(&self) -> bool {
        let flat = self.writer.flat;
        let strides = |axis: usize| flat.reads.iter().filter(move |read| read.position.stride(axis) == Some(1)).count();
        let results = flat.outputs.checked_sub(1).map_or(0, strides);
        match flat.reduction_axes().last() {
            Some(last) => strides(last) > results && flat.extents[last] >= SHARED / 4,
            None => false,
        }
    }

    pub(super) fn dtype(&self) -> DType {
        self.writer.flat.body.dtype(&|read| self.writer.flat.reads[read].dtype)
    }

    pub(super) fn register(&mut self, reducer: Reducer, groups: usize) -> Register {
        let dtype = self.dtype();
        let identity = self.writer.scope.constant(dtype, reducer.identity(dtype));
        let register = self.writer.scope.register(dtype, groups);
        self.writer.scope.assign(register, identity);
        register
    }

    /// A block for each part of each result.
    fn by_blocks(&mut self, reducer: Reducer, results: usize, depth: usize) {
        let parts = parts(depth, BUSY / results, GROUPS * self.threads);
        self.fit(depth / parts);
        let (size, total) = (depth / parts, results * parts);
        let scratch = self.scratch(parts, results);
        let id = self.writer.scope.open(total, LoopKind::Parallel);
        let extents = self.writer.scope.extents();
        let result = Index::axis(id.0).divided(parts as i64, extents);
        let part = Index::axis(id.0).modulo(parts as i64, extents);
        let groups = self.groups(size);
        let register = self.register(reducer, groups);
        let lane = self.writer.scope.open(size, lanes(size, groups));
        let number = part.times(size as i64).plus(&Index::axis(lane.0));
        let point = self.point(&result, &number);
        self.writer.accumulate(operation(reducer), &[register], &[point]);
        self.writer.scope.close();
        let value = self.writer.scope.read(Expression::Combine(register, reducer));
        match scratch {
            None => {
                let point = self.point(&result, &Index::default());
                self.writer.finish(&[point], vec![value]);
            }
            Some(scratch) => self.writer.scope.store(scratch, Index::axis(id.0), value),
        }
        self.writer.scope.close();
        if let Some(scratch) = scratch {
            self.parts_by_blocks(reducer, scratch, parts, results);
        }
    }

    /// Takes so few threads for a block that each has something of so many points.
    pub(super) fn fit(&mut self, points: usize) {
        self.threads = points.div_ceil(GROUPS).next_power_of_two().clamp(WARP, self.threads);
    }

    /// The results from their parts, a block each.
    fn parts_by_blocks(&mut self, reducer: Reducer, scratch: ParameterId, parts: usize, results: usize) {
        let id = Index::axis(self.writer.scope.open(results, LoopKind::Parallel).0);
        let groups = self.groups(parts);
        let register = self.register(reducer, groups);
        let part = Index::axis(self.writer.scope.open(parts, lanes(parts, groups)).0);
        self.take(reducer, register, scratch, id.clone().times(parts as i64).plus(&part));
        self.writer.scope.close();
        let value = self.writer.scope.read(Expression::Combine(register, reducer));
        let point = self.point(&id, &Index::default());
        self.writer.finish(&[point], vec![value]);
        self.writer.scope.close();
    }

    /// A thread for each part of each result.
    fn by_threads(&mut self, reducer: Reducer, results: usize, depth: usize) {
        let width = block(results, self.threads);
        let blocks = results / width;
        let even = results.is_multiple_of(width);
        let parts = if even { parts(depth, BUSY / blocks, PART) } else { 1 };
        if parts == 1 {
            return self.neighbours(results, &mut |grid, number, groups| {
                let register = grid.sum(reducer, groups, number, &Index::default(), depth);
                let value = grid.writer.scope.read(Expression::Register(register));
                let point = grid.point(number, &Index::default());
                grid.writer.finish(&[point], vec![value]);
            });
        }
        let scratch = self.scratch(parts, results).expect("there is more than one part");
        let id = self.writer.scope.open(blocks * parts, LoopKind::Parallel);
        let extents = self.writer.scope.extents();
        let first = Index::axis(id.0).modulo(blocks as i64, extents).times(width as i64);
        let part = Index::axis(id.0).divided(blocks as i64, extents);
        let lane = Index::axis(self.writer.scope.open(width, LoopKind::lanes(1)).0);
        let (number, size) = (first.plus(&lane), depth / parts);
        let register = self.sum(reducer, 1, &number, &part.times(size as i64), size);
        let value = self.writer.scope.read(Expression::Register(register));
        self.writer.scope.store(scratch, Index::axis(id.0).times(width as i64).plus(&lane), value);
        self.writer.scope.close();
        self.writer.scope.close();
        self.parts_by_threads(reducer, scratch, parts, results);
    }

    /// The results from their parts, a thread each.
    fn parts_by_threads(&mut self, reducer: Reducer, scratch: ParameterId, parts: usize, results: usize) {
        if parts >= TALL {
            return self.by_columns(reducer, results, parts, &mut |grid, register, result, part| {
                grid.take(reducer, register, scratch, part.clone().times(results as i64).plus(result));
            });
        }
        self.neighbours(results, &mut |grid, number, groups| {
            let register = grid.register(reducer, groups);
            let part = Index::axis(grid.writer.scope.open(parts, LoopKind::Serial).0);
            grid.take(reducer, register, scratch, part.times(results as i64).plus(number));
            grid.writer.scope.close();
            let value = grid.writer.scope.read(Expression::Register(register));
            let point = grid.point(number, &Index::default());
            grid.writer.finish(&[point], vec![value]);
        });
    }

    /// Takes so many points of a result into a register, from one on.
    fn sum(&mut self, reducer: Reducer, groups: usize, result: &Index, first: &Index, count: usize) -> Register {
        let register = self.register(reducer, groups);
        let number = Index::axis(self.writer.scope.open(count, LoopKind::Serial).0).plus(first);
        let point = self.point(result, &number);
        self.writer.accumulate(operation(reducer), &[register], &[point]);
        self.writer.scope.close();
        register
    }

    /// Takes an element of scratch into a register.
    pub(super) fn take(&mut self, reducer: Reducer, register: Register, scratch: ParameterId, place: Index) {
        let value = self.writer.scope.load_scratch(scratch, place);
        let old = self.writer.scope.read(Expression::Register(register));
        let new = self.writer.scope.apply(operation(reducer), &[old, value]);
        self.writer.scope.assign(register, new);
    }

    /// Memory for the parts of all results, if there is more than one each.
    fn scratch(&mut self, parts: usize, results: usize) -> Option<ParameterId> {
        let dtype = self.dtype().computed();
        (parts > 1).then(|| self.writer.scope.scratch(dtype, parts * results))
    }
}

pub(super) fn operation(reducer: Reducer) -> ScalarOp {
    reducer.operation().expect("positions of maxima are reduced elsewhere")
}

/// How many parts so many points fall into, all of one size: at most as many as are wanted, and none too small.
fn parts(depth: usize, wanted: usize, least: usize) -> usize {
    let most = wanted.min(depth / least).max(1);
    (most.div_ceil(8)..=most).rev().find(|&parts| depth.is_multiple_of(parts)).unwrap_or(1)
}
