//! What losses of class numbers share: scores with the classes on one axis, a label for each lane of it, labels that are
//! ignored, and a weight for each class.
//!
//! A label that is ignored has the loss 0 and counts nothing in the mean. Its place among the scores is taken by class 0,
//! so that what is picked there exists.

use super::losses::{REDUCTIONS, Reduction};
use super::{broadcast, cast, constant_like, div, gather, mul, ne, reduction, reshape, select, sum, unsqueeze};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Sample, SampleOperand, TypeError, ValueId,
};
use crate::scalar::convert;
use crate::shape::{Extent, Shape, Type};

/// The axis of the classes: axis 1, or axis 0 of a vector.
pub fn class_axis(scores: &Type) -> usize {
    usize::from(scores.rank() > 1)
}

/// How many classes there are.
pub fn classes(scores: &Type) -> Extent {
    scores.shape.extents()[class_axis(scores)].clone()
}

/// The type of a loss of scores, labels and perhaps class weights.
pub fn infer_type(infer: &mut Infer<'_>) -> Result<Type, TypeError> {
    let types = infer.all();
    let (&[scores, labels] | &[scores, labels, _]) = types else {
        return infer.error(format!("takes 2 or 3 operands, not {}", types.len()));
    };
    infer.float(scores)?;
    if labels.dtype != DType::U32 {
        return infer.error(format!("takes u32 labels, not {labels}"));
    }
    let axis = infer.axis(scores, class_axis(scores))?;
    let expected = Type::new(DType::U32, reduction::without(&scores.shape, &[axis]));
    if expected.rank() != labels.rank() {
        return infer.error(format!("takes labels {expected} for logits {scores}, not {labels}"));
    }
    if classes(scores).known() == Some(0) {
        return infer.error(format!("axis {axis} of {scores} is empty"));
    }
    if let Some(weight) = types.get(2) {
        infer_weight(infer, scores, weight)?;
    }
    let losses = infer.same_shape(labels, &expected)?;
    if ignored(infer.attributes).is_some_and(|label| u32::try_from(label).is_err()) {
        return infer.error(format!("ignore_index is a u32, not {}", infer.attributes.int("ignore_index")));
    }
    Ok(Type::new(scores.dtype, Reduction::infer(infer, REDUCTIONS)?.shape(losses)))
}

/// Demands one weight per class.
pub fn infer_weight(infer: &mut Infer<'_>, scores: &Type, weight: &Type) -> Result<(), TypeError> {
    infer.same_dtype(scores, weight)?;
    if weight.rank() != 1 {
        return infer.error(format!("takes one weight per class, not {weight}"));
    }
    infer.same_extent(&weight.shape.extents()[0], &classes(scores), "there is one weight per class")
}

/// The label that is ignored; a negative attribute is none.
fn ignored(attributes: &Attributes) -> Option<i64> {
    Some(attributes.int("ignore_index")).filter(|label| *label >= 0)
}

/// The operand of the labels and what they are below, for `Op::index_bound`. Where a label is ignored, what the op expands
/// to says so.
pub fn index_bound(call: &Call) -> Option<(usize, usize)> {
    ignored(&call.attributes).is_none().then(|| (1, call.operand_shape(0)[class_axis(&call.operand_types[0])]))
}

/// The labels of a call.
pub struct Labels {
    axis: usize,
    dtype: DType,
    /// The classes, 0 where the label is ignored.
    pub class: ValueId,
    /// Where the label is not ignored; `None` if none can be.
    kept: Option<ValueId>,
    /// The weight of each class.
    weight: Option<ValueId>,
}

impl Labels {
    /// The labels of a call that is made of scores, labels and perhaps class weights.
    pub fn new(b: &mut Builder<'_>, call: &Call) -> Labels {
        let (mut class, mut kept) = (call.operands[1], None);
        if let Some(label) = ignored(&call.attributes) {
            let (label, zero) = (constant_like(b, label as f64, class), constant_like(b, 0.0, class));
            let is_kept = ne(b, class, label);
            class = select(b, is_kept, class, zero);
            kept = Some(is_kept);
        }
        let scores = &call.operand_types[0];
        let weight = call.operands.get(2).copied();
        Labels { axis: class_axis(scores), dtype: scores.dtype, class, kept, weight }
    }

    /// The element of each label's class.
    pub fn picked(&self, b: &mut Builder<'_>, x: ValueId) -> ValueId {
        let (index, shape) = (unsqueeze(b, self.class, &[self.axis]), b.shape(self.class));
        let picked = gather(b, x, index, self.axis);
        reshape(b, picked, &shape)
    }

    /// The losses times the weight of each label's class.
    pub fn weighted(&self, b: &mut Builder<'_>, losses: ValueId) -> ValueId {
        match self.weights(b) {
            Some(weights) => mul(b, losses, weights),
            None => losses,
        }
    }

    fn weights(&self, b: &mut Builder<'_>) -> Option<ValueId> {
        let (weight, shape) = (self.weight?, b.shape(self.class));
        let index = reshape(b, self.class, &Shape::new(vec![shape.elements()]));
        let weights = gather(b, weight, index, 0);
        Some(reshape(b, weights, &shape))
    }

    /// The losses, with 0 where the label is ignored.
    pub fn masked(&self, b: &mut Builder<'_>, losses: ValueId) -> ValueId {
        let Some(kept) = self.kept else { return losses };
        let zero = constant_like(b, 0.0, losses);
        select(b, kept, losses, zero)
    }

    /// What all labels together count in the mean; `None` if each counts 1.
    fn count(&self, b: &mut Builder<'_>) -> Option<ValueId> {
        let counts = match (self.weights(b), self.kept) {
            (Some(weights), _) => self.masked(b, weights),
            (None, Some(kept)) => cast(b, kept, self.dtype),
            (None, None) => return None,
        };
        let axes: Vec<usize> = (0..b.ty(counts).rank()).collect();
        Some(sum(b, counts, &axes))
    }

    /// The result, from the losses before those of ignored labels are taken out.
    pub fn reduced(&self, b: &mut Builder<'_>, reduction: Reduction, losses: ValueId) -> ValueId {
        let losses = self.masked(b, losses);
        match self.count(b) {
            Some(count) if reduction == Reduction::Mean => {
                let total = Reduction::Sum.apply(b, losses);
                div(b, total, count)
            }
            _ => reduction.apply(b, losses),
        }
    }

    /// The cotangent of each loss from that of the result: 0 where the label is ignored.
    pub fn cotangent(&self, b: &mut Builder<'_>, reduction: Reduction, g: ValueId) -> ValueId {
        let shape = b.shape(self.class);
        let each = match self.count(b) {
            Some(count) if reduction == Reduction::Mean => {
                let each = div(b, g, count);
                broadcast(b, each, &shape)
            }
            _ => reduction.cotangent(b, g, &shape),
        };
        self.masked(b, each)
    }
}

/// The naive meaning: `loss` gives the loss of a label, at its position and of its class, without the weight of the class.
pub fn reference(call: &Call, operands: &[&Array], loss: impl Fn(&[usize], usize) -> f64) -> Array {
    let labels = operands[1];
    let last = call.operand_shape(0)[class_axis(&call.operand_types[0])] - 1;
    let ignored = ignored(&call.attributes).map(|label| convert(DType::U32, label as f64));
    let mut count = 0.0;
    let losses = Array::build(operands[0].dtype, &labels.shape, |point| {
        if Some(labels.at(point)) == ignored {
            return 0.0;
        }
        let class = (labels.at(point) as usize).min(last);
        count += operands.get(2).map_or(1.0, |weight| weight.elements[class]);
        loss(point, class)
    });
    match Reduction::of(&call.attributes) {
        Reduction::Mean => Array::filled(losses.dtype, &[], losses.elements.iter().sum::<f64>() / count),
        reduction => reduction.reference(losses),
    }
}

/// Samples with these attributes in every reduction, and some with labels that are ignored and with class weights.
pub fn samples(scores: Fill, attributes: &[Attributes]) -> Vec<Sample> {
    let shapes: [&[usize]; 7] = [&[4, 3], &[3, 7], &[1, 5], &[5, 1], &[2, 3, 5], &[5], &[0, 3]];
    // With so many labels it takes an odd chance that all are ignored, and their mean no number.
    let many: [&[usize]; 3] = [&[3, 7], &[5, 1], &[2, 3, 5]];
    let mut samples = Vec::new();
    for attributes in attributes {
        for &word in REDUCTIONS {
            let with = |ignored| {
                let attributes = attributes.clone().with("ignore_index", Attribute::Int(ignored));
                attributes.with("reduction", Attribute::Word(word.to_string()))
            };
            samples.extend(shapes.map(|shape| sample(with(-100), scores, shape, false)));
            if word != "sum" {
                samples.extend(many.map(|shape| sample(with(1), scores, shape, false)));
            }
            if word == "mean" {
                samples.extend(many.map(|shape| sample(with(2), scores, shape, true)));
                samples.push(sample(with(-1), scores, many[2], true));
            }
        }
    }
    samples
}

fn sample(attributes: Attributes, scores: Fill, shape: &[usize], weighted: bool) -> Sample {
    let scores = SampleOperand::numbers(DType::F32, shape, scores);
    let axis = class_axis(&scores.ty);
    let labels = Type::new(DType::U32, reduction::without(&Shape::from_known(shape), &[axis]));
    let labels = SampleOperand { ty: labels, fill: Fill::Below(shape[axis] as u32) };
    let weight = SampleOperand::numbers(DType::F32, &[shape[axis]], Fill::Between(0.5, 2.0));
    let mut operands = vec![scores, labels];
    operands.extend(weighted.then_some(weight));
    Sample { attributes, operands }
}
