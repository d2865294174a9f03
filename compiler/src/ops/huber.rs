//! Huber's error: squared near the target, absolute far from it.

use super::element_loss::ElementLoss;
use super::losses::REDUCTIONS;
use super::{abs, constant_like, maximum, minimum, mul, neg, scale, sub};
use crate::graph::{Attribute, Attributes, Builder, Fill, ValueId};

/// The op.
pub static HUBER: ElementLoss = ElementLoss {
    name: "huber",
    doc: "huber {delta, reduction} (x: F<S>, y: F<S>) -> F, or F<S> without reduction: 0.5 * pow(x - y, 2) where |x - y| is at most delta, else delta * (|x - y| - 0.5 * delta); the gradient is x - y clamped to delta",
    fills: &[Fill::Between(-1.5, 1.5); 2],
    required: 2,
    whole_target: false,
    reductions: REDUCTIONS,
    attributes: || [0.7, 1.0].map(|delta| Attributes::none().with("delta", Attribute::Float(delta))).to_vec(),
    refused: |attributes| {
        let delta = attributes.float("delta");
        (delta.is_nan() || delta <= 0.0).then(|| format!("delta is above 0, not {delta}"))
    },
    scalar: |attributes, x| {
        let (delta, error) = (attributes.float("delta"), (x[0] - x[1]).abs());
        if error <= delta { 0.5 * error * error } else { delta * (error - 0.5 * delta) }
    },
    losses: |b, attributes, x| losses(b, attributes.float("delta"), x),
    slopes: |b, attributes, x| slopes(b, attributes.float("delta"), x),
};

/// m * (z - 0.5 * m), where z is the absolute error and m the smaller of it and delta.
pub fn losses(b: &mut Builder<'_>, delta: f64, x: &[ValueId]) -> ValueId {
    let difference = sub(b, x[0], x[1]);
    let error = abs(b, difference);
    let delta = constant_like(b, delta, error);
    let near = minimum(b, error, delta);
    let half = scale(b, near, 0.5);
    let rest = sub(b, error, half);
    mul(b, near, rest)
}

/// The difference, clamped to delta, for both operands.
pub fn slopes(b: &mut Builder<'_>, delta: f64, x: &[ValueId]) -> Vec<Option<ValueId>> {
    let difference = sub(b, x[0], x[1]);
    let (low, high) = (constant_like(b, -delta, difference), constant_like(b, delta, difference));
    let below = minimum(b, difference, high);
    let slope = maximum(b, below, low);
    vec![Some(slope), Some(neg(b, slope))]
}
