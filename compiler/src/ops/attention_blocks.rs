//! Attention over blocks of queries, one after the other: no more scores are there at once than those of a block, so that
//! memory grows with the number of queries and not with its square.
//!
//! Rabe and Staats, "Self-attention Does Not Need O(n^2) Memory", 2021, arXiv:2112.05682.

use super::attention_rows::{Form, Gradients, Inputs, Mask};
use super::{Turns, broadcast, constant, pad, permute, reshape, scan, slice};
use crate::dtype::DType;
use crate::graph::{Builder, Call, ValueId};
use crate::shape::{Extent, Shape, Type};

/// Blocks have so many queries at least.
const ROWS: usize = 128;
/// The scores of blocks with more than that take no more bytes.
const BYTES: usize = 1 << 20;

/// How rows fall into blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    turns: usize,
    /// How many rows a block has; the last one may have some that are none.
    rows: usize,
    all: usize,
}

impl Blocks {
    /// The blocks of a call; `None` if one has all rows, or if extents are open.
    pub fn of(call: &Call, form: &Form) -> Option<Blocks> {
        let shape = form.all().known()?;
        let all = shape[form.rows_axis()];
        let most = match call.attributes.int("block") {
            0 => most_rows(shape.iter().product::<usize>() / all.max(1)),
            rows => rows as usize,
        };
        if all <= most {
            return None;
        }
        let rows = all.div_ceil(all.div_ceil(most)).next_multiple_of(8).min(most);
        Some(Blocks { turns: all.div_ceil(rows), rows, all })
    }

    /// The results of all rows.
    pub fn attended(&self, b: &mut Builder<'_>, form: &Form, inputs: &Inputs) -> ValueId {
        let of_block = form.with_rows(Extent::from(self.rows));
        let results = self.scan(b, &[], &inputs.slices(form), &inputs.invariants(), |b, leaves| {
            vec![of_block.attended(b, &inputs.of_block(leaves.slices, leaves.invariants))]
        });
        self.unstacked(b, results[0], form.rows_axis())
    }

    /// What goes back from all rows, to which these cotangents come.
    pub fn gradients(&self, b: &mut Builder<'_>, form: &Form, inputs: &Inputs, cotangent: ValueId) -> Gradients {
        let (of_block, axis) = (form.with_rows(Extent::from(self.rows)), form.rows_axis());
        let is_number = |b: &Builder<'_>, mask: &Mask| b.dtype(mask.value) != DType::Bool;
        let mask = inputs.mask.filter(|mask| is_number(b, mask));
        let mut summed = vec![inputs.keys, inputs.values];
        summed.extend(mask.filter(|mask| !mask.by_row).map(|mask| mask.value));
        let carries: Vec<ValueId> = summed.iter().map(|&x| zeros(b, x)).collect();
        let mut slices = inputs.slices(form);
        slices.push((cotangent, axis));
        let results = self.scan(b, &carries, &slices, &inputs.invariants(), |b, leaves| {
            let (&cotangent, slices) = leaves.slices.split_last().expect("the cotangents are sliced");
            let made = of_block.gradients(b, &inputs.of_block(slices, leaves.invariants), cotangent);
            let by_row = made.mask.filter(|_| summed.len() == 2);
            let added = [made.keys, made.values].into_iter().chain(made.mask.filter(|_| by_row.is_none()));
            let mut results: Vec<ValueId> =
                leaves.carries.iter().zip(added).map(|(&sum, more)| super::add(b, sum, more)).collect();
            results.push(made.queries);
            results.extend(by_row);
            results
        });
        let mut stacks = results[summed.len()..].iter().map(|&stack| self.unstacked(b, stack, axis));
        let queries = stacks.next().expect("the gradients of queries are stacked");
        let mask = mask.map(|mask| if mask.by_row { stacks.next() } else { Some(results[2]) });
        Gradients { queries, keys: results[0], values: results[1], mask: mask.flatten() }
    }

    /// The scan over the blocks.
    fn scan(
        &self,
        b: &mut Builder<'_>,
        carries: &[ValueId],
        slices: &[(ValueId, usize)],
        invariants: &[ValueId],
        make: impl FnOnce(&mut Builder<'_>, &Leaves<'_>) -> Vec<ValueId>,
    ) -> Vec<ValueId> {
        let stacks: Vec<ValueId> = slices.iter().map(|&(x, axis)| self.stacked(b, x, axis)).collect();
        let mut types: Vec<Type> = carries.iter().map(|&carry| b.ty(carry).clone()).collect();
        types.extend(stacks.iter().map(|&stack| {
            let Type { dtype, shape } = b.ty(stack);
            Type::new(*dtype, Shape::new(shape.extents()[1..].to_vec()))
        }));
        types.extend(invariants.iter().map(|&invariant| b.ty(invariant).clone()));
        let body = b.region(&types, |b, leaves| {
            let (carries, others) = leaves.split_at(carries.len());
            let (slices, invariants) = others.split_at(stacks.len());
            make(b, &Leaves { carries, slices, invariants })
        });
        let count = Extent::from(self.turns);
        let turns = Turns { body, carries: carries.len(), slices: stacks.len(), count, reverse: false };
        scan(b, &turns, &[carries, &stacks, invariants].concat())
    }

    /// A value with an axis of rows as one with blocks in front.
    fn stacked(&self, b: &mut Builder<'_>, x: ValueId, axis: usize) -> ValueId {
        let more = Extent::from(self.turns * self.rows - self.all);
        let x = pad(b, x, axis, Extent::from(0), more, 0.0);
        let mut extents = b.shape(x).extents().to_vec();
        extents.splice(axis..=axis, [self.turns, self.rows].map(Extent::from));
        let rank = extents.len();
        let x = reshape(b, x, &Shape::new(extents));
        let axes: Vec<usize> = [axis].into_iter().chain((0..rank).filter(|&other| other != axis)).collect();
        permute(b, x, &axes)
    }

    /// A value with blocks in front as one with an axis of rows.
    fn unstacked(&self, b: &mut Builder<'_>, x: ValueId, axis: usize) -> ValueId {
        let rank = b.shape(x).rank();
        let mut axes: Vec<usize> = (1..rank).collect();
        axes.insert(axis, 0);
        let x = permute(b, x, &axes);
        let mut extents = b.shape(x).extents().to_vec();
        extents.splice(axis..=axis + 1, [Extent::from(self.turns * self.rows)]);
        let x = reshape(b, x, &Shape::new(extents));
        slice(b, x, axis, Extent::from(0), Extent::from(self.all))
    }
}

/// The arguments of the body of a scan over blocks.
struct Leaves<'a> {
    carries: &'a [ValueId],
    slices: &'a [ValueId],
    invariants: &'a [ValueId],
}

impl Inputs {
    /// What differs from block to block, with its axis of rows.
    fn slices(&self, form: &Form) -> Vec<(ValueId, usize)> {
        let mask = self.mask.filter(|mask| mask.by_row);
        let slices = [(self.queries, form.rows_axis()), (self.rows, 0)].into_iter();
        slices.chain(mask.map(|mask| (mask.value, form.rows_axis()))).collect()
    }

    /// What all blocks share.
    fn invariants(&self) -> Vec<ValueId> {
        let mask = self.mask.filter(|mask| !mask.by_row).map(|mask| mask.value);
        [self.keys, self.values].into_iter().chain(mask).chain(self.key).collect()
    }

    /// The same of a block, from these in the place of those.
    fn of_block(&self, slices: &[ValueId], invariants: &[ValueId]) -> Inputs {
        let (mut slices, mut invariants) = (slices.iter().copied(), invariants.iter().copied());
        let mut slice = || slices.next().expect("a block has a slice of whatever has rows");
        let mut invariant = || invariants.next().expect("a block has whatever has no rows");
        Inputs {
            queries: slice(),
            rows: slice(),
            keys: invariant(),
            values: invariant(),
            mask: self
                .mask
                .map(|Mask { by_row, .. }| Mask { value: if by_row { slice() } else { invariant() }, by_row }),
            key: self.key.map(|_| invariant()),
        }
    }
}

/// How many rows of so many scores make a block.
fn most_rows(scores: usize) -> usize {
    (BYTES / (4 * scores.max(1))).max(ROWS)
}

/// Zeros to add gradients of a value to.
fn zeros(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    let Type { dtype, shape } = b.ty(x).clone();
    let zero = constant(b, 0.0, dtype.computed());
    broadcast(b, zero, &shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_few_scores_or_few_rows() {
        assert_eq!(most_rows(4 * 64), 1024);
        assert_eq!(most_rows(4 * 512), 128);
        assert_eq!(most_rows(1 << 20), 128);
        assert_eq!(most_rows(0), 1 << 18);
    }
}
