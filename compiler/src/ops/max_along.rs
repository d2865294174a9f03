//! The maximum along an axis, and where it stands.

use super::along::Along;
use super::{argmax, max};
use crate::graph::{Builder, ValueId};

/// The op.
pub static MAX_ALONG: Along = Along {
    name: "max_along",
    doc: "max_along {axis} (x: T<S>) -> T<S without axis>, u32<S without axis>: the maximum along the axis, and argmax; the gradient is g there and 0 elsewhere",
    element: max,
    position: argmax,
    before: |x, y| x > y,
};

/// The maximum along an axis, which the results do not have, and the position of the first one.
pub fn max_along(b: &mut Builder<'_>, x: ValueId, axis: usize) -> [ValueId; 2] {
    MAX_ALONG.apply(b, x, axis)
}
