//! Logical or.

use super::elementwise::{Elementwise, Signature};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static OR: Elementwise = Elementwise {
    name: "or",
    doc: "or(a: bool<S>, b: bool<S>) -> bool<S>: a || b; no gradient",
    fills: &[Fill::Below(2); 2],
    signature: Signature::Bools,
    scalar: |_, x| f64::from(u8::from(x[0] != 0.0 || x[1] != 0.0)),
    body: |body, _, x| body.apply(ScalarOp::Or, x),
    gradient: None,
};

/// Whether either holds.
pub fn or(b: &mut Builder<'_>, left: ValueId, right: ValueId) -> ValueId {
    b.apply(&OR, Attributes::none(), &[left, right])
}
