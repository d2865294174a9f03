//! The logarithm of the sigmoid.

use super::activation::Activation;
use super::softplus::log_of_sum;
use super::{mul, neg, sigmoid};
use crate::graph::{Builder, Fill, ValueId};

/// The op.
pub static LOGSIGMOID: Activation = Activation {
    name: "logsigmoid",
    doc: "logsigmoid(x: F<S>) -> F<S>: -log(1 + exp(-x)); the gradient is g * sigmoid(-x)",
    parameters: &[],
    settings: &[&[]],
    fill: Fill::Between(-6.0, 6.0),
    scalar: |x, _| -(-x).exp().ln_1p(),
    expansion: |b, x, _| {
        let minus = neg(b, x);
        let loss = log_of_sum(b, minus);
        neg(b, loss)
    },
    gradient: |b, x, _, g| {
        let minus = neg(b, x);
        let slope = sigmoid(b, minus);
        mul(b, g, slope)
    },
};

/// The logarithm of sigmoid(x).
pub fn logsigmoid(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    LOGSIGMOID.apply(b, x, &[])
}
