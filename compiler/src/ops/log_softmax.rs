//! The logarithm of the softmax along an axis.

use super::{broadcast_over, exp, log, max, mul, reduction, sub, sum};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp,
};
use crate::shape::Type;

/// The op.
pub struct LogSoftmax;

/// The logarithm of the softmax along an axis.
pub fn log_softmax(b: &mut Builder<'_>, x: ValueId, axis: usize) -> ValueId {
    b.apply(&LogSoftmax, Attributes::none().with("axis", Attribute::Int(axis as i64)), &[x])
}

/// The value less its maximum along an axis, so that no exponential is larger than 1.
pub fn below_maximum(b: &mut Builder<'_>, x: ValueId, axis: usize) -> ValueId {
    let maximum = max(b, x, &[axis]);
    let shape = b.shape(x);
    let maximum = broadcast_over(b, maximum, &[axis], &shape);
    sub(b, x, maximum)
}

/// The naive meaning.
pub fn log_probabilities(x: &Array, axis: usize) -> Array {
    let element = |point: &[usize]| {
        let mut place = point.to_vec();
        let lane: Vec<f64> = (0..x.shape[axis])
            .map(|i| {
                place[axis] = i;
                x.at(&place)
            })
            .collect();
        let maximum = lane.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = lane.iter().map(|value| (value - maximum).exp()).sum();
        x.at(point) - maximum - total.ln()
    };
    Array::build(x.dtype, &x.shape, element)
}

/// The type of a softmax: that of its operand.
pub fn infer_type(infer: &Infer<'_>) -> Result<Type, TypeError> {
    let [x] = infer.operands()?;
    infer.float(x)?;
    infer.axis(x, infer.attributes.axis("axis"))?;
    Ok(x.clone())
}

impl Op for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    fn doc(&self) -> &'static str {
        "log_softmax {axis} (x: F<S>) -> F<S>: y = x - log(sum(exp(x))) along the axis; the gradient is g - exp(y) * sum(g)"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        Ok(vec![infer_type(infer)?])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let (axis, shape) = (call.attributes.axis("axis"), &call.result_types[0].shape);
        let probabilities = exp(b, call.results[0]);
        let total = sum(b, g, &[axis]);
        let total = broadcast_over(b, total, &[axis], shape);
        let share = mul(b, probabilities, total);
        Vjp::Operands(vec![Some(sub(b, g, share))])
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
        let logarithm = log(b, total);
        let logarithm = broadcast_over(b, logarithm, &[axis], shape);
        vec![sub(b, shifted, logarithm)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        vec![log_probabilities(operands[0], call.attributes.axis("axis"))]
    }

    fn samples(&self) -> Vec<Sample> {
        reduction::single_axis_samples(Fill::Between(-3.0, 3.0), &[DType::F32])
    }
}
