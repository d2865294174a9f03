//! NAdam, Adam with Nesterov's momentum, by PyTorch's rule.
//!
//! With m and v as Adam keeps them and mu_t = beta1 * (1 - 0.5 * 0.96^(t * momentum_decay)):
//! p = p - lr * (1 - mu_t) / (1 - mu_1 … mu_t) * g / r - lr * mu_(t+1) / (1 - mu_1 … mu_(t+1)) * m / r,
//! where r = sqrt(v) / sqrt(1 - beta2^t) + eps.

use super::arguments::{Argument, ArgumentError, Arguments, Signature};
use super::descent::Descent;
use super::moments::{self, Corrections};
use super::{Optimizer, Scalar, Slots, Update};
use crate::dtype::DType;
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The signature.
pub const SIGNATURE: Signature = Signature {
    name: "Nadam",
    arguments: &[
        Argument::scalar("lr", 2e-3),
        Argument::fractions("betas", 0.9, 0.999),
        Argument::number("eps", 1e-8),
        Argument::scalar("weight_decay", 0.0),
        Argument::number("momentum_decay", 4e-3),
        Argument::switch("decoupled_weight_decay"),
        Argument::switch("maximize"),
    ],
    build,
};

struct Nadam {
    descent: Descent,
    betas: (f64, f64),
    eps: f64,
    momentum_decay: f64,
}

/// How far a step goes along the gradient and along its mean.
struct Rates {
    gradient: Scalar,
    mean: Scalar,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>, ArgumentError> {
    Ok(Box::new(Nadam {
        descent: Descent::either(arguments),
        betas: arguments.fractions("betas"),
        eps: arguments.number("eps"),
        momentum_decay: arguments.number("momentum_decay"),
    }))
}

impl Optimizer for Nadam {
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots) -> Vec<ValueId> {
        let corrections = Corrections::new(b, slots, self.betas);
        let rates = self.rates(b, slots);
        let next = |update: &Update| {
            let gradient = self.descent.gradient(b, update);
            let mean = moments::mean(b, slots, update, gradient, Scalar::Constant(self.betas.0));
            let square = moments::square(b, slots, update, gradient, Scalar::Constant(self.betas.1));
            let root = moments::root(b, square, corrections.root, self.eps);
            let (along, ahead) = (rates.gradient.times(b, gradient), rates.mean.times(b, mean));
            let change = ops::add(b, along, ahead);
            let change = ops::div(b, change, root);
            let start = self.descent.start(b, update);
            ops::sub(b, start, change)
        };
        updates.iter().map(next).collect()
    }
}

impl Nadam {
    fn rates(&self, b: &mut Builder<'_>, slots: &mut Slots) -> Rates {
        let t = slots.number(b);
        let one = ops::constant(b, 1.0, DType::F32);
        let following = ops::add(b, t, one);
        let (now, next) = (self.momentum(b, t), self.momentum(b, following));
        let product = slots.scalar(b, "momentum_product", 1.0, |b, before| ops::mul(b, before, now)).after;
        let further = ops::mul(b, product, next);
        let [gradient_share, left, left_next] = [now, product, further].map(|x| Scalar::Graph(x).rest(b));
        let gradient = self.descent.lr.product(b, gradient_share).over(b, left);
        let mean = self.descent.lr.product(b, Scalar::Graph(next)).over(b, left_next);
        Rates { gradient, mean }
    }

    /// mu_t
    fn momentum(&self, b: &mut Builder<'_>, t: ValueId) -> ValueId {
        let exponent = Scalar::Constant(self.momentum_decay * 0.96f64.ln()).times(b, t);
        let power = ops::exp(b, exponent);
        let half = Scalar::Constant(0.5 * self.betas.0).times(b, power);
        let beta = ops::constant(b, self.betas.0, DType::F32);
        ops::sub(b, beta, half)
    }
}
