//! Negation.

use super::elementwise::{Elementwise, Signature, wrapping};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static NEG: Elementwise = Elementwise {
    name: "neg",
    doc: "neg(x: T<S>) -> T<S>: -x, wrapping on i32; the gradient is -g",
    fills: &[Fill::Between(-2.0, 2.0)],
    signature: Signature::Signed,
    scalar: |dtype, x| wrapping(dtype, 0.0, x[0], |_, x| -x, i64::wrapping_sub),
    body: |body, _, x| body.apply(ScalarOp::Neg, x),
    gradient: Some(|b, _, g| vec![Some(neg(b, g))]),
};

/// -x.
pub fn neg(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&NEG, Attributes::none(), &[x])
}
