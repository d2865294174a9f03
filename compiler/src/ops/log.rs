//! The natural logarithm.

use super::div;
use super::elementwise::{Elementwise, Signature};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static LOG: Elementwise = Elementwise {
    name: "log",
    doc: "log(x: F<S>) -> F<S>: the natural logarithm; the gradient is g / x",
    fills: &[Fill::Between(0.3, 3.0)],
    signature: Signature::Floats,
    scalar: |_, x| x[0].ln(),
    body: |body, _, x| body.apply(ScalarOp::Log, x),
    gradient: Some(|b, call, g| vec![Some(div(b, g, call.operands[0]))]),
};

/// The natural logarithm of x.
pub fn log(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&LOG, Attributes::none(), &[x])
}
