//! The logarithm of one more.

use super::elementwise::{Elementwise, Signature};
use super::{add, constant_like, div};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static LOG1P: Elementwise = Elementwise {
    name: "log1p",
    doc: "log1p(x: F<S>) -> F<S>: log(1 + x), with all digits near 0; the gradient is g / (1 + x)",
    fills: &[Fill::Between(-0.7, 3.0)],
    signature: Signature::Floats,
    scalar: |_, x| x[0].ln_1p(),
    body: |body, _, x| body.apply(ScalarOp::Log1p, x),
    gradient: Some(|b, call, g| {
        let one = constant_like(b, 1.0, g);
        let sum = add(b, one, call.operands[0]);
        vec![Some(div(b, g, sum))]
    }),
};

/// log(1 + x).
pub fn log1p(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&LOG1P, Attributes::none(), &[x])
}
