//! The exponential function minus one.

use super::elementwise::{Elementwise, Signature};
use super::{exp, mul};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static EXPM1: Elementwise = Elementwise {
    name: "expm1",
    doc: "expm1(x: F<S>) -> F<S>: exp(x) - 1, with all digits near 0; the gradient is g * exp(x)",
    fills: &[Fill::Between(-3.0, 3.0)],
    signature: Signature::Floats,
    scalar: |_, x| x[0].exp_m1(),
    body: |body, _, x| body.apply(ScalarOp::Expm1, x),
    gradient: Some(|b, call, g| {
        let slope = exp(b, call.operands[0]);
        vec![Some(mul(b, g, slope))]
    }),
};

/// exp(x) - 1.
pub fn expm1(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&EXPM1, Attributes::none(), &[x])
}
