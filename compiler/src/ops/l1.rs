//! The absolute error.

use super::element_loss::ElementLoss;
use super::losses::REDUCTIONS;
use super::{abs, neg, sign, sub};
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
