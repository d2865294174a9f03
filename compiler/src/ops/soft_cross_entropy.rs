//! Cross-entropy of logits against class probabilities, by PyTorch's rules.

use super::class_labels::{class_axis, classes, infer_weight};
use super::cross_entropy::{class_weighted, infer_smoothing, smoothed};
use super::log_softmax::log_probabilities;
use super::losses::{REDUCTIONS, Reduction};
use super::{broadcast_over, exp, log_softmax, mul, neg, reduction, scale, sub, sum};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId, Vjp,
};
use crate::shape::Type;

/// The op.
pub struct SoftCrossEntropy;

/// What a call is made of, with the classes on the axis of the logits.
struct Parts {
    axis: usize,
    /// The target after smoothing, without and with the weights of the classes.
    target: [ValueId; 2],
    logarithms: ValueId,
    weight: Option<ValueId>,
}

impl Parts {
    fn new(b: &mut Builder<'_>, call: &Call) -> Parts {
        let (axis, weight) = (class_axis(&call.operand_types[0]), call.operands.get(2).copied());
        let target = smoothed(b, call.operands[1], call.attributes.float("label_smoothing"));
        let weighted = class_weighted(b, target, weight);
        Parts { axis, target: [target, weighted], logarithms: log_softmax(b, call.operands[0], axis), weight }
    }

    /// The derivative of each loss by its logits: the probabilities times the sum of the target, less the target.
    fn by_logits(&self, b: &mut Builder<'_>) -> ValueId {
        let (target, probabilities) = (self.target[1], exp(b, self.logarithms));
        let (total, shape) = (sum(b, target, &[self.axis]), b.shape(target));
        let total = broadcast_over(b, total, &[self.axis], &shape);
        let expected = mul(b, probabilities, total);
        sub(b, expected, target)
    }
}

impl Op for SoftCrossEntropy {
    fn name(&self) -> &'static str {
        "soft_cross_entropy"
    }

    fn doc(&self) -> &'static str {
        "soft_cross_entropy {label_smoothing, reduction} (logits: F<N, C, S>, p: F<N, C, S>, w: F<C>) -> F, or F<N, S> without reduction; also F<C>: the mean or sum of -sum(w * t * log_softmax(logits)) over the classes, where t is (1 - label_smoothing) * p + label_smoothing / C and w is 1 if left out; the gradient is (softmax(logits) * sum(w * t) - w * t) * g / number of losses, that of p is -(1 - label_smoothing) * w * log_softmax(logits) * g / number of losses"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let types = infer.all();
        let (&[logits, target] | &[logits, target, _]) = types else {
            return infer.error(format!("takes 2 or 3 operands, not {}", types.len()));
        };
        infer.float(logits)?;
        infer.same_dtype(logits, target)?;
        let axis = infer.axis(logits, class_axis(logits))?;
        infer.same_shape(logits, target)?;
        if classes(logits).known() == Some(0) {
            return infer.error(format!("axis {axis} of {logits} is empty"));
        }
        if let Some(weight) = types.get(2) {
            infer_weight(infer, logits, weight)?;
        }
        infer_smoothing(infer)?;
        let losses = reduction::without(&logits.shape, &[axis]);
        Ok(vec![Type::new(logits.dtype, Reduction::infer(infer, REDUCTIONS)?.shape(losses))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let (parts, shape) = (Parts::new(b, call), &call.operand_types[0].shape);
        let losses = reduction::without(shape, &[parts.axis]);
        let each = Reduction::of(&call.attributes).cotangent(b, g, &losses);
        let each = broadcast_over(b, each, &[parts.axis], shape);
        let slope = parts.by_logits(b);
        let logits = mul(b, slope, each);
        let minus = neg(b, parts.logarithms);
        let unweighted = mul(b, minus, each);
        let target = class_weighted(b, unweighted, parts.weight);
        let target = scale(b, target, 1.0 - call.attributes.float("label_smoothing"));
        let mut flows = vec![Some(logits), Some(target)];
        if parts.weight.is_some() {
            let by_class = mul(b, unweighted, parts.target[0]);
            let others: Vec<usize> = (0..shape.rank()).filter(|&axis| axis != parts.axis).collect();
            flows.push(Some(sum(b, by_class, &others)));
        }
        Vjp::Operands(flows)
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let parts = Parts::new(b, call);
        let products = mul(b, parts.target[1], parts.logarithms);
        let total = sum(b, products, &[parts.axis]);
        let losses = neg(b, total);
        vec![Reduction::of(&call.attributes).apply(b, losses)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (logits, smoothing) = (operands[0], call.attributes.float("label_smoothing"));
        let axis = class_axis(&call.operand_types[0]);
        let (count, logarithms) = (logits.shape[axis], log_probabilities(logits, axis));
        let losses = [&logits.shape[..axis], &logits.shape[axis + 1..]].concat();
        let losses = Array::build(logits.dtype, &losses, |point| {
            let loss = |class: usize| {
                let place = [&point[..axis], &[class], &point[axis..]].concat();
                let weight = operands.get(2).map_or(1.0, |weight| weight.elements[class]);
                let target = (1.0 - smoothing) * operands[1].at(&place) + smoothing / count as f64;
                -weight * target * logarithms.at(&place)
            };
            (0..count).map(loss).sum()
        });
        vec![Reduction::of(&call.attributes).reference(losses)]
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes: [&[usize]; 7] = [&[4, 3], &[3, 7], &[1, 5], &[5, 1], &[2, 3, 5], &[5], &[0, 3]];
        let sample = |word, smoothing, weighted: bool, shape: &[usize]| {
            let operand =
                |shape: &[usize], low, high| SampleOperand::numbers(DType::F32, shape, Fill::Between(low, high));
            let mut operands = vec![operand(shape, -3.0, 3.0), operand(shape, 0.0, 1.0)];
            operands.extend(weighted.then(|| operand(&[shape[usize::from(shape.len() > 1)]], 0.5, 2.0)));
            let attributes = Reduction::attribute(word).with("label_smoothing", Attribute::Float(smoothing));
            Sample { attributes, operands }
        };
        let mut samples: Vec<Sample> =
            REDUCTIONS.iter().flat_map(|word| shapes.map(|shape| sample(word, 0.0, false, shape))).collect();
        for (word, smoothing, weighted) in [("mean", 0.2, false), ("sum", 0.0, true), ("none", 0.3, true)] {
            samples.extend(shapes.map(|shape| sample(word, smoothing, weighted, shape)));
        }
        samples
    }
}
