//! The smaller of two.

use super::elementwise::{Elementwise, Signature};
use super::extremum::to_smaller;
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static MINIMUM: Elementwise = Elementwise {
    name: "minimum",
    doc: "minimum(a: T<S>, b: T<S>) -> T<S>: the smaller of a and b, NaN if either is; the gradient is g for the smaller one, half of it for each of two equals",
    fills: &[Fill::Distinct; 2],
    signature: Signature::Numbers,
    scalar: |_, x| if x[1] >= x[0] || x[0].is_nan() { x[0] } else { x[1] },
    body: |body, _, x| body.apply(ScalarOp::Min, x),
    gradient: Some(|b, call, g| to_smaller(b, call.operands[0], call.operands[1], g)),
};

/// The smaller of both, element by element.
pub fn minimum(b: &mut Builder<'_>, left: ValueId, right: ValueId) -> ValueId {
    b.apply(&MINIMUM, Attributes::none(), &[left, right])
}
