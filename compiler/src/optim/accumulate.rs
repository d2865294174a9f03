//! Gradients of several runs become one.

use super::minimize::{Group, updates};
use super::{Scalar, Slots};
use crate::dtype::DType;
use crate::graph::{Builder, Role, ValueId};
use crate::ops;

/// Takes the mean over this many runs in place of every gradient, and lets only the last of them update.
///
/// The slot `runs` counts the runs since the last update, the slot `gradient` of a parameter sums their gradients.
pub fn accumulate(b: &mut Builder<'_>, slots: &mut Slots, groups: &mut [Group], runs: u32) {
    let before = slots.every_run(b, "runs");
    let one = ops::constant(b, 1.0, DType::U32);
    let after = ops::add(b, before, one);
    let last = ops::constant(b, f64::from(runs), DType::U32);
    let due = ops::eq(b, after, last);
    keep_until(b, due, before, after);
    for update in updates(groups) {
        let before = slots.like(b, "gradient", update, 0.0);
        let sum = ops::add(b, before, update.gradient);
        keep_until(b, due, before, sum);
        update.gradient = Scalar::Constant(1.0 / f64::from(runs)).times(b, sum);
    }
    slots.only_where(due);
}

/// The next value of a slot, which begins again at 0 after the run that is due.
fn keep_until(b: &mut Builder<'_>, due: ValueId, slot: ValueId, next: ValueId) {
    let zero = ops::constant_like(b, 0.0, slot);
    let shape = b.shape(slot);
    let due = ops::broadcast(b, due, &shape);
    let next = ops::select(b, due, zero, next);
    b.graph().result(Role::Next(slot), next);
}
