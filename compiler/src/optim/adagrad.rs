//! Adagrad, by PyTorch's rule.
//!
//! With the gradient g (plus weight_decay * p): s = s + g * g, which begins at initial_accumulator_value;
//! p = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps) in update t, from 1 on.

use super::arguments::{Argument, ArgumentError, Arguments, Signature};
use super::descent::Descent;
use super::{Optimizer, Scalar, Slots, Update, moments};
use crate::dtype::DType;
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The signature.
pub const SIGNATURE: Signature = Signature {
    name: "Adagrad",
    arguments: &[
        Argument::scalar("lr", 1e-2),
        Argument::scalar("lr_decay", 0.0),
        Argument::scalar("weight_decay", 0.0),
        Argument::number("initial_accumulator_value", 0.0),
        Argument::number("eps", 1e-10),
        Argument::switch("maximize"),
    ],
    build,
};

struct Adagrad {
    descent: Descent,
    lr_decay: Scalar,
    initial: f64,
    eps: f64,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>, ArgumentError> {
    Ok(Box::new(Adagrad {
        descent: Descent::coupled(arguments),
        lr_decay: arguments.scalar("lr_decay"),
        initial: arguments.number("initial_accumulator_value"),
        eps: arguments.number("eps"),
    }))
}

impl Optimizer for Adagrad {
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots) -> Vec<ValueId> {
        let rate = self.rate(b, slots);
        let next = |update: &Update| {
            let gradient = self.descent.gradient(b, update);
            let before = slots.like(b, "sum", update, self.initial);
            let square = ops::mul(b, gradient, gradient);
            let sum = ops::add(b, before, square);
            slots.keep(b, before, sum);
            let root = moments::root(b, sum, Scalar::Constant(1.0), self.eps);
            let direction = ops::div(b, gradient, root);
            self.descent.step(b, update, rate, direction)
        };
        updates.iter().map(next).collect()
    }
}

impl Adagrad {
    /// lr / (1 + (t - 1) * lr_decay)
    fn rate(&self, b: &mut Builder<'_>, slots: &mut Slots) -> Scalar {
        if self.lr_decay.is_zero() {
            return self.descent.lr;
        }
        let before = slots.count(b).before;
        let before = ops::cast(b, before, DType::F32);
        let decayed = self.lr_decay.times(b, before);
        let one = ops::constant(b, 1.0, DType::F32);
        let under = ops::add(b, one, decayed);
        self.descent.lr.over(b, Scalar::Graph(under))
    }
}
