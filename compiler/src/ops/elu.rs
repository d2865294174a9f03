//! The exponential linear unit.

use super::activation::{Activation, where_above};
use super::{exp, expm1, mul, scale};
use crate::graph::{Builder, Fill, ValueId};

/// The op.
pub static ELU: Activation = Activation {
    name: "elu",
    doc: "elu {alpha} (x: F<S>) -> F<S>: x where it is positive, else alpha * (exp(x) - 1); the gradient is g where x is positive, else g * alpha * exp(x)",
    parameters: &["alpha"],
    settings: &[&[1.0], &[0.7]],
    fill: Fill::Distinct,
    scalar: |x, alpha| if x > 0.0 { x } else { alpha[0] * x.exp_m1() },
    expansion: |b, x, alpha| {
        let less = expm1(b, x);
        let scaled = scale(b, less, alpha[0]);
        where_above(b, x, 0.0, x, scaled)
    },
    gradient: |b, x, alpha, g| {
        let power = exp(b, x);
        let slope = scale(b, power, alpha[0]);
        let curved = mul(b, g, slope);
        where_above(b, x, 0.0, g, curved)
    },
};

/// x where it is positive, else alpha * (exp(x) - 1).
pub fn elu(b: &mut Builder<'_>, x: ValueId, alpha: f64) -> ValueId {
    ELU.apply(b, x, &[alpha])
}
