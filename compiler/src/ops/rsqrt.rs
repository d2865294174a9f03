//! One over the square root.

use super::elementwise::{Elementwise, Signature};
use super::{mul, pow, scale};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static RSQRT: Elementwise = Elementwise {
    name: "rsqrt",
    doc: "rsqrt(x: F<S>) -> F<S>: y = 1 / sqrt(x); the gradient is -g * y * y * y / 2",
    fills: &[Fill::Between(0.3, 3.0)],
    signature: Signature::Floats,
    scalar: |_, x| x[0].powf(-0.5),
    body: |body, dtype, x| {
        let (one, root) = (body.constant(dtype, 1.0), body.apply(ScalarOp::Sqrt, x));
        body.apply(ScalarOp::Div, &[one, root])
    },
    gradient: Some(|b, call, g| {
        let (cube, half) = (pow(b, call.results[0], 3.0), scale(b, g, -0.5));
        vec![Some(mul(b, half, cube))]
    }),
};

/// 1 / sqrt(x).
pub fn rsqrt(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&RSQRT, Attributes::none(), &[x])
}
