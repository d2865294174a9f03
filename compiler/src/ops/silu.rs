//! The sigmoid linear unit, or swish.

use super::activation::Activation;
use super::{add, constant_like, mul, sigmoid, sub};
use crate::graph::{Builder, Fill, ValueId};

/// The op.
pub static SILU: Activation = Activation {
    name: "silu",
    doc: "silu(x: F<S>) -> F<S>: x * s with s = sigmoid(x); the gradient is g * s * (1 + x * (1 - s))",
    parameters: &[],
    settings: &[&[]],
    fill: Fill::Between(-6.0, 6.0),
    scalar: |x, _| x / (1.0 + (-x).exp()),
    expansion: |b, x, _| {
        let gate = sigmoid(b, x);
        mul(b, x, gate)
    },
    gradient: |b, x, _, g| {
        let (gate, one) = (sigmoid(b, x), constant_like(b, 1.0, x));
        let rest = sub(b, one, gate);
        let bend = mul(b, x, rest);
        let factor = add(b, one, bend);
        let slope = mul(b, gate, factor);
        mul(b, g, slope)
    },
};

/// x * sigmoid(x).
pub fn silu(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    SILU.apply(b, x, &[])
}
