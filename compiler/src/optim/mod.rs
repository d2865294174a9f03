//! Optimizers: what becomes of a parameter, as graph nodes.
//!
//! Parameters with their gradients come in; next values of the parameters, and of the slots that are kept for them, leave as
//! results of the graph. An optimizer is one file and one line in [`OPTIMIZERS`]; the rules are PyTorch's. What happens
//! around an optimizer (accumulation, clipping, moving averages) is in [`minimize()`].

mod accumulate;
mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod adamw;
mod arguments;
mod average;
mod clip;
mod descent;
mod lamb;
mod lion;
mod minimize;
mod moments;
mod nadam;
mod radam;
mod rmsprop;
mod scalar;
mod sgd;
mod slots;

pub use arguments::{Argument, ArgumentError, Arguments, Kind, Signature, Value};
pub use minimize::{Group, OPTIONS, Options, minimize};
pub use moments::bias_correction;
pub use radam::averaged_length;
pub use scalar::Scalar;
pub use slots::{Scalars, Slots};

use crate::dtype::DType;
use crate::graph::{Builder, Leaf, ValueId};
use crate::ops;
use std::collections::BTreeMap;

/// Every optimizer there is, in alphabetical order.
pub static OPTIMIZERS: &[Signature] = &[
    adadelta::SIGNATURE,
    adagrad::SIGNATURE,
    adam::SIGNATURE,
    adamw::SIGNATURE,
    adamax::SIGNATURE,
    lamb::SIGNATURE,
    lion::SIGNATURE,
    nadam::SIGNATURE,
    radam::SIGNATURE,
    rmsprop::SIGNATURE,
    sgd::SIGNATURE,
];

/// A parameter to update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The parameter's leaf; optimizers see its value in f32 in place of a leaf of half precision.
    pub parameter: ValueId,
    /// Its gradient.
    pub gradient: ValueId,
    /// Its key, like `fc1.weight`; names the slots that are kept for it.
    pub key: String,
}

/// A rule by which gradients change parameters.
pub trait Optimizer {
    /// The next value of every parameter, in order. What the rule keeps for them goes into slots.
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots) -> Vec<ValueId>;
}

/// The signature of the optimizer of that name.
pub fn find(name: &str) -> Option<&'static Signature> {
    OPTIMIZERS.iter().find(|signature| signature.name == name)
}

/// The optimizer of that name with these arguments; those left out have their defaults.
pub fn build(name: &str, arguments: &BTreeMap<String, Value>) -> Result<Box<dyn Optimizer>, ArgumentError> {
    let signature = find(name).ok_or_else(|| ArgumentError::Optimizer { name: name.to_string() })?;
    (signature.build)(&Arguments::new(signature, arguments)?)
}

impl Update {
    /// The update in f32 if the parameter is of half precision: steps are smaller than what it can tell apart.
    fn widened(self, b: &mut Builder<'_>) -> Update {
        let dtype = b.dtype(self.parameter).computed();
        let (parameter, gradient) = (ops::cast(b, self.parameter, dtype), ops::cast(b, self.gradient, dtype));
        Update { parameter, gradient, ..self }
    }

    /// The parameter's leaf, also of a widened update.
    fn leaf(&self, b: &mut Builder<'_>) -> ValueId {
        b.graph().producer(self.parameter).map_or(self.parameter, |(_, cast)| cast.operands[0])
    }

    /// The store that holds the parameter.
    fn store(&self, b: &mut Builder<'_>) -> usize {
        let leaf = self.leaf(b);
        match b.graph().as_leaf(leaf) {
            Some(Leaf::Parameter { store, .. }) => *store,
            other => panic!("what is updated is a parameter of a store, found {other:?}"),
        }
    }
}

/// The sum of the squares of all elements, in f32.
fn squares(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    let axes: Vec<usize> = (0..b.shape(x).rank()).collect();
    let x = ops::cast(b, x, DType::F32);
    let squares = ops::mul(b, x, x);
    ops::sum(b, squares, &axes)
}
