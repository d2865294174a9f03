//! The operations of graphs: one file per op, one entry in [`OPS`].
//!
//! A file holds everything about its op: formula, shape rule, gradient rule, lowering, reference and samples, and the
//! function that inserts it. Shapes of elementwise operands are equal: broadcasting is the op [`broadcast`], which the
//! front end inserts. The laws in `tests/laws.rs` run over the whole list.

mod add;
mod elementwise;
mod exp;
mod mul;

pub use add::add;
pub use exp::exp;
pub use mul::mul;

use crate::graph::Op;

/// Every op there is, in alphabetical order.
pub static OPS: &[&dyn Op] = &[&add::ADD, &exp::EXP, &mul::MUL];

/// The op of that name.
pub fn find(name: &str) -> Option<&'static dyn Op> {
    OPS.iter().copied().find(|op| op.name() == name)
}
