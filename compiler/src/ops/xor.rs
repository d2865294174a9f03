//! Logical exclusive or.

use super::elementwise::{Elementwise, Signature};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static XOR: Elementwise = Elementwise {
    name: "xor",
    doc: "xor(a: bool<S>, b: bool<S>) -> bool<S>: a or b, but not both; no gradient",
    fills: &[Fill::Below(2); 2],
    signature: Signature::Bools,
    scalar: |_, x| f64::from(u8::from((x[0] != 0.0) != (x[1] != 0.0))),
    body: |body, _, x| body.apply(ScalarOp::Xor, x),
    gradient: None,
};

/// Whether one holds and the other does not.
pub fn xor(b: &mut Builder<'_>, left: ValueId, right: ValueId) -> ValueId {
    b.apply(&XOR, Attributes::none(), &[left, right])
}
