//! Moving averages of parameters, as PyTorch's `AveragedModel` takes them.

use super::{Scalar, Slots, Update, moments};
use crate::dtype::DType;
use crate::graph::{Builder, ValueId};
use crate::ops;

/// Keeps the average of a parameter in the slot `average`: after the first update the parameter itself, after every further
/// one decay * average + (1 - decay) * parameter. The slot `averaged` of the store counts the updates.
pub fn average(b: &mut Builder<'_>, slots: &mut Slots, update: &Update, next: ValueId, decay: Scalar) {
    let store = update.store(b);
    let count = slots.counter(b, store, "averaged").before;
    let zero = ops::constant(b, 0.0, DType::U32);
    let first = ops::eq(b, count, zero);
    let shape = b.shape(next);
    let first = ops::broadcast(b, first, &shape);
    let before = slots.like(b, "average", update, 0.0);
    let moved = moments::toward(b, before, next, decay);
    let after = ops::select(b, first, next, moved);
    slots.keep(b, before, after);
}
