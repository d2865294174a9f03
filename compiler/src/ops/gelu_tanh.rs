//! The Gaussian error linear unit with a hyperbolic tangent in the place of the error function.

use super::activation::Activation;
use super::{add, constant_like, mul, scale, sub, tanh};
use crate::graph::{Builder, Fill, ValueId};

/// The root of 2 over pi.
const SCALE: f64 = 0.797_884_560_802_865_4;
const CUBIC: f64 = 0.044_715;

/// The op.
pub static GELU_TANH: Activation = Activation {
    name: "gelu_tanh",
    doc: "gelu_tanh(x: F<S>) -> F<S>: x * (1 + t) / 2 with t = tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)); the gradient is g * (1 + t + x * (1 - t * t) * sqrt(2 / pi) * (1 + 0.134145 * x * x)) / 2",
    parameters: &[],
    settings: &[&[]],
    fill: Fill::Between(-4.0, 4.0),
    scalar: |x, _| 0.5 * x * (1.0 + (SCALE * (x + CUBIC * x.powi(3))).tanh()),
    expansion: |b, x, _| {
        let (bent, one) = (bent(b, x), constant_like(b, 1.0, x));
        let twice = add(b, one, bent);
        let share = scale(b, twice, 0.5);
        mul(b, x, share)
    },
    gradient: |b, x, _, g| {
        let (bent, one) = (bent(b, x), constant_like(b, 1.0, x));
        let (squared, square) = (mul(b, bent, bent), mul(b, x, x));
        let (rest, steep) = (sub(b, one, squared), scale(b, square, 3.0 * SCALE * CUBIC));
        let level = constant_like(b, SCALE, x);
        let inner = add(b, level, steep);
        let slope = mul(b, rest, inner);
        let bend = mul(b, x, slope);
        let share = add(b, one, bent);
        let twice = add(b, share, bend);
        let half = scale(b, g, 0.5);
        mul(b, half, twice)
    },
};

/// The Gaussian error linear unit of x, approximately.
pub fn gelu_tanh(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    GELU_TANH.apply(b, x, &[])
}

fn bent(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    let (square, one) = (mul(b, x, x), constant_like(b, 1.0, x));
    let more = scale(b, square, CUBIC);
    let factor = add(b, one, more);
    let cubic = mul(b, x, factor);
    let scaled = scale(b, cubic, SCALE);
    tanh(b, scaled)
}
