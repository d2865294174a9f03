//! Layers that are not applied, or not yet: where consts alone decide their shapes, their tensors exist all the same.
//!
//! The body of such a layer runs as if it were applied to a value of which nothing is known. That value is silent, like a
//! mistake, wherever it goes; a shape, a condition or a loop that depends on it makes the layer one that needs its input.

use super::Elaborator;
use super::arguments::Given;
use super::instance::{Layer, LayerKind};
use super::report::Problem;
use super::value::Value;
use crate::syntax::ast::{Expr, ExprKind};
use std::rc::Rc;

impl Elaborator<'_> {
    /// Declares the tensors of a layer that was not applied. Says whether they follow from consts; else none is declared.
    pub(super) fn declare_unapplied(&mut self, layer: &Rc<Layer>) -> bool {
        let Some(store) = layer.place.as_ref().map(|place| place.store) else { return false };
        let inputs = match &layer.kind {
            LayerKind::Block { block, .. } => block.block.inputs.len(),
            LayerKind::Seq(_) => 1,
            LayerKind::Path => return false,
        };
        let kept = self.stores[store].clone();
        let (needed, unapplied) = (self.input_needed, self.frame().unapplied);
        self.input_needed = false;
        self.frame_mut().unapplied = true;
        let expr = Expr { kind: ExprKind::Name(layer.name()), span: layer.span, start: layer.span };
        let given = (0..inputs).map(|_| Some(Given { expr: &expr, value: Some(Value::Poison) })).collect();
        self.apply(layer, given, &expr, layer.span);
        self.frame_mut().unapplied = unapplied;
        let decided = !std::mem::replace(&mut self.input_needed, needed);
        match decided {
            true => self.stores[store].assigned = kept.assigned,
            false => self.stores[store] = kept,
        }
        decided
    }

    /// Notes that what the running body makes depends on an input, if that input is one of which nothing is known.
    pub(super) fn depends_on_input(&mut self) {
        if self.frame().unapplied {
            self.input_needed = true;
        }
    }

    /// Keeps the layers of a model that is elaborated by itself in mind.
    pub(super) fn note_made(&mut self, value: &Value) {
        match value {
            Value::Layer(layer) => {
                let store = layer.place.as_ref().map(|place| &mut self.stores[place.store]);
                if let Some(store) = store.filter(|store| store.open) {
                    store.made.push(layer.clone());
                }
            }
            Value::List(values) | Value::Tuple(values) => values.iter().for_each(|value| self.note_made(value)),
            _ => {}
        }
    }

    /// Keeps in mind that a layer is applied.
    pub(super) fn note_applied(&mut self, layer: &Layer) {
        if let Some(place) = &layer.place
            && self.stores[place.store].open
        {
            self.stores[place.store].applied.insert(place.order.clone());
        }
    }

    /// Declares the tensors of all layers of a model that its body never applied, and reports those that need an input.
    pub(super) fn declare_rest(&mut self, store: usize) {
        let mut next = 0;
        while let Some(layer) = self.stores[store].made.get(next).cloned() {
            next += 1;
            let applied = |place: &super::instance::Place| self.stores[store].applied.contains(&place.order);
            if layer.place.as_ref().is_none_or(applied) || self.declare_unapplied(&layer) {
                continue;
            }
            if self.holds_parameters(&Value::Layer(layer.clone()), 0) {
                let headline = format!("`{}` is never applied, and its shapes depend on its input", layer.name());
                self.report(Problem::new(layer.span, headline).detail("apply it, or leave it out"));
            }
        }
    }
}
