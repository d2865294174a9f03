//! Stochastic gradient descent with momentum, by PyTorch's rule.
//!
//! With the gradient g (plus weight_decay * p): buf = momentum * buf + (1 - dampening) * g, where the first buf is g;
//! g = g + momentum * buf with nesterov, else buf; p = p - lr * g.

use super::arguments::{Argument, ArgumentError, Arguments, Signature};
use super::descent::Descent;
use super::{Optimizer, Scalar, Slots, Update};
use crate::dtype::DType;
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The signature.
pub const SIGNATURE: Signature = Signature {
    name: "Sgd",
    arguments: &[
        Argument::scalar("lr", 1e-3),
        Argument::scalar("momentum", 0.0),
        Argument::scalar("dampening", 0.0),
        Argument::scalar("weight_decay", 0.0),
        Argument::switch("nesterov"),
        Argument::switch("maximize"),
    ],
    build,
};

struct Sgd {
    descent: Descent,
    momentum: Scalar,
    dampening: Scalar,
    nesterov: bool,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>, ArgumentError> {
    let sgd = Sgd {
        descent: Descent::coupled(arguments),
        momentum: arguments.scalar("momentum"),
        dampening: arguments.scalar("dampening"),
        nesterov: arguments.switch("nesterov"),
    };
    if sgd.nesterov && (sgd.momentum.is_zero() || !sgd.dampening.is_zero()) {
        let reason = "nesterov needs a momentum and no dampening";
        return Err(ArgumentError::Together { signature: arguments.signature, reason });
    }
    Ok(Box::new(sgd))
}

impl Optimizer for Sgd {
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots) -> Vec<ValueId> {
        let share = match self.momentum.is_zero() || self.dampening.is_zero() {
            true => None,
            false => Some(self.share(b, slots)),
        };
        let next = |update: &Update| {
            let mut direction = self.descent.gradient(b, update);
            if !self.momentum.is_zero() {
                direction = self.with_momentum(b, slots, update, direction, share);
            }
            self.descent.step(b, update, self.descent.lr, direction)
        };
        updates.iter().map(next).collect()
    }
}

impl Sgd {
    fn with_momentum(
        &self,
        b: &mut Builder<'_>,
        slots: &Slots,
        update: &Update,
        gradient: ValueId,
        share: Option<Scalar>,
    ) -> ValueId {
        let before = slots.like(b, "momentum", update, 0.0);
        let kept = self.momentum.times(b, before);
        let taken = share.map_or(gradient, |share| share.times(b, gradient));
        let after = ops::add(b, kept, taken);
        slots.keep(b, before, after);
        if !self.nesterov {
            return after;
        }
        let ahead = self.momentum.times(b, after);
        ops::add(b, gradient, ahead)
    }

    /// How much of the gradient enters the momentum: 1 - dampening, but all of it in the first update.
    fn share(&self, b: &mut Builder<'_>, slots: &mut Slots) -> Scalar {
        let first = slots.first(b);
        let one = ops::constant(b, 1.0, DType::F32);
        let rest = self.dampening.rest(b).value(b, DType::F32);
        Scalar::Graph(ops::select(b, first, one, rest))
    }
}
