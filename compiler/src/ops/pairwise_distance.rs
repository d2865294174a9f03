//! The distance between vectors.

use super::{
    abs, add, broadcast_over, constant_like, div, eq, lt, mul, neg, pow, reduction, select, sign, sqrt, sub, sum,
};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::shape::Type;

/// The op.
pub struct PairwiseDistance;

/// The distance by the norm `p` between the vectors on the last axis, with `eps` added to each difference.
pub fn pairwise_distance(b: &mut Builder<'_>, x: ValueId, y: ValueId, p: f64, eps: f64) -> ValueId {
    b.apply(&PairwiseDistance, attributes(p, eps), &[x, y])
}

fn attributes(p: f64, eps: f64) -> Attributes {
    Attributes::none().with("p", Attribute::Float(p)).with("eps", Attribute::Float(eps))
}

/// Demands a norm.
pub fn infer_norm(infer: &Infer<'_>) -> Result<(), TypeError> {
    let p = infer.attributes.float("p");
    if p > 0.0 && p.is_finite() { Ok(()) } else { infer.error(format!("p is above 0, not {p}")) }
}

fn differences(b: &mut Builder<'_>, call: &Call) -> ValueId {
    let difference = sub(b, call.operands[0], call.operands[1]);
    let eps = constant_like(b, call.attributes.float("eps"), difference);
    add(b, difference, eps)
}

/// The norm of vectors on the last axis.
fn norm(b: &mut Builder<'_>, x: ValueId, p: f64) -> ValueId {
    let axis = [b.ty(x).rank() - 1];
    let powers = if p == 2.0 { x } else { abs(b, x) };
    let powers = pow(b, powers, p);
    let total = sum(b, powers, &axis);
    if p == 2.0 { sqrt(b, total) } else { pow(b, total, 1.0 / p) }
}

impl Op for PairwiseDistance {
    fn name(&self) -> &'static str {
        "pairwise_distance"
    }

    fn doc(&self) -> &'static str {
        "pairwise_distance {eps, p} (x: F<S, D>, y: F<S, D>) -> F<S>: r = pow(sum(pow(|d|, p)), 1 / p) for d = x - y + eps; the gradient is g * sign(d) * pow(|d| / r, p - 1), 0 where d is 0"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x, y] = infer.operands()?;
        infer.float(x)?;
        infer.same_dtype(x, y)?;
        infer_norm(infer)?;
        let Some(axis) = x.rank().checked_sub(1) else {
            return infer.error(format!("takes vectors, not {x}"));
        };
        let shape = infer.same_shape(x, y)?;
        Ok(vec![Type::new(x.dtype, reduction::without(&shape, &[axis]))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let (ty, p) = (&call.operand_types[0], call.attributes.float("p"));
        let axis = [ty.rank() - 1];
        let difference = differences(b, call);
        let g = broadcast_over(b, g, &axis, &ty.shape);
        let slope = if p == 1.0 {
            sign(b, difference)
        } else {
            let distance = norm(b, difference, p);
            let (zero, one) = (constant_like(b, 0.0, distance), constant_like(b, 1.0, distance));
            let nowhere = eq(b, distance, zero);
            let divisor = select(b, nowhere, one, distance);
            let divisor = broadcast_over(b, divisor, &axis, &ty.shape);
            let share = div(b, difference, divisor);
            powers_with_sign(b, share, p - 1.0)
        };
        let flow = mul(b, g, slope);
        Vjp::Operands(vec![Some(flow), Some(neg(b, flow))])
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let difference = differences(b, call);
        vec![norm(b, difference, call.attributes.float("p"))]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, y, p) = (operands[0], operands[1], call.attributes.float("p"));
        let element = |point: &[usize]| distance(x, y, point, p, call.attributes.float("eps"));
        vec![Array::build(x.dtype, &call.shape(), element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes: [&[usize]; 6] = [&[4, 3], &[3, 7], &[2, 3, 5], &[5, 1], &[5], &[0, 3]];
        let operand = |shape: &[usize]| SampleOperand::numbers(DType::F32, shape, Fill::Distinct);
        let sample = |p, shape: &[usize]| Sample { attributes: attributes(p, 1e-6), operands: vec![operand(shape); 2] };
        [1.0, 2.0, 3.0, 1.5].iter().flat_map(|&p| shapes.map(|shape| sample(p, shape))).collect()
    }
}

/// |x| to the power e with the sign of x, and 0 for 0 whatever the exponent.
fn powers_with_sign(b: &mut Builder<'_>, x: ValueId, exponent: f64) -> ValueId {
    if exponent == 1.0 {
        return x;
    }
    let (size, zero) = (abs(b, x), constant_like(b, 0.0, x));
    let power = pow(b, size, exponent);
    let (minus, negative, positive) = (neg(b, power), lt(b, x, zero), lt(b, zero, x));
    let otherwise = select(b, negative, minus, zero);
    select(b, positive, power, otherwise)
}

/// The naive distance between the vectors at a position.
pub fn distance(x: &Array, y: &Array, point: &[usize], p: f64, eps: f64) -> f64 {
    let power = |i: usize| {
        let place = [point, &[i]].concat();
        (x.at(&place) - y.at(&place) + eps).abs().powf(p)
    };
    (0..x.shape[point.len()]).map(power).sum::<f64>().powf(1.0 / p)
}
