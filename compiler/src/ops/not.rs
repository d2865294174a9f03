//! Logical negation.

use super::elementwise::{Elementwise, Signature};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static NOT: Elementwise = Elementwise {
    name: "not",
    doc: "not(x: bool<S>) -> bool<S>: the other bool; no gradient",
    fills: &[Fill::Below(2)],
    signature: Signature::Bools,
    scalar: |_, x| f64::from(u8::from(x[0] == 0.0)),
    body: |body, _, x| body.apply(ScalarOp::Not, x),
    gradient: None,
};

/// The other bool.
pub fn not(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&NOT, Attributes::none(), &[x])
}
