//! The lower triangle of matrices.

use super::triangle::{Triangle, attributes};
use crate::graph::{Builder, ValueId};
use crate::shape::Extent;

/// The op.
pub static TRIL: Triangle = Triangle {
    name: "tril",
    doc: "tril {diagonal} (x: T<S>) -> T<S>: x where column - row <= diagonal on the last two axes, 0 above; the gradient is the same of g",
    upper: false,
};

/// The last two axes with zeros above a diagonal.
pub fn tril(b: &mut Builder<'_>, x: ValueId, diagonal: Extent) -> ValueId {
    b.apply(&TRIL, attributes(diagonal), &[x])
}
