//! The divergence of Kullback and Leibler of a prediction, given as logarithms, from a target.

use super::element_loss::ElementLoss;
use super::{add, constant_like, eq, exp, log, mul, neg, select, sub};
use crate::graph::{Attribute, Attributes, Builder, Fill, ValueId};

/// The op.
pub static KL_DIV: ElementLoss = ElementLoss {
    name: "kl_div",
    doc: "kl_div {log_target, reduction} (x: F<S>, y: F<S>) -> F, or F<S> without reduction: y * (log(y) - x), 0 for the first product where y is 0; with log_target exp(y) * (y - x); batchmean divides the sum by the extent of axis 0. The gradients are -y and log(y) + 1 - x, or -exp(y) and exp(y) * (y - x + 1)",
    fills: &[Fill::Between(-3.0, -0.2), Fill::Between(0.1, 0.9)],
    required: 2,
    whole_target: false,
    reductions: &["mean", "sum", "none", "batchmean"],
    attributes: || [false, true].map(|log| Attributes::none().with("log_target", Attribute::Bool(log))).to_vec(),
    refused: |_| None,
    scalar: |attributes, x| match attributes.bool("log_target") {
        true => x[1].exp() * (x[1] - x[0]),
        false if x[1] == 0.0 => -x[1] * x[0],
        false => x[1] * x[1].ln() - x[1] * x[0],
    },
    losses: |b, attributes, x| {
        let (target, logarithm) = target(b, attributes, x[1]);
        let difference = sub(b, logarithm, x[0]);
        mul(b, target, difference)
    },
    slopes: |b, attributes, x| {
        let (target, logarithm) = target(b, attributes, x[1]);
        let (one, zero) = (constant_like(b, 1.0, x[0]), constant_like(b, 0.0, x[0]));
        let difference = sub(b, logarithm, x[0]);
        let slope = add(b, difference, one);
        let slope = if attributes.bool("log_target") {
            mul(b, target, slope)
        } else {
            // The logarithm has no slope at 0: what the target's own part of the loss adds there is left out.
            let nothing = eq(b, x[1], zero);
            let minus = neg(b, x[0]);
            select(b, nothing, minus, slope)
        };
        vec![Some(neg(b, target)), Some(slope)]
    },
};

/// The target and its logarithm, 0 for that of 0.
fn target(b: &mut Builder<'_>, attributes: &Attributes, y: ValueId) -> (ValueId, ValueId) {
    if attributes.bool("log_target") {
        return (exp(b, y), y);
    }
    let (zero, one) = (constant_like(b, 0.0, y), constant_like(b, 1.0, y));
    let nothing = eq(b, y, zero);
    let safe = select(b, nothing, one, y);
    (y, log(b, safe))
}
