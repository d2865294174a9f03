//! The square root.

use super::elementwise::{Elementwise, Signature};
use super::{add, div};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static SQRT: Elementwise = Elementwise {
    name: "sqrt",
    doc: "sqrt(x: F<S>) -> F<S>: the square root; the gradient is g / (2 * sqrt(x))",
    fills: &[Fill::Between(0.3, 3.0)],
    signature: Signature::Floats,
    scalar: |_, x| x[0].sqrt(),
    body: |body, _, x| body.apply(ScalarOp::Sqrt, x),
    gradient: Some(|b, call, g| {
        let twice = add(b, call.results[0], call.results[0]);
        vec![Some(div(b, g, twice))]
    }),
};

/// The square root of x.
pub fn sqrt(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&SQRT, Attributes::none(), &[x])
}
