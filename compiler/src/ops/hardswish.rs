//! The swish of straight lines.

use super::activation::{Activation, where_above};
use super::{add, constant_like, hardsigmoid, le, mul, scale, select};
use crate::graph::{Builder, Fill, ValueId};

/// The op.
pub static HARDSWISH: Activation = Activation {
    name: "hardswish",
    doc: "hardswish(x: F<S>) -> F<S>: x * relu6(x + 3) / 6; the gradient is 0 up to -3, g from 3 on, and g * (x / 3 + 1 / 2) between",
    parameters: &[],
    settings: &[&[]],
    fill: Fill::Between(-5.0, 5.0),
    scalar: |x, _| {
        if x <= -3.0 {
            0.0
        } else if x >= 3.0 {
            x
        } else {
            x * (x + 3.0) / 6.0
        }
    },
    expansion: |b, x, _| {
        let gate = hardsigmoid(b, x);
        mul(b, x, gate)
    },
    gradient: |b, x, _, g| {
        let (third, half) = (scale(b, x, 1.0 / 3.0), constant_like(b, 0.5, x));
        let slope = add(b, third, half);
        let (inner, zero, end) = (mul(b, g, slope), constant_like(b, 0.0, g), constant_like(b, 3.0, x));
        let above = where_above(b, x, -3.0, inner, zero);
        let line = le(b, end, x);
        select(b, line, g, above)
    },
};

/// x * relu6(x + 3) / 6.
pub fn hardswish(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    HARDSWISH.apply(b, x, &[])
}
