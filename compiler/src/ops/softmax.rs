//! The softmax along an axis.

use super::log_softmax::{below_maximum, infer_type, log_probabilities};
use super::{broadcast_over, div, exp, mul, reduction, sub, sum};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp,
};
use crate::shape::Type;

/// The op.
pub struct Softmax;

/// The softmax along an axis.
pub fn softmax(b: &mut Builder<'_>, x: ValueId, axis: usize) -> ValueId {
    b.apply(&Softmax, Attributes::none().with("axis", Attribute::Int(axis as i64)), &[x])
}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn doc(&self) -> &'static str {
        "softmax {axis} (x: F<S>) -> F<S>: y = exp(x) / sum(exp(x)) along the axis; the gradient is y * (g - sum(g * y))"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        Ok(vec![infer_type(infer)?])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let (axis, shape, y) = (call.attributes.axis("axis"), &call.result_types[0].shape, call.results[0]);
        let product = mul(b, g, y);
        let total = sum(b, product, &[axis]);
        let total = broadcast_over(b, total, &[axis], shape);
        let rest = sub(b, g, total);
        Vjp::Operands(vec![Some(mul(b, y, rest))])
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let (axis, shape) = (call.attributes.axis("axis"), &call.result_types[0].shape);
        let shifted = below_maximum(b, call.operands[0], axis);
        let powers = exp(b, shifted);
        let total = sum(b, powers, &[axis]);
        let total = broadcast_over(b, total, &[axis], shape);
        vec![div(b, powers, total)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let mut result = log_probabilities(operands[0], call.attributes.axis("axis"));
        result.elements.iter_mut().for_each(|element| *element = element.exp());
        vec![result]
    }

    fn samples(&self) -> Vec<Sample> {
        reduction::single_axis_samples(Fill::Between(-3.0, 3.0), &[DType::F32])
    }
}
