//! The minimum along an axis, and where it stands.

use super::along::Along;
use super::{argmin, min};
use crate::graph::{Builder, ValueId};

/// The op.
pub static MIN_ALONG: Along = Along {
    name: "min_along",
    doc: "min_along {axis} (x: T<S>) -> T<S without axis>, u32<S without axis>: the minimum along the axis, and argmin; the gradient is g there and 0 elsewhere",
    element: min,
    position: argmin,
    before: |x, y| x < y,
};

/// The minimum along an axis, which the results do not have, and the position of the first one.
pub fn min_along(b: &mut Builder<'_>, x: ValueId, axis: usize) -> [ValueId; 2] {
    MIN_ALONG.apply(b, x, axis)
}
