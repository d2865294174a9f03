//! What all optimizers share: which way a gradient points, the pull of the weight decay, and the step itself.

use super::{Arguments, Scalar, Update};
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The arguments `lr`, `weight_decay` and `maximize`.
#[derive(Clone, Copy, Debug)]
pub struct Descent {
    /// How far a step goes.
    pub lr: Scalar,
    /// How strongly parameters are pulled to 0.
    pub weight_decay: Scalar,
    /// Whether the pull is apart from the gradient: p = p - lr * weight_decay * p.
    decoupled: bool,
    maximize: bool,
}

impl Descent {
    /// The pull of the weight decay is part of the gradient: g + weight_decay * p.
    pub fn coupled(arguments: &Arguments) -> Descent {
        Descent {
            lr: arguments.scalar("lr"),
            weight_decay: arguments.scalar("weight_decay"),
            decoupled: false,
            maximize: arguments.switch("maximize"),
        }
    }

    /// The pull of the weight decay is apart from the gradient.
    pub fn decoupled(arguments: &Arguments) -> Descent {
        Descent { decoupled: true, ..Descent::coupled(arguments) }
    }

    /// As the argument `decoupled_weight_decay` says.
    pub fn either(arguments: &Arguments) -> Descent {
        Descent { decoupled: arguments.switch("decoupled_weight_decay"), ..Descent::coupled(arguments) }
    }

    /// The gradient of what becomes smaller.
    pub fn slope(&self, b: &mut Builder<'_>, update: &Update) -> ValueId {
        if self.maximize { ops::neg(b, update.gradient) } else { update.gradient }
    }

    /// The slope, with the pull of the weight decay unless that is decoupled.
    pub fn gradient(&self, b: &mut Builder<'_>, update: &Update) -> ValueId {
        let slope = self.slope(b, update);
        if self.decoupled || self.weight_decay.is_zero() {
            return slope;
        }
        let pull = self.weight_decay.times(b, update.parameter);
        ops::add(b, slope, pull)
    }

    /// Where the step begins: the parameter, after the pull of a weight decay that is decoupled.
    pub fn start(&self, b: &mut Builder<'_>, update: &Update) -> ValueId {
        if !self.decoupled || self.weight_decay.is_zero() {
            return update.parameter;
        }
        let share = self.lr.product(b, self.weight_decay);
        let pull = share.times(b, update.parameter);
        ops::sub(b, update.parameter, pull)
    }

    /// The next value of the parameter: rate * direction away from the start.
    pub fn step(&self, b: &mut Builder<'_>, update: &Update, rate: Scalar, direction: ValueId) -> ValueId {
        let start = self.start(b, update);
        let change = rate.times(b, direction);
        ops::sub(b, start, change)
    }
}
