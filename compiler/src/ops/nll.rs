//! The negative logarithm of the probability of each label's class.

use super::class_labels::{self, Labels};
use super::losses::Reduction;
use super::neg;
use crate::graph::{Array, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::shape::Type;

/// The op.
pub struct Nll;

/// The loss of logarithms against labels, with the attributes of a loss of class numbers.
pub fn nll(b: &mut Builder<'_>, operands: &[ValueId], attributes: &Attributes) -> ValueId {
    let attribute = |name: &str| attributes.get(name).expect("losses of class numbers have these").clone();
    let attributes = ["ignore_index", "reduction"].iter();
    let attributes = attributes.fold(Attributes::none(), |all, name| all.with(*name, attribute(name)));
    b.apply(&Nll, attributes, operands)
}

impl Op for Nll {
    fn name(&self) -> &'static str {
        "nll"
    }

    fn doc(&self) -> &'static str {
        "nll {ignore_index, reduction} (x: F<N, C, S>, labels: u32<N, S>, w: F<C>) -> F, or F<N, S> without reduction; also (F<C>, u32): -w[label] * x[label], 0 where the label is ignore_index, with w 1 if left out; the mean divides by the weights of the labels that are not ignored"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        Ok(vec![class_labels::infer_type(infer)?])
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
        let labels = Labels::new(b, call);
        let picked = labels.picked(b, call.operands[0]);
        let losses = neg(b, picked);
        let losses = labels.weighted(b, losses);
        vec![labels.reduced(b, Reduction::of(&call.attributes), losses)]
    }

    fn index_bound(&self, call: &Call) -> Option<(usize, usize)> {
        class_labels::index_bound(call)
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let axis = class_labels::class_axis(&call.operand_types[0]);
        let loss = |point: &[usize], class: usize| {
            let weight = operands.get(2).map_or(1.0, |weight| weight.elements[class]);
            -weight * operands[0].at(&[&point[..axis], &[class], &point[axis..]].concat())
        };
        vec![class_labels::reference(call, operands, loss)]
    }

    fn samples(&self) -> Vec<Sample> {
        class_labels::samples(Fill::Between(-3.0, 0.0), &[Attributes::none()])
    }
}
