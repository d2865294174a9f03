//! Rounding down.

use super::constant_like;
use super::elementwise::{Elementwise, Signature};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static FLOOR: Elementwise = Elementwise {
    name: "floor",
    doc: "floor(x: F<S>) -> F<S>: the largest whole number not above x; the gradient is 0",
    fills: &[Fill::Between(-3.0, 3.0)],
    signature: Signature::Floats,
    scalar: |_, x| x[0].floor(),
    body: |body, _, x| body.apply(ScalarOp::Floor, x),
    gradient: Some(|b, _, g| vec![Some(constant_like(b, 0.0, g))]),
};

/// The largest whole number not above x.
pub fn floor(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&FLOOR, Attributes::none(), &[x])
}
