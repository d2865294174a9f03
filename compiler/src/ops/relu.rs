//! The rectifier.

use super::elementwise::{Elementwise, Signature};
use super::{constant_like, lt, select};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static RELU: Elementwise = Elementwise {
    name: "relu",
    doc: "relu(x: F<S>) -> F<S>: x where it is positive, else 0, NaN where x is; the gradient is g where x is positive, else 0",
    fills: &[Fill::Distinct],
    signature: Signature::Floats,
    scalar: |_, x| if x[0] < 0.0 { 0.0 } else { x[0] },
    body: |body, dtype, x| {
        let zero = body.constant(dtype, 0.0);
        body.apply(ScalarOp::Max, &[x[0], zero])
    },
    gradient: Some(|b, call, g| {
        // The result is positive exactly where the operand is, and is kept for what comes next anyway.
        let zero = constant_like(b, 0.0, g);
        let positive = lt(b, zero, call.results[0]);
        vec![Some(select(b, positive, g, zero))]
    }),
};

/// x where it is positive, else 0.
pub fn relu(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&RELU, Attributes::none(), &[x])
}
