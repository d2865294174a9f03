//! Binary cross-entropy of probabilities.

use super::element_loss::ElementLoss;
use super::losses::REDUCTIONS;
use super::{add, constant_like, div, log, log1p, maximum, mul, neg, sub};
use crate::graph::{Attributes, Builder, Fill, ValueId};

/// The least that a logarithm counts, as in PyTorch: so a loss is at most 100.
const LEAST_LOGARITHM: f64 = -100.0;

/// The least divisor of the gradient, as in PyTorch.
const LEAST_DIVISOR: f64 = 1e-12;

/// The op.
pub static BCE: ElementLoss = ElementLoss {
    name: "bce",
    doc: "bce {reduction} (x: F<S>, y: F<S>, w: F<S>) -> F, or F<S> without reduction: -w * (y * log(x) + (1 - y) * log(1 - x)), where each logarithm is at least -100 and w is 1 if left out; the gradient of x is w * (x - y) / max(x * (1 - x), 1e-12)",
    fills: &[Fill::Between(0.1, 0.9), Fill::Between(0.0, 1.0), Fill::Between(0.5, 2.0)],
    required: 2,
    whole_target: false,
    reductions: REDUCTIONS,
    attributes: || vec![Attributes::none()],
    refused: |_| None,
    scalar: |_, x| {
        let logarithm = |x: f64| x.ln().max(LEAST_LOGARITHM);
        -x.get(2).unwrap_or(&1.0) * (x[1] * logarithm(x[0]) + (1.0 - x[1]) * logarithm(1.0 - x[0]))
    },
    losses: |b, _, x| {
        let losses = unweighted(b, x);
        weighted(b, losses, x)
    },
    slopes: |b, _, x| {
        let (one, least) = (constant_like(b, 1.0, x[0]), constant_like(b, LEAST_DIVISOR, x[0]));
        let (rest, difference) = (sub(b, one, x[0]), sub(b, x[0], x[1]));
        let product = mul(b, x[0], rest);
        let divisor = maximum(b, product, least);
        let slope = div(b, difference, divisor);
        let (log_x, log_rest) = logarithms(b, x[0]);
        let by_target = sub(b, log_rest, log_x);
        let mut slopes = vec![Some(weighted(b, slope, x)), Some(weighted(b, by_target, x))];
        if x.len() > 2 {
            slopes.push(Some(unweighted(b, x)));
        }
        slopes
    },
};

fn unweighted(b: &mut Builder<'_>, x: &[ValueId]) -> ValueId {
    let (log_x, log_rest) = logarithms(b, x[0]);
    let one = constant_like(b, 1.0, x[1]);
    let rest = sub(b, one, x[1]);
    let (of_x, of_rest) = (mul(b, x[1], log_x), mul(b, rest, log_rest));
    let total = add(b, of_x, of_rest);
    neg(b, total)
}

/// Times the weights, if there are any.
fn weighted(b: &mut Builder<'_>, losses: ValueId, x: &[ValueId]) -> ValueId {
    x.get(2).map_or(losses, |&weight| mul(b, losses, weight))
}

/// log(x) and log(1 - x), at least -100 each.
fn logarithms(b: &mut Builder<'_>, x: ValueId) -> (ValueId, ValueId) {
    let least = constant_like(b, LEAST_LOGARITHM, x);
    let (log_x, minus) = (log(b, x), neg(b, x));
    let log_rest = log1p(b, minus);
    (maximum(b, log_x, least), maximum(b, log_rest, least))
}
