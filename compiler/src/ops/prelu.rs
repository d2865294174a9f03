//! The rectifier with a learned slope.

use super::elementwise::{Elementwise, Signature};
use super::{constant_like, lt, mul, select};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static PRELU: Elementwise = Elementwise {
    name: "prelu",
    doc: "prelu(x: F<S>, w: F<S>) -> F<S>: x where it is positive, else w * x; the gradients are g where x is positive, else g * w, and 0 where x is positive, else g * x",
    fills: &[Fill::Distinct, Fill::Between(-1.0, 1.0)],
    signature: Signature::Floats,
    scalar: |_, x| if x[0] > 0.0 { x[0] } else { x[1] * x[0] },
    body: |body, dtype, x| {
        let zero = body.constant(dtype, 0.0);
        let positive = body.apply(ScalarOp::Lt, &[zero, x[0]]);
        let scaled = body.apply(ScalarOp::Mul, x);
        body.apply(ScalarOp::Select, &[positive, x[0], scaled])
    },
    gradient: Some(|b, call, g| {
        let zero = constant_like(b, 0.0, g);
        let positive = lt(b, zero, call.operands[0]);
        let [scaled, product] = [1, 0].map(|other| mul(b, g, call.operands[other]));
        vec![Some(select(b, positive, g, scaled)), Some(select(b, positive, zero, product))]
    }),
};

/// x where it is positive, else w * x.
pub fn prelu(b: &mut Builder<'_>, x: ValueId, weight: ValueId) -> ValueId {
    b.apply(&PRELU, Attributes::none(), &[x, weight])
}
