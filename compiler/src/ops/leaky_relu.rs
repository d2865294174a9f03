//! The rectifier with a slope below 0.

use super::activation::{Activation, where_above};
use super::scale;
use crate::graph::{Builder, Fill, ValueId};

/// The op.
pub static LEAKY_RELU: Activation = Activation {
    name: "leaky_relu",
    doc: "leaky_relu {negative_slope} (x: F<S>) -> F<S>: x where it is positive, else negative_slope * x; the gradient is g where x is positive, else negative_slope * g",
    parameters: &["negative_slope"],
    settings: &[&[0.01], &[0.3]],
    fill: Fill::Distinct,
    scalar: |x, slope| if x > 0.0 { x } else { slope[0] * x },
    expansion: |b, x, slope| {
        let scaled = scale(b, x, slope[0]);
        where_above(b, x, 0.0, x, scaled)
    },
    gradient: |b, x, slope, g| {
        let scaled = scale(b, g, slope[0]);
        where_above(b, x, 0.0, g, scaled)
    },
};

/// x where it is positive, else a fixed slope times x.
pub fn leaky_relu(b: &mut Builder<'_>, x: ValueId, negative_slope: f64) -> ValueId {
    LEAKY_RELU.apply(b, x, &[negative_slope])
}
