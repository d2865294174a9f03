//! Multiplication.

use super::elementwise::{Elementwise, Signature};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static MUL: Elementwise = Elementwise {
    name: "mul",
    doc: "mul(a: T<S>, b: T<S>) -> T<S>: a * b; the gradients are g * b and g * a",
    fills: &[Fill::Between(-2.0, 2.0); 2],
    signature: Signature::Numbers,
    scalar: |_, x| x[0] * x[1],
    body: |body, _, x| body.apply(ScalarOp::Mul, x),
    gradient: Some(|b, call, g| vec![Some(mul(b, g, call.operands[1])), Some(mul(b, g, call.operands[0]))]),
};

/// a * b.
pub fn mul(b: &mut Builder<'_>, left: ValueId, right: ValueId) -> ValueId {
    b.apply(&MUL, Attributes::none(), &[left, right])
}
