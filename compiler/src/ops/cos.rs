//! The cosine.

use super::elementwise::{Elementwise, Signature};
use super::{mul, neg, sin};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static COS: Elementwise = Elementwise {
    name: "cos",
    doc: "cos(x: F<S>) -> F<S>: the cosine; the gradient is -g * sin(x)",
    fills: &[Fill::Between(-6.0, 6.0)],
    signature: Signature::Floats,
    scalar: |_, x| x[0].cos(),
    body: |body, _, x| body.apply(ScalarOp::Cos, x),
    gradient: Some(|b, call, g| {
        let (slope, minus) = (sin(b, call.operands[0]), neg(b, g));
        vec![Some(mul(b, minus, slope))]
    }),
};

/// The cosine of x.
pub fn cos(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&COS, Attributes::none(), &[x])
}
