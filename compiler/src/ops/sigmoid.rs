//! The logistic function.

use super::elementwise::{Elementwise, Signature};
use super::{constant_like, mul, sub};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static SIGMOID: Elementwise = Elementwise {
    name: "sigmoid",
    doc: "sigmoid(x: F<S>) -> F<S>: y = 1 / (1 + exp(-x)); the gradient is g * y * (1 - y)",
    fills: &[Fill::Between(-4.0, 4.0)],
    signature: Signature::Floats,
    scalar: |_, x| 1.0 / (1.0 + (-x[0]).exp()),
    body: |body, dtype, x| {
        let one = body.constant(dtype, 1.0);
        let minus = body.apply(ScalarOp::Neg, x);
        let power = body.apply(ScalarOp::Exp, &[minus]);
        let divisor = body.apply(ScalarOp::Add, &[one, power]);
        body.apply(ScalarOp::Div, &[one, divisor])
    },
    gradient: Some(|b, call, g| {
        let (y, one) = (call.results[0], constant_like(b, 1.0, g));
        let rest = sub(b, one, y);
        let slope = mul(b, y, rest);
        vec![Some(mul(b, g, slope))]
    }),
};

/// 1 / (1 + exp(-x)).
pub fn sigmoid(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&SIGMOID, Attributes::none(), &[x])
}
