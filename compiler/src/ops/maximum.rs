//! The larger of two.

use super::elementwise::{Elementwise, Signature};
use super::extremum::to_larger;
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static MAXIMUM: Elementwise = Elementwise {
    name: "maximum",
    doc: "maximum(a: T<S>, b: T<S>) -> T<S>: the larger of a and b, NaN if either is; the gradient is g for the larger one, half of it for each of two equals",
    fills: &[Fill::Distinct; 2],
    signature: Signature::Numbers,
    scalar: |_, x| if x[1] <= x[0] || x[0].is_nan() { x[0] } else { x[1] },
    body: |body, _, x| body.apply(ScalarOp::Max, x),
    gradient: Some(|b, call, g| to_larger(b, call.operands[0], call.operands[1], g)),
};

/// The larger of both, element by element.
pub fn maximum(b: &mut Builder<'_>, left: ValueId, right: ValueId) -> ValueId {
    b.apply(&MAXIMUM, Attributes::none(), &[left, right])
}
