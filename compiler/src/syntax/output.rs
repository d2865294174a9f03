//! What a `model! { … }` comes to: types with descriptions, and steps with graphs. The macro turns this into Rust.

use super::ast::Ident;
use crate::description::ModelDescription;
use crate::dtype::DType;
use crate::graph::Graph;
use proc_macro2::TokenStream;

/// All that one `model! { … }` generates.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The model types, in order of writing.
    pub models: Vec<Model>,
    /// The steps, in order of writing.
    pub steps: Vec<Step>,
    /// What other `model!` may import, if there is anything.
    pub export: Option<Export>,
}

/// What a `model!` hands on to others.
#[derive(Clone, Debug)]
pub struct Export {
    /// Tells it from all others.
    pub scope: String,
    /// Its blocks and models, and what it imports.
    pub items: TokenStream,
    /// What may see each block and model, and its name.
    pub names: Vec<(TokenStream, Ident)>,
}

/// A model type.
#[derive(Clone, Debug)]
pub struct Model {
    /// `pub`, `pub(crate)` or nothing.
    pub visibility: TokenStream,
    /// The user's doc comments.
    pub docs: Vec<String>,
    /// The name.
    pub name: Ident,
    /// What its store holds.
    pub description: ModelDescription,
}

/// A step.
///
/// Its results stand in the graph as `Role::Metric(name)`, in the order of `metrics`, and `Role::Output(i)`, the leaves of
/// `output` in order. The position that the running step takes for one of them is the position among the graph's results
/// that are not `Role::Next`.
#[derive(Clone, Debug)]
pub struct Step {
    /// `pub`, `pub(crate)` or nothing.
    pub visibility: TokenStream,
    /// The user's doc comments.
    pub docs: Vec<String>,
    /// The name.
    pub name: Ident,
    /// The `dyn` extents, each once, in order of writing.
    pub dims: Vec<Ident>,
    /// The models it names, in `let` order.
    pub stores: Vec<StoreArgument>,
    /// The inputs.
    pub inputs: Vec<Input>,
    /// The metrics.
    pub metrics: Vec<Metric>,
    /// The value of the body, if the signature has a return type.
    pub output: Option<Output>,
    /// What it computes.
    pub graph: Graph,
}

/// A model that a step takes.
#[derive(Clone, Debug)]
pub struct StoreArgument {
    /// The name that the step binds it to.
    pub binding: Ident,
    /// The generated type.
    pub model: Ident,
    /// The path of the type, if another macro generates it.
    pub path: Option<TokenStream>,
    /// Whether a run changes it.
    pub mutable: bool,
}

/// An input of a step.
#[derive(Clone, Debug)]
pub struct Input {
    /// The name.
    pub name: Ident,
    /// The element type.
    pub dtype: DType,
    /// Whether it is one number, taken by value.
    pub scalar: bool,
}

/// A value that a step returns by name.
#[derive(Clone, Debug)]
pub struct Metric {
    /// The name.
    pub name: Ident,
    /// The element type.
    pub dtype: DType,
    /// Whether it is one number.
    pub scalar: bool,
}

/// The value of a step.
#[derive(Clone, Debug)]
pub enum Output {
    /// One tensor.
    Tensor {
        /// The element type.
        dtype: DType,
        /// Whether it is one number.
        scalar: bool,
    },
    /// Several values.
    Tuple(Vec<Output>),
}
