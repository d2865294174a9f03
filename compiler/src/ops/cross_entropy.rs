//! Cross-entropy of logits against class numbers, by PyTorch's rules.

use super::log_softmax::log_probabilities;
use super::losses::Reduction;
use super::{
    add, broadcast, broadcast_over, exp, gather, log_softmax, move_last, mul, neg, one_hot, reciprocal, reduction,
    reshape, scale, sub, sum, unsqueeze,
};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct CrossEntropy;

/// The cross-entropy of logits, with the classes on axis 1 (axis 0 of a vector), against class numbers; `reduction` is
/// mean, sum or none.
pub fn cross_entropy(
    b: &mut Builder<'_>,
    logits: ValueId,
    labels: ValueId,
    label_smoothing: f64,
    reduction: &str,
) -> ValueId {
    b.apply(&CrossEntropy, attributes(label_smoothing, reduction), &[logits, labels])
}

fn attributes(label_smoothing: f64, reduction: &str) -> Attributes {
    Attributes::none()
        .with("label_smoothing", Attribute::Float(label_smoothing))
        .with("reduction", Attribute::Word(reduction.to_string()))
}

/// The axis of the classes.
fn class_axis(logits: &Type) -> usize {
    usize::from(logits.rank() > 1)
}

fn classes(logits: &Type) -> Extent {
    logits.shape.extents()[class_axis(logits)].clone()
}

/// The probabilities that the labels stand for: 1 at the label, or smoothed toward the uniform distribution.
fn target(b: &mut Builder<'_>, call: &Call) -> ValueId {
    let (logits, smoothing) = (&call.operand_types[0], call.attributes.float("label_smoothing"));
    let target = one_hot(b, call.operands[1], classes(logits), logits.dtype);
    let target = move_last(b, target, class_axis(logits));
    if smoothing == 0.0 {
        return target;
    }
    let sharp = scale(b, target, 1.0 - smoothing);
    let uniform = reciprocal(b, classes(logits), logits.dtype);
    let uniform = scale(b, uniform, smoothing);
    let uniform = broadcast(b, uniform, &logits.shape);
    add(b, sharp, uniform)
}

/// The loss of each label.
fn losses(b: &mut Builder<'_>, call: &Call) -> ValueId {
    let (logits, labels) = (&call.operand_types[0], &call.operand_types[1]);
    let (axis, smoothing) = (class_axis(logits), call.attributes.float("label_smoothing"));
    let logarithms = log_softmax(b, call.operands[0], axis);
    let index = unsqueeze(b, call.operands[1], &[axis]);
    let picked = gather(b, logarithms, index, axis);
    let picked = reshape(b, picked, &labels.shape);
    if smoothing == 0.0 {
        return neg(b, picked);
    }
    let sharp = scale(b, picked, smoothing - 1.0);
    let total = sum(b, logarithms, &[axis]);
    let share = reciprocal(b, classes(logits), logits.dtype);
    let share = scale(b, share, -smoothing);
    let share = broadcast(b, share, &labels.shape);
    let uniform = mul(b, total, share);
    add(b, sharp, uniform)
}

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn doc(&self) -> &'static str {
        "cross_entropy {label_smoothing, reduction} (logits: F<N, C, S>, labels: u32<N, S>) -> F, or F<N, S> without reduction; also (F<C>, u32): the mean or sum of -sum(t * log_softmax(logits)) over the classes, where t is (1 - label_smoothing) * one_hot(labels) + label_smoothing / C; the gradient is (softmax(logits) - t) * g / number of labels. A label past the end counts as the last class in the loss, as none in the gradient"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [logits, labels] = infer.operands()?;
        infer.float(logits)?;
        if labels.dtype != DType::U32 {
            return infer.error(format!("takes u32 labels, not {}", labels.dtype));
        }
        let axis = infer.axis(logits, class_axis(logits))?;
        let expected = Type::new(DType::U32, reduction::without(&logits.shape, &[axis]));
        if expected.rank() != labels.rank() {
            return infer.error(format!("takes labels {expected} for logits {logits}, not {labels}"));
        }
        if classes(logits).known() == Some(0) {
            return infer.error(format!("axis {axis} of {logits} is empty"));
        }
        let losses = infer.same_shape(labels, &expected)?;
        let smoothing = infer.attributes.float("label_smoothing");
        if !(0.0..=1.0).contains(&smoothing) {
            return infer.error(format!("label_smoothing is between 0 and 1, not {smoothing}"));
        }
        Ok(vec![Type::new(logits.dtype, Reduction::infer(infer)?.shape(losses))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let (logits, labels) = (&call.operand_types[0], &call.operand_types[1]);
        let axis = class_axis(logits);
        // The same node as in the expansion of the loss, so that both are one after simplification.
        let logarithms = log_softmax(b, call.operands[0], axis);
        let probabilities = exp(b, logarithms);
        let target = target(b, call);
        let difference = sub(b, probabilities, target);
        let each = Reduction::of(&call.attributes).cotangent(b, g, &labels.shape);
        let each = match b.ty(each).rank() {
            0 => broadcast(b, each, &logits.shape),
            _ => broadcast_over(b, each, &[axis], &logits.shape),
        };
        Vjp::Operands(vec![Some(mul(b, difference, each)), None])
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let losses = losses(b, call);
        vec![Reduction::of(&call.attributes).apply(b, losses)]
    }

    fn index_bound(&self, call: &Call) -> Option<(usize, usize)> {
        Some((1, call.operand_shape(0)[class_axis(&call.operand_types[0])]))
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (logits, labels, smoothing) = (operands[0], operands[1], call.attributes.float("label_smoothing"));
        let axis = class_axis(&call.operand_types[0]);
        let count = logits.shape[axis];
        let logarithms = log_probabilities(logits, axis);
        let loss = |point: &[usize]| {
            let of = |class: usize| logarithms.at(&[&point[..axis], &[class], &point[axis..]].concat());
            let sharp = -of((labels.at(point) as usize).min(count - 1));
            let uniform = || -(0..count).map(of).sum::<f64>() / count as f64;
            if smoothing == 0.0 { sharp } else { (1.0 - smoothing) * sharp + smoothing * uniform() }
        };
        let losses = Array::build(logits.dtype, &labels.shape, loss);
        vec![Reduction::of(&call.attributes).reference(losses)]
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes: [&[usize]; 7] = [&[4, 3], &[3, 7], &[1, 5], &[5, 1], &[2, 3, 5], &[5], &[0, 3]];
        let cases = [(0.0, "mean"), (0.1, "mean"), (0.0, "sum"), (0.3, "sum"), (0.0, "none"), (0.2, "none")];
        let sample = |(smoothing, reduction): (f64, &str), shape: &[usize]| {
            let logits = SampleOperand::numbers(DType::F32, shape, Fill::Between(-3.0, 3.0));
            let axis = class_axis(&logits.ty);
            let labels = Type::new(DType::U32, reduction::without(&Shape::from_known(shape), &[axis]));
            let labels = SampleOperand { ty: labels, fill: Fill::Below(shape[axis] as u32) };
            Sample { attributes: attributes(smoothing, reduction), operands: vec![logits, labels] }
        };
        cases.iter().flat_map(|&case| shapes.map(|shape| sample(case, shape))).collect()
    }
}
