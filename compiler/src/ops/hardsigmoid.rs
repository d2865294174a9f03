//! The sigmoid of straight lines.

use super::activation::{Activation, where_inside};
use super::{add, constant_like, relu6, scale};
use crate::graph::{Builder, Fill, ValueId};

/// The op.
pub static HARDSIGMOID: Activation = Activation {
    name: "hardsigmoid",
    doc: "hardsigmoid(x: F<S>) -> F<S>: relu6(x + 3) / 6; the gradient is g / 6 for x strictly between -3 and 3, else 0",
    parameters: &[],
    settings: &[&[]],
    fill: Fill::Between(-5.0, 5.0),
    scalar: |x, _| {
        if x < -3.0 {
            0.0
        } else if x > 3.0 {
            1.0
        } else {
            x / 6.0 + 0.5
        }
    },
    expansion: |b, x, _| {
        let three = constant_like(b, 3.0, x);
        let shifted = add(b, x, three);
        let bent = relu6(b, shifted);
        scale(b, bent, 1.0 / 6.0)
    },
    gradient: |b, x, _, g| {
        let sixth = scale(b, g, 1.0 / 6.0);
        where_inside(b, x, -3.0, 3.0, sixth)
    },
};

/// relu6(x + 3) / 6.
pub fn hardsigmoid(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    HARDSIGMOID.apply(b, x, &[])
}
