//! The smooth rectifier.

use super::activation::{Activation, where_above};
use super::{abs, add, constant_like, exp, log1p, maximum, mul, neg, scale, sigmoid};
use crate::graph::{Builder, Fill, ValueId};

/// The op.
pub static SOFTPLUS: Activation = Activation {
    name: "softplus",
    doc: "softplus {beta, threshold} (x: F<S>) -> F<S>: log(1 + exp(beta * x)) / beta, and x itself where beta * x is above the threshold; the gradient is g * sigmoid(beta * x), and g above the threshold",
    parameters: &["beta", "threshold"],
    settings: &[&[1.0, 20.0], &[2.0, 3.0]],
    fill: Fill::Between(-4.0, 4.0),
    scalar: |x, k| if k[0] * x > k[1] { x } else { (k[0] * x).exp().ln_1p() / k[0] },
    expansion: |b, x, k| {
        let scaled = scale(b, x, k[0]);
        let smooth = log_of_sum(b, scaled);
        let back = scale(b, smooth, 1.0 / k[0]);
        where_above(b, scaled, k[1], x, back)
    },
    gradient: |b, x, k, g| {
        let scaled = scale(b, x, k[0]);
        let slope = sigmoid(b, scaled);
        let curved = mul(b, g, slope);
        where_above(b, scaled, k[1], g, curved)
    },
};

/// log(1 + exp(beta * x)) / beta, and x itself where beta * x is above the threshold.
pub fn softplus(b: &mut Builder<'_>, x: ValueId, beta: f64, threshold: f64) -> ValueId {
    SOFTPLUS.apply(b, x, &[beta, threshold])
}

/// `log(1 + exp(x))` as `max(x, 0) + log(1 + exp(-|x|))`, which never overflows.
pub fn log_of_sum(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    let (zero, size) = (constant_like(b, 0.0, x), abs(b, x));
    let (line, minus) = (maximum(b, x, zero), neg(b, size));
    let power = exp(b, minus);
    let bend = log1p(b, power);
    add(b, line, bend)
}
