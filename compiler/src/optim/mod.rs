//! Optimizers: what becomes of a parameter, as graph nodes.
//!
//! Parameters with their gradients come in; next values of the parameters, and of the slots that an optimizer keeps for
//! them, leave as results of the graph. An optimizer is one file and one line in [`OPTIMIZERS`]; the rules are PyTorch's.

mod adam;
mod arguments;
mod sgd;
mod slots;

pub use arguments::{Argument, ArgumentError, Arguments, Kind, Scalar, Signature, Value};
pub use slots::{Scalars, Slots};

use crate::graph::{Builder, Role, ValueId};
use crate::ops;
use std::collections::BTreeMap;

/// Every optimizer there is, in alphabetical order.
pub static OPTIMIZERS: &[Signature] = &[adam::SIGNATURE, sgd::SIGNATURE];

/// A parameter to update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The parameter's leaf.
    pub parameter: ValueId,
    /// Its gradient.
    pub gradient: ValueId,
    /// Its key, like `fc1.weight`; names the slots that are kept for it.
    pub key: String,
}

/// A rule by which gradients change parameters.
pub trait Optimizer {
    /// Adds the next value of every parameter, and of the slots kept for it, to the results of the graph.
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots);
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

/// Makes a value the next one of a leaf.
fn set_next(b: &mut Builder<'_>, leaf: ValueId, next: ValueId) {
    b.graph().result(Role::Next(leaf), next);
}

/// The gradient with the pull of the weight decay: g + weight_decay * p.
fn decayed(b: &mut Builder<'_>, update: &Update, weight_decay: Scalar) -> ValueId {
    if weight_decay.is_zero() {
        return update.gradient;
    }
    let pull = weight_decay.times(b, update.parameter);
    ops::add(b, update.gradient, pull)
}
