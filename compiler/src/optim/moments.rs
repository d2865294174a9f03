//! Running means of gradients and of their squares, and what makes up for their start at 0.

use super::{Scalar, Slots, Update};
use crate::dtype::DType;
use crate::graph::{Builder, ValueId};
use crate::ops;

/// The running mean of the gradient, in the slot `mean`: m + (1 - beta) * (g - m).
pub fn mean(b: &mut Builder<'_>, slots: &Slots, update: &Update, gradient: ValueId, beta: Scalar) -> ValueId {
    let before = slots.like(b, "mean", update, 0.0);
    let after = toward(b, before, gradient, beta);
    slots.keep(b, before, after);
    after
}

/// The running mean of the square of the gradient, in the slot `square`.
pub fn square(b: &mut Builder<'_>, slots: &Slots, update: &Update, gradient: ValueId, beta: Scalar) -> ValueId {
    let before = slots.like(b, "square", update, 0.0);
    follow_square(b, slots, before, gradient, beta)
}

/// The running mean of the square of a value, in a slot: beta * v + (1 - beta) * x * x.
pub fn follow_square(b: &mut Builder<'_>, slots: &Slots, slot: ValueId, x: ValueId, beta: Scalar) -> ValueId {
    let kept = beta.times(b, slot);
    let square = ops::mul(b, x, x);
    let taken = beta.rest(b).times(b, square);
    let after = ops::add(b, kept, taken);
    slots.keep(b, slot, after);
    after
}

/// Part of the way from a value to another one: m + (1 - beta) * (g - m).
pub fn toward(b: &mut Builder<'_>, from: ValueId, to: ValueId, beta: Scalar) -> ValueId {
    let way = ops::sub(b, to, from);
    let change = beta.rest(b).times(b, way);
    ops::add(b, from, change)
}

/// sqrt(x) * factor + eps
pub fn root(b: &mut Builder<'_>, x: ValueId, factor: Scalar, eps: f64) -> ValueId {
    let root = ops::sqrt(b, x);
    let root = if factor == Scalar::Constant(1.0) { root } else { factor.times(b, root) };
    let eps = ops::constant_like(b, eps, root);
    ops::add(b, root, eps)
}

/// 1 - beta^t for the number t of an update, from 1 on: how much a running mean that began at 0 holds of what it is the mean
/// of.
///
/// Near 1 the difference would lose what is left of beta^t to rounding. With u = tanh(-t * ln(beta) / 2) it is
/// 2 * u / (1 + u), where nothing cancels: the relative error stays below 1e-6 in f32.
pub fn bias_correction(b: &mut Builder<'_>, t: ValueId, beta: f64) -> ValueId {
    if beta == 0.0 {
        return ops::constant_like(b, 1.0, t);
    }
    let half = Scalar::Constant(-0.5 * beta.ln()).times(b, t);
    let u = ops::tanh(b, half);
    let twice = Scalar::Constant(2.0).times(b, u);
    let one = ops::constant_like(b, 1.0, u);
    let sum = ops::add(b, one, u);
    ops::div(b, twice, sum)
}

/// 1 / (1 - beta^t) and 1 / sqrt(1 - beta^t) are what the means of a gradient and the roots of those of a square are
/// multiplied by.
#[derive(Clone, Copy, Debug)]
pub struct Corrections {
    /// 1 - beta1^t
    pub mean: Scalar,
    /// 1 / sqrt(1 - beta2^t)
    pub root: Scalar,
}

impl Corrections {
    /// Those of this update.
    pub fn new(b: &mut Builder<'_>, slots: &mut Slots, betas: (f64, f64)) -> Corrections {
        let t = slots.number(b);
        let mean = bias_correction(b, t, betas.0);
        let square = bias_correction(b, t, betas.1);
        let root = ops::sqrt(b, square);
        let one = ops::constant(b, 1.0, DType::F32);
        let root = ops::div(b, one, root);
        Corrections { mean: Scalar::Graph(mean), root: Scalar::Graph(root) }
    }
}
