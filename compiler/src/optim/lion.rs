//! Lion, by the rule of Chen et al., "Symbolic Discovery of Optimization Algorithms" (2023), algorithm 2.
//!
//! With the gradient g: p = p - lr * weight_decay * p - lr * sign(beta1 * m + (1 - beta1) * g),
//! m = beta2 * m + (1 - beta2) * g.

use super::arguments::{Argument, ArgumentError, Arguments, Signature};
use super::descent::Descent;
use super::{Optimizer, Scalar, Slots, Update, moments};
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The signature.
pub const SIGNATURE: Signature = Signature {
    name: "Lion",
    arguments: &[
        Argument::scalar("lr", 1e-4),
        Argument::fractions("betas", 0.9, 0.99),
        Argument::scalar("weight_decay", 0.0),
        Argument::switch("maximize"),
    ],
    build,
};

struct Lion {
    descent: Descent,
    betas: (f64, f64),
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>, ArgumentError> {
    Ok(Box::new(Lion { descent: Descent::decoupled(arguments), betas: arguments.fractions("betas") }))
}

impl Optimizer for Lion {
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots) -> Vec<ValueId> {
        let next = |update: &Update| {
            let gradient = self.descent.gradient(b, update);
            let before = slots.like(b, "mean", update, 0.0);
            let mixed = moments::toward(b, before, gradient, Scalar::Constant(self.betas.0));
            let after = moments::toward(b, before, gradient, Scalar::Constant(self.betas.1));
            slots.keep(b, before, after);
            let direction = ops::sign(b, mixed);
            self.descent.step(b, update, self.descent.lr, direction)
        };
        updates.iter().map(next).collect()
    }
}
