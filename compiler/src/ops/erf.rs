//! The error function.

use super::elementwise::{Elementwise, Signature};
use super::{exp, mul, neg, scale};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static ERF: Elementwise = Elementwise {
    name: "erf",
    doc: "erf(x: F<S>) -> F<S>: 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x; the gradient is g * 2 / sqrt(pi) * exp(-x * x)",
    fills: &[Fill::Between(-3.0, 3.0)],
    signature: Signature::Floats,
    scalar: |_, x| naive(x[0]),
    body: |body, _, x| body.apply(ScalarOp::Erf, x),
    gradient: Some(|b, call, g| {
        let square = mul(b, call.operands[0], call.operands[0]);
        let minus = neg(b, square);
        let power = exp(b, minus);
        let slope = scale(b, power, std::f64::consts::FRAC_2_SQRT_PI);
        vec![Some(mul(b, g, slope))]
    }),
};

/// The error function of x.
pub fn erf(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&ERF, Attributes::none(), &[x])
}

/// The integral by Simpson's rule.
pub(super) fn naive(x: f64) -> f64 {
    const PANELS: usize = 2000;
    // In f64 it is 1 from 6 on; the sign of a NaN is a NaN.
    if x.is_nan() || x.abs() > 6.0 {
        return x.signum();
    }
    let weight = |i: usize| match i {
        0 | PANELS => 1.0,
        _ if i.is_multiple_of(2) => 2.0,
        _ => 4.0,
    };
    let step = x / PANELS as f64;
    let height = |i: usize| (-(step * i as f64).powi(2)).exp();
    let sum: f64 = (0..=PANELS).map(|i| weight(i) * height(i)).sum();
    std::f64::consts::FRAC_2_SQRT_PI * sum * step / 3.0
}
