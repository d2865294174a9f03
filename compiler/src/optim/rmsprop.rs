//! RMSprop, by PyTorch's rule.
//!
//! With the gradient g (plus weight_decay * p): v = alpha * v + (1 - alpha) * g * g; centered, m = m + (1 - alpha) * (g - m)
//! and v - m * m stands under the root, else v; d = g / (sqrt(v) + eps); with a momentum, d = buf = momentum * buf + d;
//! p = p - lr * d.

use super::arguments::{Argument, ArgumentError, Arguments, Signature};
use super::descent::Descent;
use super::{Optimizer, Scalar, Slots, Update, moments};
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The signature.
pub const SIGNATURE: Signature = Signature {
    name: "RmsProp",
    arguments: &[
        Argument::scalar("lr", 1e-2),
        Argument::share("alpha", 0.99),
        Argument::number("eps", 1e-8),
        Argument::scalar("weight_decay", 0.0),
        Argument::scalar("momentum", 0.0),
        Argument::switch("centered"),
        Argument::switch("maximize"),
    ],
    build,
};

struct RmsProp {
    descent: Descent,
    alpha: Scalar,
    eps: f64,
    momentum: Scalar,
    centered: bool,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>, ArgumentError> {
    Ok(Box::new(RmsProp {
        descent: Descent::coupled(arguments),
        alpha: arguments.scalar("alpha"),
        eps: arguments.number("eps"),
        momentum: arguments.scalar("momentum"),
        centered: arguments.switch("centered"),
    }))
}

impl Optimizer for RmsProp {
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots) -> Vec<ValueId> {
        let next = |update: &Update| {
            let gradient = self.descent.gradient(b, update);
            let square = self.square(b, slots, update, gradient);
            let root = moments::root(b, square, Scalar::Constant(1.0), self.eps);
            let mut direction = ops::div(b, gradient, root);
            if !self.momentum.is_zero() {
                let before = slots.like(b, "momentum", update, 0.0);
                let kept = self.momentum.times(b, before);
                direction = ops::add(b, kept, direction);
                slots.keep(b, before, direction);
            }
            self.descent.step(b, update, self.descent.lr, direction)
        };
        updates.iter().map(next).collect()
    }
}

impl RmsProp {
    /// What stands under the root.
    fn square(&self, b: &mut Builder<'_>, slots: &Slots, update: &Update, gradient: ValueId) -> ValueId {
        let square = moments::square(b, slots, update, gradient, self.alpha);
        if !self.centered {
            return square;
        }
        let mean = moments::mean(b, slots, update, gradient, self.alpha);
        let of_mean = ops::mul(b, mean, mean);
        let variance = ops::sub(b, square, of_mean);
        // A variance is not negative, but where gradients hardly change, rounding can make this one so.
        let zero = ops::constant_like(b, 0.0, variance);
        ops::maximum(b, variance, zero)
    }
}
