//! The sign.

use super::constant_like;
use super::elementwise::{Elementwise, Signature};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static SIGN: Elementwise = Elementwise {
    name: "sign",
    doc: "sign(x: T<S>) -> T<S>: 1 where x is positive, -1 where it is negative, else 0; the gradient is 0",
    fills: &[Fill::Distinct],
    signature: Signature::Signed,
    scalar: |_, x| f64::from(i8::from(x[0] > 0.0) - i8::from(x[0] < 0.0)),
    body: |body, dtype, x| {
        let [zero, one, minus] = [0.0, 1.0, -1.0].map(|number| body.constant(dtype, number));
        let negative = body.apply(ScalarOp::Lt, &[x[0], zero]);
        let otherwise = body.apply(ScalarOp::Select, &[negative, minus, zero]);
        let positive = body.apply(ScalarOp::Lt, &[zero, x[0]]);
        body.apply(ScalarOp::Select, &[positive, one, otherwise])
    },
    gradient: Some(|b, _, g| vec![Some(constant_like(b, 0.0, g))]),
};

/// 1, -1 or 0.
pub fn sign(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&SIGN, Attributes::none(), &[x])
}
