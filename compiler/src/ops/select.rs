//! Choice by a condition.

use super::constant_like;
use super::elementwise::{Elementwise, Signature};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static SELECT: Elementwise = Elementwise {
    name: "select",
    doc: "select(c: bool<S>, a: T<S>, b: T<S>) -> T<S>: a where c holds, else b; the gradients are g where c holds, else 0, and 0 where c holds, else g",
    fills: &[Fill::Below(2), Fill::Between(-2.0, 2.0), Fill::Between(-2.0, 2.0)],
    signature: Signature::Choice,
    scalar: |_, x| if x[0] != 0.0 { x[1] } else { x[2] },
    body: |body, _, x| body.apply(ScalarOp::Select, x),
    gradient: Some(|b, call, g| {
        let (condition, zero) = (call.operands[0], constant_like(b, 0.0, g));
        vec![None, Some(select(b, condition, g, zero)), Some(select(b, condition, zero, g))]
    }),
};

/// `left` where the condition holds, `right` elsewhere.
pub fn select(b: &mut Builder<'_>, condition: ValueId, left: ValueId, right: ValueId) -> ValueId {
    b.apply(&SELECT, Attributes::none(), &[condition, left, right])
}
