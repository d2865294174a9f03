//! Adamax, by PyTorch's rule: Adam with the largest gradient, which fades, in place of the root of the mean square.
//!
//! With the gradient g (plus weight_decay * p): m = m + (1 - beta1) * (g - m), u = max(beta2 * u, |g| + eps),
//! p = p - lr / (1 - beta1^t) * m / u.

use super::arguments::{Argument, ArgumentError, Arguments, Signature};
use super::descent::Descent;
use super::{Optimizer, Scalar, Slots, Update, moments};
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The signature.
pub const SIGNATURE: Signature = Signature {
    name: "Adamax",
    arguments: &[
        Argument::scalar("lr", 2e-3),
        Argument::fractions("betas", 0.9, 0.999),
        Argument::number("eps", 1e-8),
        Argument::scalar("weight_decay", 0.0),
        Argument::switch("maximize"),
    ],
    build,
};

struct Adamax {
    descent: Descent,
    betas: (f64, f64),
    eps: f64,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>, ArgumentError> {
    let (descent, betas) = (Descent::coupled(arguments), arguments.fractions("betas"));
    Ok(Box::new(Adamax { descent, betas, eps: arguments.number("eps") }))
}

impl Optimizer for Adamax {
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots) -> Vec<ValueId> {
        let t = slots.number(b);
        let correction = Scalar::Graph(moments::bias_correction(b, t, self.betas.0));
        let rate = self.descent.lr.over(b, correction);
        let next = |update: &Update| {
            let gradient = self.descent.gradient(b, update);
            let mean = moments::mean(b, slots, update, gradient, Scalar::Constant(self.betas.0));
            let largest = self.largest(b, slots, update, gradient);
            let direction = ops::div(b, mean, largest);
            self.descent.step(b, update, rate, direction)
        };
        updates.iter().map(next).collect()
    }
}

impl Adamax {
    fn largest(&self, b: &mut Builder<'_>, slots: &Slots, update: &Update, gradient: ValueId) -> ValueId {
        let before = slots.like(b, "largest", update, 0.0);
        let faded = Scalar::Constant(self.betas.1).times(b, before);
        let size = ops::abs(b, gradient);
        let eps = ops::constant_like(b, self.eps, size);
        let size = ops::add(b, size, eps);
        let after = ops::maximum(b, faded, size);
        slots.keep(b, before, after);
        after
    }
}
