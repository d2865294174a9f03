//! Gradients are kept from being too large.

use super::minimize::{Group, updates};
use super::{Scalar, squares};
use crate::dtype::DType;
use crate::graph::Builder;
use crate::ops;

/// What `torch.nn.utils.clip_grad_norm_` adds to the norm.
const EPS: f64 = 1e-6;

/// Makes all gradients smaller by one factor, min(1, most / (norm + 1e-6)), with the Euclidean norm over all elements of all
/// of them.
pub fn clip_norm(b: &mut Builder<'_>, groups: &mut [Group], most: Scalar) {
    let mut total = ops::constant(b, 0.0, DType::F32);
    for update in updates(groups) {
        let part = squares(b, update.gradient);
        total = ops::add(b, total, part);
    }
    let norm = ops::sqrt(b, total);
    let eps = ops::constant(b, EPS, DType::F32);
    let under = ops::add(b, norm, eps);
    let factor = most.over(b, Scalar::Graph(under)).value(b, DType::F32);
    let one = ops::constant(b, 1.0, DType::F32);
    let factor = Scalar::Graph(ops::minimum(b, one, factor));
    for update in updates(groups) {
        update.gradient = factor.times(b, update.gradient);
    }
}

/// Brings every element of every gradient to what is nearest in -most to most.
pub fn clip_value(b: &mut Builder<'_>, groups: &mut [Group], most: Scalar) {
    for update in updates(groups) {
        let highest = most.like(b, update.gradient);
        let lowest = ops::neg(b, highest);
        let above = ops::maximum(b, update.gradient, lowest);
        update.gradient = ops::minimum(b, above, highest);
    }
}
