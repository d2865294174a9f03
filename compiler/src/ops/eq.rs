//! Equality.

use super::elementwise::{Elementwise, Signature};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static EQ: Elementwise = Elementwise {
    name: "eq",
    doc: "eq(a: T<S>, b: T<S>) -> bool<S>: a == b; no gradient",
    fills: &[Fill::Between(-2.0, 2.0); 2],
    signature: Signature::Equality,
    scalar: |_, x| f64::from(u8::from(x[0] == x[1])),
    body: |body, _, x| body.apply(ScalarOp::Eq, x),
    gradient: None,
};

/// a == b.
pub fn eq(b: &mut Builder<'_>, left: ValueId, right: ValueId) -> ValueId {
    b.apply(&EQ, Attributes::none(), &[left, right])
}
