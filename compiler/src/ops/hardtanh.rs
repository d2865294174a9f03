//! A straight line between two ends.

use super::activation::{Activation, held, where_inside};
use crate::graph::{Builder, Fill, ValueId};

/// The op.
pub static HARDTANH: Activation = Activation {
    name: "hardtanh",
    doc: "hardtanh {min_val, max_val} (x: F<S>) -> F<S>: x held between both; the gradient is g strictly between them, else 0",
    parameters: &["min_val", "max_val"],
    settings: &[&[-1.0, 1.0], &[-0.5, 2.0]],
    fill: Fill::Between(-3.0, 3.0),
    scalar: |x, ends| {
        if x < ends[0] {
            ends[0]
        } else if x > ends[1] {
            ends[1]
        } else {
            x
        }
    },
    expansion: |b, x, ends| held(b, x, ends[0], ends[1]),
    gradient: |b, x, ends, g| where_inside(b, x, ends[0], ends[1], g),
};

/// x held between two numbers.
pub fn hardtanh(b: &mut Builder<'_>, x: ValueId, min_val: f64, max_val: f64) -> ValueId {
    HARDTANH.apply(b, x, &[min_val, max_val])
}
