//! The upper triangle of matrices.

use super::triangle::{Triangle, attributes};
use crate::graph::{Builder, ValueId};
use crate::shape::Extent;

/// The op.
pub static TRIU: Triangle = Triangle {
    name: "triu",
    doc: "triu {diagonal} (x: T<S>) -> T<S>: x where column - row >= diagonal on the last two axes, 0 below; the gradient is the same of g",
    upper: true,
};

/// The last two axes with zeros below a diagonal.
pub fn triu(b: &mut Builder<'_>, x: ValueId, diagonal: Extent) -> ValueId {
    b.apply(&TRIU, attributes(diagonal), &[x])
}
