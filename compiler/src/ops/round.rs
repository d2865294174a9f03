//! Rounding to the nearest whole number.

use super::constant_like;
use super::elementwise::{Elementwise, Signature};
use crate::graph::{Attributes, Builder, Fill, ValueId};
use crate::scalar::ScalarOp;

/// The op.
pub static ROUND: Elementwise = Elementwise {
    name: "round",
    doc: "round(x: F<S>) -> F<S>: the nearest whole number, the even one of two; the gradient is 0",
    fills: &[Fill::Between(-3.0, 3.0)],
    signature: Signature::Floats,
    scalar: |_, x| naive(x[0]),
    body: |body, _, x| body.apply(ScalarOp::Round, x),
    gradient: Some(|b, _, g| vec![Some(constant_like(b, 0.0, g))]),
};

/// The whole number nearest to x, the even one of two.
pub fn round(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&ROUND, Attributes::none(), &[x])
}

fn naive(x: f64) -> f64 {
    let (below, above) = (x.floor(), x.floor() + 1.0);
    match (x - below).partial_cmp(&(above - x)) {
        Some(std::cmp::Ordering::Less) => below,
        Some(std::cmp::Ordering::Greater) => above,
        _ if below % 2.0 == 0.0 => below,
        _ => above,
    }
}
