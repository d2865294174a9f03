//! The self-regularised activation mish.

use super::activation::Activation;
use super::softplus::log_of_sum;
use super::{add, constant_like, mul, sigmoid, sub, tanh};
use crate::graph::{Builder, Fill, ValueId};

/// The op.
pub static MISH: Activation = Activation {
    name: "mish",
    doc: "mish(x: F<S>) -> F<S>: x * t with t = tanh(log(1 + exp(x))); the gradient is g * (t + x * (1 - t * t) * sigmoid(x))",
    parameters: &[],
    settings: &[&[]],
    fill: Fill::Between(-6.0, 6.0),
    scalar: |x, _| x * x.exp().ln_1p().tanh(),
    expansion: |b, x, _| {
        let smooth = log_of_sum(b, x);
        let gate = tanh(b, smooth);
        mul(b, x, gate)
    },
    gradient: |b, x, _, g| {
        let smooth = log_of_sum(b, x);
        let (gate, one) = (tanh(b, smooth), constant_like(b, 1.0, x));
        let square = mul(b, gate, gate);
        let (rest, share) = (sub(b, one, square), sigmoid(b, x));
        let steep = mul(b, rest, share);
        let bend = mul(b, x, steep);
        let slope = add(b, gate, bend);
        mul(b, g, slope)
    },
};

/// x * tanh(log(1 + exp(x))).
pub fn mish(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    MISH.apply(b, x, &[])
}
