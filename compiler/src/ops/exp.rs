//! The exponential function.

use super::elementwise::{Elementwise, Signature};
use super::mul;
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static EXP: Elementwise = Elementwise {
    name: "exp",
    doc: "exp(x: F<S>) -> F<S>: e to the power x; the gradient is g * exp(x)",
    fills: &[Fill::Between(-3.0, 3.0)],
    signature: Signature::Floats,
    scalar: |_, x| x[0].exp(),
    body: |body, _, x| body.apply(ScalarOp::Exp, x),
    gradient: Some(|b, call, g| vec![Some(mul(b, g, call.results[0]))]),
};

/// e to the power x.
pub fn exp(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&EXP, Attributes::none(), &[x])
}
