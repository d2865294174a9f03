//! Division.

use super::elementwise::{Elementwise, Signature};
use super::{mul, neg};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static DIV: Elementwise = Elementwise {
    name: "div",
    doc: "div(a: F<S>, b: F<S>) -> F<S>: a / b; the gradients are g / b and -(g / b) * (a / b)",
    fills: &[Fill::Between(-2.0, 2.0), Fill::Between(0.5, 2.0)],
    signature: Signature::Floats,
    scalar: |_, x| x[0] / x[1],
    body: |body, _, x| body.apply(ScalarOp::Div, x),
    gradient: Some(|b, call, g| {
        let left = div(b, g, call.operands[1]);
        let product = mul(b, left, call.results[0]);
        vec![Some(left), Some(neg(b, product))]
    }),
};

/// a / b.
pub fn div(b: &mut Builder<'_>, left: ValueId, right: ValueId) -> ValueId {
    b.apply(&DIV, Attributes::none(), &[left, right])
}
