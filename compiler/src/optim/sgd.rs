//! Stochastic gradient descent with momentum, by PyTorch's rule.
//!
//! With the gradient g (plus weight_decay * p): buf = momentum * buf + (1 - dampening) * g, where the first buf is g;
//! g = g + momentum * buf with nesterov, else buf; p = p - lr * g.

use super::arguments::{Argument, ArgumentError, Arguments, Kind, Scalar, Signature, Value};
use super::{Optimizer, Slots, Update, decayed, set_next};
use crate::dtype::DType;
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The signature.
pub const SIGNATURE: Signature = Signature {
    name: "Sgd",
    arguments: &[
        Argument { name: "lr", kind: Kind::Scalar, default: Some(Value::Number(1e-3)) },
        Argument { name: "momentum", kind: Kind::Scalar, default: Some(Value::Number(0.0)) },
        Argument { name: "dampening", kind: Kind::Scalar, default: Some(Value::Number(0.0)) },
        Argument { name: "weight_decay", kind: Kind::Scalar, default: Some(Value::Number(0.0)) },
        Argument { name: "nesterov", kind: Kind::Switch, default: Some(Value::Switch(false)) },
    ],
    build,
};

struct Sgd {
    lr: Scalar,
    momentum: Scalar,
    dampening: Scalar,
    weight_decay: Scalar,
    nesterov: bool,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>, ArgumentError> {
    let sgd = Sgd {
        lr: arguments.scalar("lr"),
        momentum: arguments.scalar("momentum"),
        dampening: arguments.scalar("dampening"),
        weight_decay: arguments.scalar("weight_decay"),
        nesterov: arguments.switch("nesterov"),
    };
    if sgd.nesterov && (sgd.momentum.is_zero() || !sgd.dampening.is_zero()) {
        let reason = "nesterov needs a momentum and no dampening";
        return Err(ArgumentError::Together { signature: arguments.signature, reason });
    }
    Ok(Box::new(sgd))
}

impl Optimizer for Sgd {
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots) {
        for update in updates {
            let mut direction = decayed(b, update, self.weight_decay);
            if !self.momentum.is_zero() {
                direction = self.with_momentum(b, update, direction, slots);
            }
            let change = self.lr.times(b, direction);
            let next = ops::sub(b, update.parameter, change);
            set_next(b, update.parameter, next);
        }
    }
}

impl Sgd {
    fn with_momentum(&self, b: &mut Builder<'_>, update: &Update, gradient: ValueId, slots: &mut Slots) -> ValueId {
        let before = slots.like(b, "momentum", update);
        let kept = self.momentum.times(b, before);
        let taken = match self.dampening.is_zero() {
            true => gradient,
            false => self.share(b, slots).times(b, gradient),
        };
        let after = ops::add(b, kept, taken);
        set_next(b, before, after);
        if !self.nesterov {
            return after;
        }
        let ahead = self.momentum.times(b, after);
        ops::add(b, gradient, ahead)
    }

    /// How much of the gradient enters the momentum: 1 - dampening, but all of it in the first run, where the slot
    /// `started` is still 0.
    fn share(&self, b: &mut Builder<'_>, slots: &mut Slots) -> Scalar {
        let started = slots.scalar(b, "started", |b, _| ops::constant(b, 1.0, DType::F32));
        let dampened = self.dampening.times(b, started.before);
        let one = ops::constant(b, 1.0, DType::F32);
        Scalar::Graph(ops::sub(b, one, dampened))
    }
}
