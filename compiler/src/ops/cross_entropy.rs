//! Cross-entropy of logits against class numbers, by PyTorch's rules.

use super::class_labels::{self, Labels, class_axis, classes};
use super::log_softmax::log_probabilities;
use super::losses::Reduction;
use super::nll::nll;
use super::{add, broadcast, broadcast_over, exp, log_softmax, move_last, mul, one_hot, reciprocal, scale, sub, sum};
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp,
};
use crate::shape::Type;

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
    let attributes = Reduction::attribute(reduction).with("ignore_index", Attribute::Int(-100));
    b.apply(&CrossEntropy, attributes.with("label_smoothing", Attribute::Float(label_smoothing)), &[logits, labels])
}

/// Demands a label smoothing that is a share.
pub fn infer_smoothing(infer: &Infer<'_>) -> Result<(), TypeError> {
    let smoothing = infer.attributes.float("label_smoothing");
    if (0.0..=1.0).contains(&smoothing) {
        return Ok(());
    }
    infer.error(format!("label_smoothing is between 0 and 1, not {smoothing}"))
}

/// The probabilities that the labels stand for: 1 at the label, or smoothed toward the uniform distribution.
fn target(b: &mut Builder<'_>, labels: &Labels, call: &Call) -> ValueId {
    let (logits, smoothing) = (&call.operand_types[0], call.attributes.float("label_smoothing"));
    let target = one_hot(b, labels.class, classes(logits), logits.dtype);
    let target = move_last(b, target, class_axis(logits));
    smoothed(b, target, smoothing)
}

/// Probabilities with the classes where logits have them, smoothed toward the uniform distribution.
pub fn smoothed(b: &mut Builder<'_>, probabilities: ValueId, smoothing: f64) -> ValueId {
    if smoothing == 0.0 {
        return probabilities;
    }
    let ty = b.ty(probabilities).clone();
    let sharp = scale(b, probabilities, 1.0 - smoothing);
    let uniform = reciprocal(b, classes(&ty), ty.dtype);
    let uniform = scale(b, uniform, smoothing);
    let uniform = broadcast(b, uniform, &ty.shape);
    add(b, sharp, uniform)
}

/// The loss of each label where the target is smoothed.
fn smooth_losses(b: &mut Builder<'_>, labels: &Labels, call: &Call, logarithms: ValueId) -> ValueId {
    let (logits, smoothing) = (&call.operand_types[0], call.attributes.float("label_smoothing"));
    let picked = labels.picked(b, logarithms);
    let picked = labels.weighted(b, picked);
    let sharp = scale(b, picked, smoothing - 1.0);
    let weighted = class_weighted(b, logarithms, call.operands.get(2).copied());
    let total = sum(b, weighted, &[class_axis(logits)]);
    let share = reciprocal(b, classes(logits), logits.dtype);
    let share = scale(b, share, -smoothing);
    let shape = b.shape(total);
    let share = broadcast(b, share, &shape);
    let uniform = mul(b, total, share);
    add(b, sharp, uniform)
}

/// A value per class times the weights of the classes, if there are any.
pub fn class_weighted(b: &mut Builder<'_>, x: ValueId, weight: Option<ValueId>) -> ValueId {
    let Some(weight) = weight else { return x };
    let ty = b.ty(x).clone();
    let others: Vec<usize> = (0..ty.rank()).filter(|&axis| axis != class_axis(&ty)).collect();
    let weight = broadcast_over(b, weight, &others, &ty.shape);
    mul(b, x, weight)
}

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn doc(&self) -> &'static str {
        "cross_entropy {ignore_index, label_smoothing, reduction} (logits: F<N, C, S>, labels: u32<N, S>, w: F<C>) -> F, or F<N, S> without reduction; also (F<C>, u32): the mean or sum of -sum(w * t * log_softmax(logits)) over the classes, where t is (1 - label_smoothing) * one_hot(labels) + label_smoothing / C and w is 1 if left out; 0 where the label is ignore_index; the mean divides by the weights of the labels that are not ignored. Without w the gradient is (softmax(logits) - t) * g / number of labels. A label past the end counts as the last class in the loss, as none in the gradient"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        if let &[logits, target, ..] = infer.all()
            && target.dtype.is_float()
        {
            return infer.error(format!("takes u32 labels, or class probabilities {logits}, not {target}"));
        }
        let ty = class_labels::infer_type(infer)?;
        infer_smoothing(infer)?;
        Ok(vec![ty])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        if call.operands.len() > 2 {
            return Vjp::Expand;
        }
        let (labels, logits) = (Labels::new(b, call), &call.operand_types[0]);
        let axis = class_axis(logits);
        // The same node as in the expansion of the loss, so that both are one after simplification.
        let logarithms = log_softmax(b, call.operands[0], axis);
        let probabilities = exp(b, logarithms);
        let target = target(b, &labels, call);
        let difference = sub(b, probabilities, target);
        let each = labels.cotangent(b, Reduction::of(&call.attributes), g);
        let each = broadcast_over(b, each, &[axis], &logits.shape);
        Vjp::Operands(vec![Some(mul(b, difference, each)), None])
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let logarithms = log_softmax(b, call.operands[0], class_axis(&call.operand_types[0]));
        if call.attributes.float("label_smoothing") == 0.0 {
            let operands = [&[logarithms], &call.operands[1..]].concat();
            return vec![nll(b, &operands, &call.attributes)];
        }
        let labels = Labels::new(b, call);
        let losses = smooth_losses(b, &labels, call, logarithms);
        vec![labels.reduced(b, Reduction::of(&call.attributes), losses)]
    }

    fn index_bound(&self, call: &Call) -> Option<(usize, usize)> {
        class_labels::index_bound(call)
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (logits, smoothing) = (operands[0], call.attributes.float("label_smoothing"));
        let axis = class_axis(&call.operand_types[0]);
        let count = logits.shape[axis];
        let logarithms = log_probabilities(logits, axis);
        let loss = |point: &[usize], label: usize| {
            let weight = |class: usize| operands.get(2).map_or(1.0, |weight| weight.elements[class]);
            let of =
                |class: usize| -weight(class) * logarithms.at(&[&point[..axis], &[class], &point[axis..]].concat());
            let uniform = || (0..count).map(of).sum::<f64>() / count as f64;
            if smoothing == 0.0 { of(label) } else { (1.0 - smoothing) * of(label) + smoothing * uniform() }
        };
        vec![class_labels::reference(call, operands, loss)]
    }

    fn samples(&self) -> Vec<Sample> {
        let smoothings = [0.0, 0.2].map(|s| Attributes::none().with("label_smoothing", Attribute::Float(s)));
        class_labels::samples(Fill::Between(-3.0, 3.0), &smoothings)
    }
}
