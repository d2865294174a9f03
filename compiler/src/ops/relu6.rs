//! The rectifier that ends at 6.

use super::activation::{Activation, held, where_inside};
use crate::graph::{Builder, Fill, ValueId};

/// The op.
pub static RELU6: Activation = Activation {
    name: "relu6",
    doc: "relu6(x: F<S>) -> F<S>: x held between 0 and 6; the gradient is g strictly between them, else 0",
    parameters: &[],
    settings: &[&[]],
    fill: Fill::Between(-8.0, 8.0),
    scalar: |x, _| x.clamp(0.0, 6.0),
    expansion: |b, x, _| held(b, x, 0.0, 6.0),
    gradient: |b, x, _, g| where_inside(b, x, 0.0, 6.0, g),
};

/// x held between 0 and 6.
pub fn relu6(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    RELU6.apply(b, x, &[])
}
