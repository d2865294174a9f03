//! Adadelta, by PyTorch's rule.
//!
//! With the gradient g (plus weight_decay * p): v = rho * v + (1 - rho) * g * g, d = sqrt(u + eps) / sqrt(v + eps) * g,
//! u = rho * u + (1 - rho) * d * d, p = p - lr * d.

use super::arguments::{Argument, ArgumentError, Arguments, Signature};
use super::descent::Descent;
use super::{Optimizer, Scalar, Slots, Update, moments};
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The signature.
pub const SIGNATURE: Signature = Signature {
    name: "Adadelta",
    arguments: &[
        Argument::scalar("lr", 1.0),
        Argument::share("rho", 0.9),
        Argument::number("eps", 1e-6),
        Argument::scalar("weight_decay", 0.0),
        Argument::switch("maximize"),
    ],
    build,
};

struct Adadelta {
    descent: Descent,
    rho: Scalar,
    eps: f64,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>, ArgumentError> {
    let (descent, rho) = (Descent::coupled(arguments), arguments.scalar("rho"));
    Ok(Box::new(Adadelta { descent, rho, eps: arguments.number("eps") }))
}

impl Optimizer for Adadelta {
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots) -> Vec<ValueId> {
        let next = |update: &Update| {
            let gradient = self.descent.gradient(b, update);
            let square = moments::square(b, slots, update, gradient, self.rho);
            let changes = slots.like(b, "changes", update, 0.0);
            let (over, under) = (self.root(b, changes), self.root(b, square));
            let ratio = ops::div(b, over, under);
            let direction = ops::mul(b, ratio, gradient);
            moments::follow_square(b, slots, changes, direction, self.rho);
            self.descent.step(b, update, self.descent.lr, direction)
        };
        updates.iter().map(next).collect()
    }
}

impl Adadelta {
    /// sqrt(x + eps)
    fn root(&self, b: &mut Builder<'_>, x: ValueId) -> ValueId {
        let eps = ops::constant_like(b, self.eps, x);
        let sum = ops::add(b, x, eps);
        ops::sqrt(b, sum)
    }
}
