//! What should be fused: whether the composed nest is worth it. That it means the same is assumed.

use super::Reason;
use super::cluster::is_contraction;
use super::compose::in_epilogue_only;
use crate::nest::{Nest, Scalar};
use crate::scalar::ScalarOp;

/// How many operations a kernel may have. Beyond that its values no longer fit the registers of any machine, and nothing is
/// won by keeping another one out of memory. Random numbers take some 130 of them, of which few are alive at once.
const MOST_OPERATIONS: usize = 256;

/// What recomputing may cost per element, in additions, to save a trip through memory.
const CHEAP: usize = 4;

/// Whether an elementwise producer with one read should be part of its consumer.
pub fn should_inline(producer: &Nest, consumer: &Nest, read: usize) -> Result<(), Reason> {
    if is_contraction(consumer) && !in_epilogue_only(consumer, read) {
        return Err(Reason::ConsumerMultiplies);
    }
    let operations = producer.body.scalars.len() + consumer.body.scalars.len();
    if operations > MOST_OPERATIONS {
        return Err(Reason::TooLarge(operations));
    }
    let elements = producer.extents.iter().product::<usize>();
    let axes = if in_epilogue_only(consumer, read) { consumer.outputs } else { consumer.extents.len() };
    let points = consumer.extents[..axes].iter().product::<usize>();
    if points > elements && cost(producer) > CHEAP {
        return Err(Reason::Recomputed { elements, points });
    }
    Ok(())
}

/// How many operations what follows a product of matrices may have: more of them would wait for registers longer than for
/// memory.
const MOST_RIDING: usize = 64;

/// Whether nests should be one kernel, of which the first is a product of matrices and the others follow it.
pub fn should_ride<'n>(nests: impl Iterator<Item = &'n Nest>) -> bool {
    nests.skip(1).map(|nest| nest.body.scalars.len()).sum::<usize>() <= MOST_RIDING
}

/// How many operations the parts of a kernel may have together; they need not all be alive at once.
const MOST_TOGETHER: usize = 4 * MOST_OPERATIONS;

/// The most points of a kernel that takes about as long as its launch.
pub const SMALL: usize = 1 << 12;

/// How many bytes the values of a row may take that a kernel keeps for itself: they stay in the second-level cache of any
/// machine, beside what the row reads. A part whose values need no scratch counts too.
const MOST_SCRATCH: usize = 64 << 10;

/// Whether nests should be one kernel, over so many leading axes.
pub fn should_cluster(nests: &[&Nest], shared: usize) -> bool {
    let operations: usize = nests.iter().map(|nest| nest.body.scalars.len()).sum();
    let bytes = |nest: &&Nest| {
        let elements = nest.extents[shared.min(nest.outputs)..nest.outputs].iter().product::<usize>();
        elements * nest.dtype.size()
    };
    let scratch: usize = if shared > 0 { nests.iter().map(bytes).sum() } else { 0 };
    operations <= MOST_TOGETHER && scratch <= MOST_SCRATCH
}

/// What one evaluation of the body costs, in additions.
fn cost(nest: &Nest) -> usize {
    let cost = |scalar: &Scalar| match scalar {
        Scalar::Apply(op, _) => match op {
            op if op.is_transcendental() => 16,
            ScalarOp::Div | ScalarOp::Sqrt => 4,
            _ => 1,
        },
        _ => 0,
    };
    nest.body.scalars.iter().map(cost).sum()
}
