//! What [`maximum`](super::maximum()) and [`minimum`](super::minimum()) share: which of two operands a gradient goes to.

use super::{constant_like, eq, lt, scale, select};
use crate::graph::{Builder, ValueId};

/// The cotangents of two operands when the result is the larger one: all of `g` for it, half for each of two equals.
pub fn to_larger(b: &mut Builder<'_>, left: ValueId, right: ValueId, g: ValueId) -> Vec<Option<ValueId>> {
    let shares = Shares::new(b, left, right, g);
    vec![shares.where_less(b, right, left), shares.where_less(b, left, right)]
}

/// The cotangents of two operands when the result is the smaller one.
pub fn to_smaller(b: &mut Builder<'_>, left: ValueId, right: ValueId, g: ValueId) -> Vec<Option<ValueId>> {
    let shares = Shares::new(b, left, right, g);
    vec![shares.where_less(b, left, right), shares.where_less(b, right, left)]
}

struct Shares {
    tie: ValueId,
    all: ValueId,
    half: ValueId,
    none: ValueId,
}

impl Shares {
    fn new(b: &mut Builder<'_>, left: ValueId, right: ValueId, g: ValueId) -> Shares {
        Shares { tie: eq(b, left, right), all: g, half: scale(b, g, 0.5), none: constant_like(b, 0.0, g) }
    }

    fn where_less(&self, b: &mut Builder<'_>, less: ValueId, than: ValueId) -> Option<ValueId> {
        let chosen = lt(b, less, than);
        let alone = select(b, chosen, self.all, self.none);
        Some(select(b, self.tie, self.half, alone))
    }
}
