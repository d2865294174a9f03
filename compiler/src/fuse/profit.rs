//! What should be fused: whether the composed nest is worth it. That it means the same is assumed.

use super::Reason;
use crate::nest::{Nest, Scalar};
use crate::scalar::ScalarOp;

/// How many operations a kernel may have. Beyond that its values no longer fit the registers of any machine, and nothing is
/// won by keeping another one out of memory. Random numbers take some 130 of them, of which few are alive at once.
const MOST_OPERATIONS: usize = 256;

/// What recomputing may cost per element, in additions, to save a trip through memory.
const CHEAP: usize = 4;

/// Whether an elementwise producer with one read should be part of its consumer.
pub fn should_inline(producer: &Nest, consumer: &Nest) -> Result<(), Reason> {
    if consumer.reducer.is_some() {
        return Err(Reason::ConsumerReduces);
    }
    let operations = producer.body.scalars.len() + consumer.body.scalars.len();
    if operations > MOST_OPERATIONS {
        return Err(Reason::TooLarge(operations));
    }
    let points = |nest: &Nest| nest.extents.iter().product::<usize>();
    let (elements, points) = (points(producer), points(consumer));
    if points > elements && cost(producer) > CHEAP {
        return Err(Reason::Recomputed { elements, points });
    }
    Ok(())
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
