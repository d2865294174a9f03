//! Layers: blocks with their consts, and where in a parameter store they stand.

use super::items::Scope;
use super::value::Value;
use crate::syntax::ast;
use proc_macro2::Span;
use std::rc::Rc;

/// A block with its consts, or a chain of layers.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What it does.
    pub kind: LayerKind,
    /// Where its parameters stand; `None` until a `let` or a position gives it a key.
    pub place: Option<Place>,
    /// `#[train]` and `#[eval]` on its `let`.
    pub training: Option<bool>,
    /// The token that made it.
    pub span: Span,
}

/// What a layer does.
#[derive(Clone, Debug)]
pub enum LayerKind {
    /// Runs the body of a block.
    Block {
        /// The block.
        block: Rc<BlockItem>,
        /// The value of each const, in order.
        consts: Vec<Value>,
    },
    /// Applies layers and functions one after the other.
    Seq(Vec<Value>),
    /// A path below a layer, like `net.layers`: a prefix of keys that cannot be applied.
    Path,
}

/// A block or model of this macro or of the prelude.
#[derive(Debug)]
pub struct BlockItem {
    /// As written.
    pub block: ast::Block,
    /// The file that it is written in.
    pub scope: Scope,
}

impl BlockItem {
    /// Whether it belongs to the prelude: then mistakes show at its use.
    pub fn is_prelude(&self) -> bool {
        self.scope == Scope::PRELUDE
    }
}

/// Where a layer's parameters stand.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which store.
    pub store: usize,
    /// The prefix of its keys; empty at the root.
    pub key: String,
    /// Positions of the `let`s that lead to it: the order of parameters.
    pub order: Vec<usize>,
    /// The name of the binding, for messages.
    pub name: String,
    /// The token that binds it.
    pub bound: Span,
}

impl Place {
    /// The place below this one.
    pub fn child(&self, key: &str, order: usize) -> Place {
        let mut path = self.order.clone();
        path.push(order);
        Place {
            store: self.store,
            key: join(&self.key, key),
            order: path,
            name: join(&self.name, key),
            bound: self.bound,
        }
    }
}

/// Joins two parts of a key; an empty part adds no level.
pub fn join(prefix: &str, key: &str) -> String {
    match (prefix.is_empty(), key.is_empty()) {
        (true, _) => key.to_string(),
        (_, true) => prefix.to_string(),
        _ => format!("{prefix}.{key}"),
    }
}

/// Gives a layer, or the layers of a list or tuple, their places.
pub fn placed(value: Value, place: &Place, training: Option<bool>) -> Value {
    match value {
        Value::Layer(layer) if layer.place.is_none() => {
            let training = training.or(layer.training);
            Value::Layer(Rc::new(Layer { place: Some(place.clone()), training, ..(*layer).clone() }))
        }
        Value::List(values) => Value::List(placed_elements(values, place, training)),
        Value::Tuple(values) => Value::Tuple(placed_elements(values, place, training)),
        other => other,
    }
}

fn placed_elements(values: Vec<Value>, place: &Place, training: Option<bool>) -> Vec<Value> {
    let element = |(i, value): (usize, Value)| placed(value, &place.child(&i.to_string(), i), training);
    values.into_iter().enumerate().map(element).collect()
}

/// Whether a layer is in it that has no place yet.
pub fn holds_new_layer(value: &Value) -> bool {
    match value {
        Value::Layer(layer) => layer.place.is_none(),
        Value::List(values) | Value::Tuple(values) => values.iter().any(holds_new_layer),
        _ => false,
    }
}

impl Layer {
    /// The name for messages: of the binding, else of the block.
    pub fn name(&self) -> String {
        match (&self.place, &self.kind) {
            (Some(place), _) if !place.name.is_empty() => place.name.clone(),
            (_, LayerKind::Block { block, .. }) => block.block.name.name.clone(),
            (_, LayerKind::Seq(_)) => "Seq".to_string(),
            (_, LayerKind::Path) => "path".to_string(),
        }
    }

    /// The block, if it is one.
    pub fn block(&self) -> Option<&Rc<BlockItem>> {
        match &self.kind {
            LayerKind::Block { block, .. } => Some(block),
            _ => None,
        }
    }
}
