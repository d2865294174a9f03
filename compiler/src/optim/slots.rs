//! Slots: what a `minimize` keeps between runs.
//!
//! Slots are leaves of the graph, named by the number of the `minimize`, the slot and the key of the parameter:
//! `0.momentum.fc1.weight`; slots that belong to no single parameter have no key. Where gradients are accumulated, all slots
//! of optimizers change only in the runs that update.

use super::Update;
use crate::dtype::DType;
use crate::graph::{Builder, Leaf, Role, ValueId};
use crate::ops;
use crate::shape::Type;
use std::collections::BTreeMap;

/// The slots of one `minimize`.
#[derive(Debug)]
pub struct Slots {
    minimize: usize,
    store: usize,
    group: usize,
    due: Option<ValueId>,
    scalars: BTreeMap<(usize, String), Scalars>,
}

/// A scalar slot before and after an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scalars {
    /// What the last update left.
    pub before: ValueId,
    /// What this one leaves.
    pub after: ValueId,
}

impl Slots {
    /// No slots yet. `minimize` counts the minimizations of a step; `store` keeps the slots that belong to no single
    /// parameter.
    pub fn new(minimize: usize, store: usize) -> Slots {
        Slots { minimize, store, group: 0, due: None, scalars: BTreeMap::new() }
    }

    /// What follows is for the parameters of this group: their optimizer keeps scalars of its own.
    pub(super) fn enter(&mut self, group: usize) {
        self.group = group;
    }

    /// From here on, only runs in which this bool holds change a slot or a parameter.
    pub(super) fn only_where(&mut self, due: ValueId) {
        self.due = Some(due);
    }

    /// A slot of the type in which a parameter is updated, with this number everywhere before the first run.
    pub fn like(&self, b: &mut Builder<'_>, slot: &str, update: &Update, initial: f64) -> ValueId {
        let ty = b.ty(update.parameter).clone();
        let name = format!("{}.{slot}.{}", self.minimize, update.key);
        let store = update.store(b);
        b.graph().leaf(Leaf::Slot { store, name, initial }, ty)
    }

    /// A scalar slot of f32 and the value that `next` makes of it. Asked for again by the same group, it is the same.
    pub fn scalar(
        &mut self,
        b: &mut Builder<'_>,
        slot: &str,
        initial: f64,
        next: impl FnOnce(&mut Builder<'_>, ValueId) -> ValueId,
    ) -> Scalars {
        let slot = match self.group {
            0 => slot.to_string(),
            group => format!("{slot}.group{group}"),
        };
        let store = self.store;
        self.known(b, store, slot, |slots, b, slot| {
            let before = slots.leaf(b, store, slot, DType::F32, initial);
            Scalars { before, after: next(b, before) }
        })
    }

    /// How many updates there were, as u32.
    pub fn count(&mut self, b: &mut Builder<'_>) -> Scalars {
        self.counter(b, self.store, "count")
    }

    /// The number of this update as f32, from 1 on.
    pub fn number(&mut self, b: &mut Builder<'_>) -> ValueId {
        let count = self.count(b).after;
        ops::cast(b, count, DType::F32)
    }

    /// Whether this is the first update.
    pub fn first(&mut self, b: &mut Builder<'_>) -> ValueId {
        let before = self.count(b).before;
        let zero = ops::constant(b, 0.0, DType::U32);
        ops::eq(b, before, zero)
    }

    /// A u32 in a store that counts updates.
    pub(super) fn counter(&mut self, b: &mut Builder<'_>, store: usize, slot: &str) -> Scalars {
        self.known(b, store, slot.to_string(), |slots, b, slot| {
            let before = slots.leaf(b, store, slot, DType::U32, 0.0);
            let one = ops::constant(b, 1.0, DType::U32);
            Scalars { before, after: ops::add(b, before, one) }
        })
    }

    /// A leaf for a scalar slot, 0 at first, that every run changes.
    pub(super) fn every_run(&self, b: &mut Builder<'_>, slot: &str) -> ValueId {
        self.leaf(b, self.store, slot, DType::U32, 0.0)
    }

    /// Makes a value the next one of a parameter or slot.
    pub fn keep(&self, b: &mut Builder<'_>, leaf: ValueId, next: ValueId) {
        let dtype = b.dtype(leaf);
        let next = ops::cast(b, next, dtype);
        let next = match self.due {
            Some(due) => {
                let shape = b.shape(leaf);
                let due = ops::broadcast(b, due, &shape);
                ops::select(b, due, next, leaf)
            }
            None => next,
        };
        b.graph().result(Role::Next(leaf), next);
    }

    fn leaf(&self, b: &mut Builder<'_>, store: usize, slot: &str, dtype: DType, initial: f64) -> ValueId {
        let name = format!("{}.{slot}", self.minimize);
        b.graph().leaf(Leaf::Slot { store, name, initial }, Type::scalar(dtype))
    }

    /// The scalar slot of that name, made and kept when it is new.
    fn known(
        &mut self,
        b: &mut Builder<'_>,
        store: usize,
        slot: String,
        make: impl FnOnce(&Slots, &mut Builder<'_>, &str) -> Scalars,
    ) -> Scalars {
        let key = (store, slot);
        if let Some(&scalars) = self.scalars.get(&key) {
            return scalars;
        }
        let scalars = make(self, b, &key.1);
        self.keep(b, scalars.before, scalars.after);
        self.scalars.insert(key, scalars);
        scalars
    }
}
