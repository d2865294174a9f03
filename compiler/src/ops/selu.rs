//! The scaled exponential linear unit.

use super::activation::{Activation, where_above};
use super::{elu, exp, mul, scale};
use crate::graph::{Builder, Fill, ValueId};

const ALPHA: f64 = 1.673_263_242_354_377_2;
const SCALE: f64 = 1.050_700_987_355_480_5;

/// The op.
pub static SELU: Activation = Activation {
    name: "selu",
    doc: "selu(x: F<S>) -> F<S>: s * elu(x) with alpha = a, where a = 1.6732632 and s = 1.0507009 keep mean and variance of what passes; the gradient is g * s where x is positive, else g * s * a * exp(x)",
    parameters: &[],
    settings: &[&[]],
    fill: Fill::Distinct,
    scalar: |x, _| if x > 0.0 { SCALE * x } else { SCALE * ALPHA * x.exp_m1() },
    expansion: |b, x, _| {
        let bent = elu(b, x, ALPHA);
        scale(b, bent, SCALE)
    },
    gradient: |b, x, _, g| {
        let (scaled, power) = (scale(b, g, SCALE), exp(b, x));
        let slope = scale(b, power, SCALE * ALPHA);
        let curved = mul(b, g, slope);
        where_above(b, x, 0.0, scaled, curved)
    },
};

/// The scaled exponential linear unit of x.
pub fn selu(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    SELU.apply(b, x, &[])
}
