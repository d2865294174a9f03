//! The loss of triplets: an anchor, something near it and something far from it.

use super::hinge_embedding::positive_part;
use super::losses::{REDUCTIONS, Reduction};
use super::pairwise_distance::{distance, infer_norm};
use super::{add, constant_like, minimum, pairwise_distance, reduction, sub};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::shape::Type;

/// The op.
pub struct TripletMargin;

impl Op for TripletMargin {
    fn name(&self) -> &'static str {
        "triplet_margin"
    }

    fn doc(&self) -> &'static str {
        "triplet_margin {eps, margin, p, reduction, swap} (a: F<S, D>, p: F<S, D>, n: F<S, D>) -> F, or F<S> without reduction: max(0, margin + |a - p| - |a - n|) by pairwise_distance, with swap the smaller of |a - n| and |p - n|; the gradient is that of this formula, and flows where the difference is 0"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [anchor, positive, negative] = infer.operands()?;
        infer.float(anchor)?;
        for other in [positive, negative] {
            infer.same_dtype(anchor, other)?;
            infer.same_shape(anchor, other)?;
        }
        infer_norm(infer)?;
        let margin = infer.attributes.float("margin");
        if margin.is_nan() || margin <= 0.0 {
            return infer.error(format!("margin is above 0, not {margin}"));
        }
        let Some(axis) = anchor.rank().checked_sub(1) else {
            return infer.error(format!("takes vectors, not {anchor}"));
        };
        let losses = reduction::without(&anchor.shape, &[axis]);
        Ok(vec![Type::new(anchor.dtype, Reduction::infer(infer, REDUCTIONS)?.shape(losses))])
    }

    fn vjp(&self, _b: &mut Builder<'_>, _call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::Expand
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let (attributes, anchor, positive) = (&call.attributes, call.operands[0], call.operands[1]);
        let negative = call.operands[2];
        let (p, eps) = (attributes.float("p"), attributes.float("eps"));
        let near = pairwise_distance(b, anchor, positive, p, eps);
        let mut far = pairwise_distance(b, anchor, negative, p, eps);
        if attributes.bool("swap") {
            let other = pairwise_distance(b, positive, negative, p, eps);
            far = minimum(b, far, other);
        }
        let margin = constant_like(b, attributes.float("margin"), near);
        let near = add(b, margin, near);
        let excess = sub(b, near, far);
        let losses = positive_part(b, excess);
        vec![Reduction::of(attributes).apply(b, losses)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (attributes, shape) = (&call.attributes, &operands[0].shape);
        let losses = Array::build(operands[0].dtype, &shape[..shape.len() - 1], |point| {
            let (p, eps) = (attributes.float("p"), attributes.float("eps"));
            let between = |x: usize, y: usize| distance(operands[x], operands[y], point, p, eps);
            let far = if attributes.bool("swap") { between(0, 2).min(between(1, 2)) } else { between(0, 2) };
            (attributes.float("margin") + between(0, 1) - far).max(0.0)
        });
        vec![Reduction::of(attributes).reference(losses)]
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes: [&[usize]; 6] = [&[4, 3], &[3, 7], &[1, 5], &[5, 1], &[5], &[0, 3]];
        let operand = |shape: &[usize]| SampleOperand::numbers(DType::F32, shape, Fill::Between(-2.0, 2.0));
        let attributes = |reduction, p, swap| {
            let attributes: Attributes = Reduction::attribute(reduction).with("margin", Attribute::Float(1.0));
            let attributes = attributes.with("eps", Attribute::Float(1e-6)).with("p", Attribute::Float(p));
            attributes.with("swap", Attribute::Bool(swap))
        };
        let cases = [("mean", 2.0, false), ("sum", 2.0, true), ("none", 2.0, true), ("none", 1.0, false)];
        let sample = |(reduction, p, swap), shape: &[usize]| Sample {
            attributes: attributes(reduction, p, swap),
            operands: vec![operand(shape); 3],
        };
        cases.iter().flat_map(|&case| shapes.map(|shape| sample(case, shape))).collect()
    }
}
