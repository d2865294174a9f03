//! Descriptions of models: the tensors of a parameter store, in order, and how each begins.

use crate::shape::Type;

/// What a model's store holds.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ModelDescription {
    /// The name of the generated type.
    pub name: String,
    /// The tensors in `let` order.
    pub tensors: Vec<TensorDecl>,
}

/// One tensor of a store.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorDecl {
    /// The key, like `fc1.weight`.
    pub key: String,
    /// Element type and shape; all extents are known.
    pub ty: Type,
    /// Whether it is kept but not trained.
    pub state: bool,
    /// How it begins.
    pub initial: Initial,
}

/// How the elements of a tensor begin. Fans and gains are worked in already: what `kaiming_uniform` means for a shape is a
/// [`Initial::Uniform`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// One number everywhere.
    Constant(f64),
    /// Evenly between low and high.
    Uniform {
        /// The lower bound.
        low: f64,
        /// The upper bound, excluded.
        high: f64,
    },
    /// The normal distribution around 0.
    Normal {
        /// The standard deviation.
        std: f64,
    },
    /// The normal distribution around 0, drawn again outside of -2 to 2 (in units of the tensor, as PyTorch does).
    TruncatedNormal {
        /// The standard deviation.
        std: f64,
    },
}
