//! Binary cross-entropy of logits.

use super::element_loss::ElementLoss;
use super::losses::REDUCTIONS;
use super::{abs, add, constant_like, exp, log1p, maximum, mul, neg, sigmoid, sub};
use crate::graph::{Attributes, Builder, Fill, ValueId};

/// The op.
pub static BCE_WITH_LOGITS: ElementLoss = ElementLoss {
    name: "bce_with_logits",
    doc: "bce_with_logits {reduction} (x: F<S>, y: F<S>, w: F<S>, p: F<S>) -> F, or F<S> without reduction: w * ((1 - y) * log(1 + exp(x)) + p * y * log(1 + exp(-x))), where w and p are 1 if left out; the gradient of x is w * ((p * y + 1 - y) * sigmoid(x) - p * y)",
    fills: &[Fill::Distinct, Fill::Between(0.0, 1.0), Fill::Between(0.5, 2.0), Fill::Between(0.5, 3.0)],
    required: 2,
    whole_target: false,
    reductions: REDUCTIONS,
    attributes: || vec![Attributes::none()],
    refused: |_| None,
    scalar: |_, x| {
        let (weight, positive) = (x.get(2).unwrap_or(&1.0), x.get(3).unwrap_or(&1.0));
        let sigmoid = 1.0 / (1.0 + (-x[0]).exp());
        -weight * (positive * x[1] * sigmoid.ln() + (1.0 - x[1]) * (1.0 - sigmoid).ln())
    },
    losses: |b, _, x| {
        let parts = Parts::new(b, x);
        let losses = parts.unweighted(b);
        parts.weighted(b, losses)
    },
    slopes: |b, _, x| {
        let parts = Parts::new(b, x);
        let by_logit = parts.by_logit(b, x);
        let positive = parts.positive.map_or(parts.below, |positive| mul(b, positive, parts.below));
        let by_target = sub(b, positive, parts.above);
        let mut slopes = vec![Some(parts.weighted(b, by_logit)), Some(parts.weighted(b, by_target))];
        if x.len() > 2 {
            slopes.push(Some(parts.unweighted(b)));
        }
        if x.len() > 3 {
            let by_positive = mul(b, x[1], parts.below);
            slopes.push(Some(parts.weighted(b, by_positive)));
        }
        slopes
    },
};

struct Parts {
    target: ValueId,
    /// One less the target.
    rest: ValueId,
    /// log(1 + exp(x)).
    above: ValueId,
    /// log(1 + exp(-x)).
    below: ValueId,
    weight: Option<ValueId>,
    positive: Option<ValueId>,
}

impl Parts {
    /// Both logarithms begin with that of 1 + exp(-|x|), so that no exponential is larger than 1.
    fn new(b: &mut Builder<'_>, x: &[ValueId]) -> Parts {
        let (zero, one) = (constant_like(b, 0.0, x[0]), constant_like(b, 1.0, x[0]));
        let (size, minus) = (abs(b, x[0]), neg(b, x[0]));
        let exponent = neg(b, size);
        let power = exp(b, exponent);
        let logarithm = log1p(b, power);
        let (high, low) = (maximum(b, x[0], zero), maximum(b, minus, zero));
        Parts {
            target: x[1],
            rest: sub(b, one, x[1]),
            above: add(b, high, logarithm),
            below: add(b, low, logarithm),
            weight: x.get(2).copied(),
            positive: x.get(3).copied(),
        }
    }

    fn unweighted(&self, b: &mut Builder<'_>) -> ValueId {
        let target = self.target(b);
        let (above, below) = (mul(b, self.rest, self.above), mul(b, target, self.below));
        add(b, above, below)
    }

    fn by_logit(&self, b: &mut Builder<'_>, x: &[ValueId]) -> ValueId {
        let (target, probability) = (self.target(b), sigmoid(b, x[0]));
        if self.positive.is_none() {
            return sub(b, probability, target);
        }
        let all = add(b, target, self.rest);
        let expected = mul(b, all, probability);
        sub(b, expected, target)
    }

    /// The target times the weight of positives.
    fn target(&self, b: &mut Builder<'_>) -> ValueId {
        self.positive.map_or(self.target, |positive| mul(b, positive, self.target))
    }

    /// Times the weights, if there are any.
    fn weighted(&self, b: &mut Builder<'_>, losses: ValueId) -> ValueId {
        self.weight.map_or(losses, |weight| mul(b, losses, weight))
    }
}
