//! `#[remat]`: what a `let` or a round of a loop makes is computed again for the gradient instead of being kept.
//!
//! The nodes are made as ever; then a node with a copy of them as its region takes their place in what the language's
//! names stand for. The originals stay where something else refers to them, like the next value of a state.

use super::Elaborator;
use super::scope::BindingKind;
use super::value::Value;
use crate::graph::{Builder, ValueId, outline};
use crate::ops;
use proc_macro2::Span;
use std::collections::BTreeMap;

impl Elaborator<'_> {
    /// How many nodes there are: those that come are counted from here.
    pub(super) fn nodes_so_far(&self) -> usize {
        self.graph.nodes().len()
    }

    /// The value with what the nodes since `first` made of it computed again for the gradient.
    pub(super) fn recomputed(&mut self, value: &Value, first: usize, span: Span) -> Value {
        let mut made = BTreeMap::new();
        self.collect_made(value, first, &mut made);
        self.recompute(&mut made, first, span);
        value.with_tensors(&|tensor| made.get(&tensor).copied().unwrap_or(tensor))
    }

    /// The same for all that the names which may be assigned stand for.
    pub(super) fn recomputed_names(&mut self, first: usize, span: Span) {
        let mut made = BTreeMap::new();
        for binding in self.frame().bindings().filter(|binding| binding.kind == BindingKind::Mutable) {
            self.collect_made(&binding.value, first, &mut made);
        }
        self.recompute(&mut made, first, span);
        for binding in self.frame_mut().bindings_mut().filter(|binding| binding.kind == BindingKind::Mutable) {
            binding.value = binding.value.with_tensors(&|tensor| made.get(&tensor).copied().unwrap_or(tensor));
        }
    }

    fn collect_made(&self, value: &Value, first: usize, made: &mut BTreeMap<ValueId, ValueId>) {
        match value {
            Value::Tensor(tensor) if self.graph.producer(*tensor).is_some_and(|(node, _)| node.0 >= first) => {
                made.insert(*tensor, *tensor);
            }
            Value::Tuple(values) | Value::List(values) => {
                values.iter().for_each(|value| self.collect_made(value, first, made));
            }
            _ => {}
        }
    }

    /// Puts the results of a region in the place of these values.
    fn recompute(&mut self, made: &mut BTreeMap<ValueId, ValueId>, first: usize, span: Span) {
        if made.is_empty() {
            return;
        }
        let values: Vec<ValueId> = made.keys().copied().collect();
        let (body, arguments) = outline(&self.graph, first..self.nodes_so_far(), &values);
        let origin = self.origin(span);
        let results = ops::remat(&mut Builder::new(&mut self.graph, origin), body, &arguments);
        made.values_mut().zip(results).for_each(|(value, result)| *value = result);
    }
}
