//! Adam, by PyTorch's rule.
//!
//! With the gradient g (plus weight_decay * p): m = m + (1 - beta1) * (g - m), v = beta2 * v + (1 - beta2) * g * g,
//! p = p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps), where amsgrad takes the largest v so far under the
//! root.

use super::arguments::{Argument, ArgumentError, Arguments, Kind, Scalar, Signature, Value};
use super::{Optimizer, Slots, Update, decayed, set_next};
use crate::dtype::DType;
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The signature.
pub const SIGNATURE: Signature = Signature {
    name: "Adam",
    arguments: &[
        Argument { name: "lr", kind: Kind::Scalar, default: Some(Value::Number(1e-3)) },
        Argument { name: "betas", kind: Kind::Fractions, default: Some(Value::Pair(0.9, 0.999)) },
        Argument { name: "eps", kind: Kind::Number, default: Some(Value::Number(1e-8)) },
        Argument { name: "weight_decay", kind: Kind::Scalar, default: Some(Value::Number(0.0)) },
        Argument { name: "amsgrad", kind: Kind::Switch, default: Some(Value::Switch(false)) },
    ],
    build,
};

struct Adam {
    lr: Scalar,
    betas: (f64, f64),
    eps: f64,
    weight_decay: Scalar,
    amsgrad: bool,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>, ArgumentError> {
    Ok(Box::new(Adam {
        lr: arguments.scalar("lr"),
        betas: arguments.fractions("betas"),
        eps: arguments.number("eps"),
        weight_decay: arguments.scalar("weight_decay"),
        amsgrad: arguments.switch("amsgrad"),
    }))
}

impl Optimizer for Adam {
    fn update(&self, b: &mut Builder<'_>, updates: &[Update], slots: &mut Slots) {
        let rates = self.rates(b, slots);
        for update in updates {
            let gradient = decayed(b, update, self.weight_decay);
            let mean = self.mean(b, update, gradient, slots);
            let scale = self.scale(b, update, gradient, slots, rates.root);
            let direction = ops::div(b, mean, scale);
            let change = rates.step.times(b, direction);
            let next = ops::sub(b, update.parameter, change);
            set_next(b, update.parameter, next);
        }
    }
}

/// What all parameters share in one run.
struct Rates {
    /// lr / (1 - beta1^t)
    step: Scalar,
    /// 1 / sqrt(1 - beta2^t)
    root: Scalar,
}

impl Adam {
    fn rates(&self, b: &mut Builder<'_>, slots: &mut Slots) -> Rates {
        let first = correction(b, slots, "correction1", self.betas.0);
        let second = correction(b, slots, "correction2", self.betas.1);
        let lr = self.lr.value(b, DType::F32);
        let step = ops::div(b, lr, first);
        let root = ops::sqrt(b, second);
        let one = ops::constant(b, 1.0, DType::F32);
        let root = ops::div(b, one, root);
        Rates { step: Scalar::Graph(step), root: Scalar::Graph(root) }
    }

    /// The running mean of the gradient.
    fn mean(&self, b: &mut Builder<'_>, update: &Update, gradient: ValueId, slots: &mut Slots) -> ValueId {
        let before = slots.like(b, "mean", update);
        let difference = ops::sub(b, gradient, before);
        let change = Scalar::Constant(1.0 - self.betas.0).times(b, difference);
        let after = ops::add(b, before, change);
        set_next(b, before, after);
        after
    }

    /// sqrt(v) / sqrt(1 - beta2^t) + eps
    fn scale(
        &self,
        b: &mut Builder<'_>,
        update: &Update,
        gradient: ValueId,
        slots: &mut Slots,
        root: Scalar,
    ) -> ValueId {
        let before = slots.like(b, "square", update);
        let kept = Scalar::Constant(self.betas.1).times(b, before);
        let square = ops::mul(b, gradient, gradient);
        let taken = Scalar::Constant(1.0 - self.betas.1).times(b, square);
        let mut square = ops::add(b, kept, taken);
        set_next(b, before, square);
        if self.amsgrad {
            let largest = slots.like(b, "largest", update);
            square = ops::maximum(b, largest, square);
            set_next(b, largest, square);
        }
        let deviation = ops::sqrt(b, square);
        let corrected = root.times(b, deviation);
        let eps = ops::constant_like(b, self.eps, corrected);
        ops::add(b, corrected, eps)
    }
}

/// 1 - beta^t, kept in a slot: beta * before + (1 - beta). A power of t steps would lose what is left of a beta close to 1
/// to rounding.
fn correction(b: &mut Builder<'_>, slots: &mut Slots, slot: &str, beta: f64) -> ValueId {
    let next = |b: &mut Builder<'_>, before: ValueId| {
        let kept = Scalar::Constant(beta).times(b, before);
        let rest = ops::constant(b, 1.0 - beta, DType::F32);
        ops::add(b, kept, rest)
    };
    slots.scalar(b, slot, next).after
}
