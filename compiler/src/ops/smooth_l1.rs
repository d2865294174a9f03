//! The smoothed absolute error: Huber's error divided by where it turns.

use super::element_loss::ElementLoss;
use super::losses::REDUCTIONS;
use super::{huber, l1, scale};
use crate::graph::{Attribute, Attributes, Fill};

/// The op.
pub static SMOOTH_L1: ElementLoss = ElementLoss {
    name: "smooth_l1",
    doc: "smooth_l1 {beta, reduction} (x: F<S>, y: F<S>) -> F, or F<S> without reduction: 0.5 * pow(x - y, 2) / beta where |x - y| is below beta, else |x - y| - 0.5 * beta; the gradient is x - y clamped to beta, over beta, and that of l1 for beta = 0",
    fills: &[Fill::Distinct; 2],
    required: 2,
    whole_target: false,
    reductions: REDUCTIONS,
    attributes: || [0.7, 1.0, 0.0].map(|beta| Attributes::none().with("beta", Attribute::Float(beta))).to_vec(),
    refused: |attributes| {
        let beta = attributes.float("beta");
        (beta.is_nan() || beta < 0.0).then(|| format!("beta is at least 0, not {beta}"))
    },
    scalar: |attributes, x| {
        let (beta, error) = (attributes.float("beta"), (x[0] - x[1]).abs());
        if error < beta { 0.5 * error * error / beta } else { error - 0.5 * beta }
    },
    losses: |b, attributes, x| match attributes.float("beta") {
        0.0 => l1::losses(b, x),
        beta => {
            let losses = huber::losses(b, beta, x);
            scale(b, losses, 1.0 / beta)
        }
    },
    slopes: |b, attributes, x| match attributes.float("beta") {
        0.0 => l1::slopes(b, x),
        beta => {
            let slopes = huber::slopes(b, beta, x).into_iter();
            slopes.map(|slope| slope.map(|slope| scale(b, slope, 1.0 / beta))).collect()
        }
    },
};
