//! The hyperbolic tangent.

use super::elementwise::{Elementwise, Signature};
use super::{constant_like, mul, sub};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static TANH: Elementwise = Elementwise {
    name: "tanh",
    doc: "tanh(x: F<S>) -> F<S>: the hyperbolic tangent y; the gradient is g * (1 - y * y)",
    fills: &[Fill::Between(-3.0, 3.0)],
    signature: Signature::Floats,
    scalar: |_, x| x[0].tanh(),
    body: |body, _, x| body.apply(ScalarOp::Tanh, x),
    gradient: Some(|b, call, g| {
        let (y, one) = (call.results[0], constant_like(b, 1.0, g));
        let square = mul(b, y, y);
        let slope = sub(b, one, square);
        vec![Some(mul(b, g, slope))]
    }),
};

/// The hyperbolic tangent of x.
pub fn tanh(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&TANH, Attributes::none(), &[x])
}
