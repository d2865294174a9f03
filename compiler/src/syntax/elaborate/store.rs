//! The parameters of a model as far as they are known: filled while the model itself is checked, read in steps.

use super::instance::Layer;
use crate::description::{Initial, ModelDescription, TensorDecl};
use crate::graph::ValueId;
use crate::shape::Type;
use proc_macro2::Span;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A parameter store while a graph is built.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// The generated type's name.
    pub model: String,
    /// All tensors by key.
    pub entries: BTreeMap<String, Entry>,
    /// The leaves that stand for them in the graph that is built.
    pub leaves: BTreeMap<String, ValueId>,
    /// The states that were assigned, with their last value.
    pub assigned: BTreeMap<String, ValueId>,
    /// Whether tensors may still be added: while the model itself is checked.
    pub open: bool,
    /// The layers that were made while the store was open.
    pub made: Vec<Rc<Layer>>,
    /// Positions of the `let`s of those that were applied.
    pub applied: FxHashSet<Vec<usize>>,
}

/// One tensor of a store.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Element type and shape.
    pub ty: Type,
    /// How it begins.
    pub initial: Initial,
    /// Whether it is a state.
    pub state: bool,
    /// Positions of the `let`s that lead to it.
    pub order: Vec<usize>,
    /// The layer that holds it was made here.
    pub made: Span,
    /// The application that gave it its shape: as written, and where.
    pub applied: Option<(String, Span)>,
}

impl Store {
    /// The entries in `let` order.
    pub fn in_order(&self) -> Vec<(&String, &Entry)> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by(|a, b| a.1.order.cmp(&b.1.order));
        entries
    }

    /// What the generated type holds.
    pub fn description(&self) -> ModelDescription {
        let decl = |(key, entry): (&String, &Entry)| TensorDecl {
            key: key.clone(),
            ty: entry.ty.clone(),
            state: entry.state,
            initial: entry.initial,
        };
        ModelDescription { name: self.model.clone(), tensors: self.in_order().into_iter().map(decl).collect() }
    }

    /// The keys at or below a path.
    pub fn keys_below(&self, path: &str) -> Vec<String> {
        let below = |key: &&String| {
            path.is_empty() || *key == path || key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
        };
        self.in_order().into_iter().map(|(key, _)| key).filter(below).cloned().collect()
    }
}
