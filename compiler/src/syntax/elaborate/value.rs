//! What expressions of the language evaluate to while the macro expands.

use super::functions::Function;
use super::instance::Layer;
use crate::dtype::DType;
use crate::graph::ValueId;
use crate::shape::Extent;
use std::rc::Rc;

/// The value of an expression.
#[derive(Clone, Debug)]
pub enum Value {
    /// A whole number or an extent that is open.
    Int(Extent),
    /// A number.
    Float(f64),
    /// A truth value that is known.
    Bool(bool),
    /// Comparisons of open extents, all of which must hold.
    Open(Vec<Comparison>),
    /// A string.
    Text(Rc<str>),
    /// An element type.
    Type(DType),
    /// A value of the graph.
    Tensor(ValueId),
    /// `(a, b)`
    Tuple(Vec<Value>),
    /// `[a, b]`
    List(Vec<Value>),
    /// `a..b`, the end excluded.
    Range(Option<Extent>, Option<Extent>),
    /// A layer, block or model that can be applied.
    Layer(Rc<Layer>),
    /// A built-in function.
    Function(&'static Function),
    /// What a statement gives.
    Unit,
    /// What a mistake gives: it stays silent wherever it goes.
    Poison,
}

/// `left <= right` or `left == right` over open extents.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// One side.
    pub left: Extent,
    /// How they relate.
    pub relation: crate::graph::Relation,
    /// The other side.
    pub right: Extent,
}

impl Value {
    /// Whole numbers without open extents.
    pub fn known_int(&self) -> Option<i64> {
        match self {
            Value::Int(extent) => extent.known(),
            _ => None,
        }
    }

    /// Any known number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Int(extent) => extent.known().map(|n| n as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The elements of a list or tuple.
    pub fn elements(&self) -> Option<&[Value]> {
        match self {
            Value::List(values) | Value::Tuple(values) => Some(values),
            _ => None,
        }
    }

    /// Whether a value of the graph is in it.
    pub fn holds_tensors(&self) -> bool {
        match self {
            Value::Tensor(_) => true,
            other => other.elements().is_some_and(|values| values.iter().any(Value::holds_tensors)),
        }
    }

    /// The value with others in the place of its values of the graph.
    pub fn with_tensors(&self, replace: &impl Fn(ValueId) -> ValueId) -> Value {
        let all = |values: &[Value]| values.iter().map(|value| value.with_tensors(replace)).collect();
        match self {
            Value::Tensor(tensor) => Value::Tensor(replace(*tensor)),
            Value::Tuple(values) => Value::Tuple(all(values)),
            Value::List(values) => Value::List(all(values)),
            other => other.clone(),
        }
    }

    /// Whether a mistake is in it.
    pub fn is_poison(&self) -> bool {
        match self {
            Value::Poison => true,
            Value::List(values) | Value::Tuple(values) => values.iter().any(Value::is_poison),
            _ => false,
        }
    }

    /// The same with how many there are.
    pub fn counted(&self) -> String {
        match self.elements() {
            Some(values) => format!("{} of {}", self.kind(), values.len()),
            None => self.kind().to_string(),
        }
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Bool(_) | Value::Open(_) => "a bool",
            Value::Text(_) => "a string",
            Value::Type(_) => "an element type",
            Value::Tensor(_) => "a tensor",
            Value::Tuple(_) => "a tuple",
            Value::List(_) => "a list",
            Value::Range(..) => "a range",
            Value::Layer(_) => "a layer",
            Value::Function(_) => "a function",
            Value::Unit => "nothing",
            Value::Poison => "a mistake",
        }
    }
}
