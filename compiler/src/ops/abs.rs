//! The absolute value.

use super::elementwise::{Elementwise, Signature, wrapping};
use super::{constant_like, lt, neg, select};
use crate::dtype::DType;
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static ABS: Elementwise = Elementwise {
    name: "abs",
    doc: "abs(x: T<S>) -> T<S>: |x|, wrapping on integers; the gradient is g times the sign of x, 0 at 0",
    fills: &[Fill::Distinct],
    signature: Signature::Signed,
    scalar: |dtype, x| {
        let minus = wrapping(dtype, 0.0, x[0], |a, b| a - b, i64::wrapping_sub);
        if x[0] < 0.0 { minus } else { x[0] }
    },
    body: |body, dtype, x| match dtype {
        DType::I32 => {
            let minus = body.apply(ScalarOp::Neg, x);
            body.apply(ScalarOp::Max, &[x[0], minus])
        }
        _ => body.apply(ScalarOp::Abs, x),
    },
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
