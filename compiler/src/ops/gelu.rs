//! The Gaussian error linear unit.

use super::activation::Activation;
use super::{add, constant_like, erf, exp, mul, scale};
use crate::graph::{Builder, Fill, ValueId};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

/// The op.
pub static GELU: Activation = Activation {
    name: "gelu",
    doc: "gelu(x: F<S>) -> F<S>: x * p with p = (1 + erf(x / sqrt(2))) / 2; the gradient is g * (p + x * exp(-x * x / 2) / sqrt(2 pi))",
    parameters: &[],
    settings: &[&[]],
    fill: Fill::Between(-4.0, 4.0),
    scalar: |x, _| 0.5 * x * (1.0 + erf::naive(x / SQRT_2)),
    expansion: |b, x, _| {
        let share = normal_share(b, x);
        mul(b, x, share)
    },
    gradient: |b, x, _, g| {
        let (share, square) = (normal_share(b, x), mul(b, x, x));
        let half = scale(b, square, -0.5);
        let power = exp(b, half);
        let density = scale(b, power, 0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI);
        let bend = mul(b, x, density);
        let slope = add(b, share, bend);
        mul(b, g, slope)
    },
};

/// The Gaussian error linear unit of x.
pub fn gelu(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    GELU.apply(b, x, &[])
}

/// The share of the normal distribution that lies below x.
fn normal_share(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    let (scaled, one) = (scale(b, x, FRAC_1_SQRT_2), constant_like(b, 1.0, x));
    let error = erf(b, scaled);
    let twice = add(b, one, error);
    scale(b, twice, 0.5)
}
