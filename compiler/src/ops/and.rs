//! Logical and.

use super::elementwise::{Elementwise, Signature};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static AND: Elementwise = Elementwise {
    name: "and",
    doc: "and(a: bool<S>, b: bool<S>) -> bool<S>: a && b; no gradient",
    fills: &[Fill::Below(2); 2],
    signature: Signature::Bools,
    scalar: |_, x| f64::from(u8::from(x[0] != 0.0 && x[1] != 0.0)),
    body: |body, _, x| body.apply(ScalarOp::And, x),
    gradient: None,
};

/// Whether both hold.
pub fn and(b: &mut Builder<'_>, left: ValueId, right: ValueId) -> ValueId {
    b.apply(&AND, Attributes::none(), &[left, right])
}
