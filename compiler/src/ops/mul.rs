//! Multiplication.

use super::constant_like;
use super::elementwise::{Elementwise, Signature, wrapping};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static MUL: Elementwise = Elementwise {
    name: "mul",
    doc: "mul(a: T<S>, b: T<S>) -> T<S>: a * b, wrapping on integers; the gradients are g * b and g * a",
    fills: &[Fill::Between(-2.0, 2.0); 2],
    signature: Signature::Numbers,
    scalar: |dtype, x| wrapping(dtype, x[0], x[1], |a, b| a * b, i64::wrapping_mul),
    body: |body, _, x| body.apply(ScalarOp::Mul, x),
    gradient: Some(|b, call, g| vec![Some(mul(b, g, call.operands[1])), Some(mul(b, g, call.operands[0]))]),
};

/// a * b.
pub fn mul(b: &mut Builder<'_>, left: ValueId, right: ValueId) -> ValueId {
    b.apply(&MUL, Attributes::none(), &[left, right])
}

/// A fixed factor times x.
pub fn scale(b: &mut Builder<'_>, x: ValueId, factor: f64) -> ValueId {
    let factor = constant_like(b, factor, x);
    mul(b, x, factor)
}
