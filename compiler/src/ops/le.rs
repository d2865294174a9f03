//! Less than or equal.

use super::elementwise::{Elementwise, Signature};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static LE: Elementwise = Elementwise {
    name: "le",
    doc: "le(a: T<S>, b: T<S>) -> bool<S>: a <= b; no gradient",
    fills: &[Fill::Between(-2.0, 2.0); 2],
    signature: Signature::Comparison,
    scalar: |_, x| f64::from(u8::from(x[0] <= x[1])),
    body: |body, _, x| body.apply(ScalarOp::Le, x),
    gradient: None,
};

/// a <= b.
pub fn le(b: &mut Builder<'_>, left: ValueId, right: ValueId) -> ValueId {
    b.apply(&LE, Attributes::none(), &[left, right])
}
