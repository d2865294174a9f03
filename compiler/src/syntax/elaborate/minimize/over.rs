//! `over = …`: which parameters a `minimize` updates.

use crate::graph::Leaf;
use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::instance::Layer;
use crate::syntax::elaborate::value::Value;
use proc_macro2::Span;
use std::collections::BTreeSet;

/// What `over` names.
pub struct Over {
    /// The store and key of each parameter, none of them twice.
    pub parameters: Vec<(usize, String)>,
    /// Where it stands.
    pub span: Span,
    /// Its root binding, for suggestions.
    pub root: String,
}

impl Elaborator<'_> {
    /// The parameters of a model, of a layer path, a parameter, or a list of them.
    pub(super) fn over(&mut self, expr: &Expr) -> Option<Over> {
        let mut parameters = self.over_expr(expr)?;
        let mut seen = BTreeSet::new();
        parameters.retain(|parameter| seen.insert(parameter.clone()));
        if parameters.is_empty() {
            self.fail(expr.start, format!("minimize: `{expr}` has no parameters"));
            return None;
        }
        Some(Over { parameters, span: expr.start, root: root_name(expr) })
    }

    fn over_expr(&mut self, expr: &Expr) -> Option<Vec<(usize, String)>> {
        if let ExprKind::List(elements) = &expr.kind {
            let parts: Vec<_> = elements.iter().map(|element| self.over_expr(element)).collect();
            return Some(parts.into_iter().collect::<Option<Vec<_>>>()?.concat());
        }
        let value = self.evaluate(expr);
        self.over_value(&value, expr)
    }

    fn over_value(&self, value: &Value, expr: &Expr) -> Option<Vec<(usize, String)>> {
        match value {
            Value::Poison => None,
            Value::Layer(layer) => self.over_layer(layer, expr),
            Value::List(values) => {
                let parts: Option<Vec<_>> = values.iter().map(|value| self.over_value(value, expr)).collect();
                Some(parts?.concat())
            }
            Value::Tensor(value) => match self.graph.as_leaf(*value) {
                Some(Leaf::Parameter { store, key }) => Some(vec![(*store, key.clone())]),
                Some(Leaf::State { .. }) => self.no_path(expr, "a state, which assignments change"),
                _ => self.no_path(expr, "a tensor that is no parameter"),
            },
            other => self.no_path(expr, other.kind()),
        }
    }

    fn over_layer(&self, layer: &Layer, expr: &Expr) -> Option<Vec<(usize, String)>> {
        let Some(place) = &layer.place else { return self.no_path(expr, "a layer of no model") };
        let store = &self.stores[place.store];
        let trained = |key: &String| !store.entries[key].state;
        let keys: Vec<_> = store.keys_below(&place.key).into_iter().filter(trained).collect();
        if keys.is_empty() {
            self.fail(expr.start, format!("minimize: `{expr}` has no parameters"));
            return None;
        }
        Some(keys.into_iter().map(|key| (place.store, key)).collect())
    }

    fn no_path<T>(&self, expr: &Expr, what: &str) -> Option<T> {
        self.fail(expr.start, format!("minimize: `over` is a model, a layer of it or a list of them, not {what}"));
        None
    }
}

/// `net` of `net.fc` or `[net.fc, net.head]`.
fn root_name(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Field(base, _) => root_name(base),
        ExprKind::List(elements) => elements.first().map(root_name).unwrap_or_default(),
        ExprKind::Name(name) => name.clone(),
        _ => expr.to_string(),
    }
}
