//! Subtraction.

use super::elementwise::{Elementwise, Signature, wrapping};
use super::neg;
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static SUB: Elementwise = Elementwise {
    name: "sub",
    doc: "sub(a: T<S>, b: T<S>) -> T<S>: a - b, wrapping on integers; the gradients are g and -g",
    fills: &[Fill::Between(-2.0, 2.0); 2],
    signature: Signature::Numbers,
    scalar: |dtype, x| wrapping(dtype, x[0], x[1], |a, b| a - b, i64::wrapping_sub),
    body: |body, _, x| body.apply(ScalarOp::Sub, x),
    gradient: Some(|b, _, g| vec![Some(g), Some(neg(b, g))]),
};

/// a - b.
pub fn sub(b: &mut Builder<'_>, left: ValueId, right: ValueId) -> ValueId {
    b.apply(&SUB, Attributes::none(), &[left, right])
}
