//! Slots: what optimizers keep between runs.
//!
//! Slots are leaves of the graph, named by the number of the `minimize`, the slot and the key of the parameter:
//! `0.momentum.fc1.weight`; slots that belong to no single parameter have no key.

use super::{Update, set_next};
use crate::dtype::DType;
use crate::graph::{Builder, Leaf, ValueId};
use crate::shape::Type;
use std::collections::BTreeMap;

/// The slots of one `minimize`.
#[derive(Debug)]
pub struct Slots {
    minimize: usize,
    store: usize,
    scalars: BTreeMap<String, Scalars>,
}

/// A scalar slot before and after this run, both f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scalars {
    /// What the last run left.
    pub before: ValueId,
    /// What this one leaves.
    pub after: ValueId,
}

impl Slots {
    /// No slots yet. `minimize` counts the minimizations of a step; `store` keeps the slots that belong to no single
    /// parameter.
    pub fn new(minimize: usize, store: usize) -> Slots {
        Slots { minimize, store, scalars: BTreeMap::new() }
    }

    /// A slot of the type of a parameter, 0 before the first run.
    pub fn like(&mut self, b: &mut Builder<'_>, slot: &str, update: &Update) -> ValueId {
        let ty = b.ty(update.parameter).clone();
        let store = match b.graph().as_leaf(update.parameter) {
            Some(Leaf::Parameter { store, .. }) => *store,
            other => panic!("what is updated is a parameter of a store, found {other:?}"),
        };
        let name = format!("{}.{slot}.{}", self.minimize, update.key);
        b.graph().leaf(Leaf::Slot { store, name, initial: 0.0 }, ty)
    }

    /// A scalar slot, 0 before the first run, and the value that `next` makes of it. Asked for again, it is the same.
    pub fn scalar(
        &mut self,
        b: &mut Builder<'_>,
        slot: &str,
        next: impl FnOnce(&mut Builder<'_>, ValueId) -> ValueId,
    ) -> Scalars {
        if let Some(&scalars) = self.scalars.get(slot) {
            return scalars;
        }
        let name = format!("{}.{slot}", self.minimize);
        let before = b.graph().leaf(Leaf::Slot { store: self.store, name, initial: 0.0 }, Type::scalar(DType::F32));
        let after = next(b, before);
        set_next(b, before, after);
        let scalars = Scalars { before, after };
        self.scalars.insert(slot.to_string(), scalars);
        scalars
    }
}
