//! Addition.

use super::elementwise::{Elementwise, Signature, wrapping};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static ADD: Elementwise = Elementwise {
    name: "add",
    doc: "add(a: T<S>, b: T<S>) -> T<S>: a + b, wrapping on integers; the gradient is g for both",
    fills: &[Fill::Between(-2.0, 2.0); 2],
    signature: Signature::Numbers,
    scalar: |dtype, x| wrapping(dtype, x[0], x[1], |a, b| a + b, i64::wrapping_add),
    body: |body, _, x| body.apply(ScalarOp::Add, x),
    gradient: Some(|_, _, g| vec![Some(g); 2]),
};

/// a + b.
pub fn add(b: &mut Builder<'_>, left: ValueId, right: ValueId) -> ValueId {
    b.apply(&ADD, Attributes::none(), &[left, right])
}
