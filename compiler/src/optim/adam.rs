//! Adam, by PyTorch's rule.
//!
//! With the gradient g (plus weight_decay * p, unless that is decoupled: then p = p - lr * weight_decay * p comes first):
//! m = m + (1 - beta1) * (g - m), v = beta2 * v + (1 - beta2) * g * g,
//! p = p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps), where amsgrad takes the largest v so far under the
//! root.

use super::arguments::{Argument, ArgumentError, Arguments, Signature};
use super::descent::Descent;
use super::moments::{self, Corrections};
use super::{Optimizer, Scalar, Slots, Update};
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The signature.
pub const SIGNATURE: Signature = Signature {
    name: "Adam",
    arguments: &[
        Argument::scalar("lr", 1e-3),
        Argument::fractions("betas", 0.9, 0.999),
        Argument::number("eps", 1e-8),
        Argument::scalar("weight_decay", 0.0),
        Argument::switch("amsgrad"),
        Argument::switch("maximize"),
        Argument::switch("decoupled_weight_decay"),
    ],
    build: |arguments| with(arguments, Descent::either(arguments)),
};

struct Adam {
    descent: Descent,
    betas: (f64, f64),
    eps: f64,
    amsgrad: bool,
}

/// Adam with this kind of weight decay.
pub fn with(arguments: &Arguments, descent: Descent) -> Result<Box<dyn Optimizer>, ArgumentError> {
    Ok(Box::new(Adam {
        descent,
        betas: arguments.fractions("betas"),
        eps: arguments.number("eps"),
        amsgrad: arguments.switch("amsgrad"),
    }))
}

impl Optimizer for Adam {
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots) -> Vec<ValueId> {
        let corrections = Corrections::new(b, slots, self.betas);
        let rate = self.descent.lr.over(b, corrections.mean);
        let next = |update: &Update| {
            let gradient = self.descent.gradient(b, update);
            let mean = moments::mean(b, slots, update, gradient, Scalar::Constant(self.betas.0));
            let square = self.square(b, slots, update, gradient);
            let root = moments::root(b, square, corrections.root, self.eps);
            let direction = ops::div(b, mean, root);
            self.descent.step(b, update, rate, direction)
        };
        updates.iter().map(next).collect()
    }
}

impl Adam {
    /// What stands under the root.
    fn square(&self, b: &mut Builder<'_>, slots: &Slots, update: &Update, gradient: ValueId) -> ValueId {
        let square = moments::square(b, slots, update, gradient, Scalar::Constant(self.betas.1));
        if !self.amsgrad {
            return square;
        }
        let before = slots.like(b, "largest", update, 0.0);
        let largest = ops::maximum(b, before, square);
        slots.keep(b, before, largest);
        largest
    }
}
