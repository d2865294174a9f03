//! The absolute error.

use super::element_loss::ElementLoss;
use super::losses::REDUCTIONS;
use super::{abs, constant_like, lt, neg, select, sub};
use crate::graph::{Attributes, Builder, Fill, ValueId};

/// The op.
pub static L1: ElementLoss = ElementLoss {
    name: "l1",
    doc: "l1 {reduction} (x: F<S>, y: F<S>) -> F, or F<S> without reduction: |x - y|; the gradient is the sign of x - y, 0 where both are equal",
    fills: &[Fill::Distinct; 2],
    required: 2,
    whole_target: false,
    reductions: REDUCTIONS,
    attributes: || vec![Attributes::none()],
    refused: |_| None,
    scalar: |_, x| if x[0] > x[1] { x[0] - x[1] } else { x[1] - x[0] },
    losses: |b, _, x| losses(b, x),
    slopes: |b, _, x| slopes(b, x),
};

/// |x - y|.
pub fn losses(b: &mut Builder<'_>, x: &[ValueId]) -> ValueId {
    let difference = sub(b, x[0], x[1]);
    abs(b, difference)
}

/// The sign of the difference, for both operands.
pub fn slopes(b: &mut Builder<'_>, x: &[ValueId]) -> Vec<Option<ValueId>> {
    let difference = sub(b, x[0], x[1]);
    let slope = sign(b, difference);
    vec![Some(slope), Some(neg(b, slope))]
}

/// 1 above 0, -1 below, 0 at 0.
pub fn sign(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    let [zero, one, minus] = [0.0, 1.0, -1.0].map(|number| constant_like(b, number, x));
    let (positive, negative) = (lt(b, zero, x), lt(b, x, zero));
    let otherwise = select(b, negative, minus, zero);
    select(b, positive, one, otherwise)
}
