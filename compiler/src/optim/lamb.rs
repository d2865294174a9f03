//! LAMB, by the rule of You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes" (2020),
//! algorithm 2, with the identity for phi.
//!
//! With m and v as Adam keeps them: r = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay * p,
//! p = p - lr * |p| / |r| * r, with the Euclidean norm over each parameter, and 1 in place of a ratio in which either norm is 0.

use super::arguments::{Argument, ArgumentError, Arguments, Signature};
use super::descent::Descent;
use super::moments::{self, Corrections};
use super::{Optimizer, Scalar, Slots, Update, squares};
use crate::dtype::DType;
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The signature.
pub const SIGNATURE: Signature = Signature {
    name: "Lamb",
    arguments: &[
        Argument::scalar("lr", 1e-3),
        Argument::fractions("betas", 0.9, 0.999),
        Argument::number("eps", 1e-6),
        Argument::scalar("weight_decay", 0.0),
        Argument::switch("maximize"),
    ],
    build,
};

struct Lamb {
    descent: Descent,
    betas: (f64, f64),
    eps: f64,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>, ArgumentError> {
    let (descent, betas) = (Descent::coupled(arguments), arguments.fractions("betas"));
    Ok(Box::new(Lamb { descent, betas, eps: arguments.number("eps") }))
}

impl Optimizer for Lamb {
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots) -> Vec<ValueId> {
        let corrections = Corrections::new(b, slots, self.betas);
        let whole = Scalar::Constant(1.0).over(b, corrections.mean);
        let next = |update: &Update| {
            let gradient = self.descent.slope(b, update);
            let mean = moments::mean(b, slots, update, gradient, Scalar::Constant(self.betas.0));
            let square = moments::square(b, slots, update, gradient, Scalar::Constant(self.betas.1));
            let root = moments::root(b, square, corrections.root, self.eps);
            let mean = whole.times(b, mean);
            let mut direction = ops::div(b, mean, root);
            if !self.descent.weight_decay.is_zero() {
                let pull = self.descent.weight_decay.times(b, update.parameter);
                direction = ops::add(b, direction, pull);
            }
            let ratio = trust(b, update.parameter, direction);
            let rate = self.descent.lr.product(b, ratio);
            self.descent.step(b, update, rate, direction)
        };
        updates.iter().map(next).collect()
    }
}

/// |p| / |r|, or 1 where either norm is 0.
fn trust(b: &mut Builder<'_>, parameter: ValueId, direction: ValueId) -> Scalar {
    let [over, under] = [parameter, direction].map(|x| {
        let squares = squares(b, x);
        ops::sqrt(b, squares)
    });
    let zero = ops::constant(b, 0.0, DType::F32);
    let (some_over, some_under) = (ops::lt(b, zero, over), ops::lt(b, zero, under));
    let both = ops::and(b, some_over, some_under);
    let ratio = ops::div(b, over, under);
    let one = ops::constant(b, 1.0, DType::F32);
    Scalar::Graph(ops::select(b, both, ratio, one))
}
