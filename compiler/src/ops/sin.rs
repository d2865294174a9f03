//! The sine.

use super::elementwise::{Elementwise, Signature};
use super::{cos, mul};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static SIN: Elementwise = Elementwise {
    name: "sin",
    doc: "sin(x: F<S>) -> F<S>: the sine; the gradient is g * cos(x)",
    fills: &[Fill::Between(-6.0, 6.0)],
    signature: Signature::Floats,
    scalar: |_, x| x[0].sin(),
    body: |body, _, x| body.apply(ScalarOp::Sin, x),
    gradient: Some(|b, call, g| {
        let slope = cos(b, call.operands[0]);
        vec![Some(mul(b, g, slope))]
    }),
};

/// The sine of x.
pub fn sin(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&SIN, Attributes::none(), &[x])
}
