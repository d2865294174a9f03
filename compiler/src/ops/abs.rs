//! The absolute value.

use super::elementwise::{Elementwise, Signature};
use super::{constant_like, lt, neg, select};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static ABS: Elementwise = Elementwise {
    name: "abs",
    doc: "abs(x: F<S>) -> F<S>: |x|; the gradient is g times the sign of x, 0 at 0",
    fills: &[Fill::Distinct],
    signature: Signature::Floats,
    scalar: |_, x| if x[0] < 0.0 { -x[0] } else { x[0] },
    body: |body, _, x| body.apply(ScalarOp::Abs, x),
    gradient: Some(|b, call, g| {
        let (zero, minus) = (constant_like(b, 0.0, g), neg(b, g));
        let (positive, negative) = (lt(b, zero, call.operands[0]), lt(b, call.operands[0], zero));
        let otherwise = select(b, negative, minus, zero);
        vec![Some(select(b, positive, g, otherwise))]
    }),
};

/// |x|.
pub fn abs(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&ABS, Attributes::none(), &[x])
}
