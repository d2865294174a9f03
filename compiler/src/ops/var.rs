//! The variance over axes.

use super::{broadcast, broadcast_over, constant, div, extent, maximum, mean, mul, reduction, scale, sub, sum};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp,
};
use crate::shape::{Extent, Type};

/// The op.
pub struct Var;

/// The variance over these axes, which the result does not have.
pub fn var(b: &mut Builder<'_>, x: ValueId, axes: &[usize], correction: i64) -> ValueId {
    let axes = Attribute::Ints(axes.iter().map(|&axis| axis as i64).collect());
    b.apply(&Var, Attributes::none().with("axes", axes).with("correction", Attribute::Int(correction)), &[x])
}

/// What each element differs by from the mean.
fn centred(b: &mut Builder<'_>, call: &Call) -> ValueId {
    let (x, axes) = (call.operands[0], call.attributes.axes("axes"));
    let mean = mean(b, x, &axes);
    let mean = broadcast_over(b, mean, &axes, &call.operand_types[0].shape);
    sub(b, x, mean)
}

/// A value of the result's type divided by n - correction, which counts as 0 where it is less.
fn divided(b: &mut Builder<'_>, x: ValueId, call: &Call) -> ValueId {
    let extents = call.operand_types[0].shape.extents();
    let count = call.attributes.axes("axes").iter().fold(Extent::from(1), |n, &axis| n * extents[axis].clone());
    let Type { dtype, shape } = b.ty(x).clone();
    let (freedom, zero) = (extent(b, count, dtype), constant(b, call.attributes.int("correction") as f64, dtype));
    let (freedom, none) = (sub(b, freedom, zero), constant(b, 0.0, dtype));
    let (freedom, one) = (maximum(b, freedom, none), constant(b, 1.0, dtype));
    let factor = div(b, one, freedom);
    let factor = broadcast(b, factor, &shape);
    mul(b, x, factor)
}

impl Op for Var {
    fn name(&self) -> &'static str {
        "var"
    }

    fn doc(&self) -> &'static str {
        "var {axes, correction} (x: F<S>) -> F<S without axes>: the sum over the axes of (x - mean(x))^2, divided by n - correction for n elements (by 0 where that is negative); the gradient is g * 2 * (x - mean(x)) / (n - correction)"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let ty = reduction::reduced_type(infer)?;
        infer.float(&ty)?;
        Ok(vec![ty])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let share = divided(b, g, call);
        let share = scale(b, share, 2.0);
        let share = broadcast_over(b, share, &call.attributes.axes("axes"), &call.operand_types[0].shape);
        // The same node as in the expansion, so that both are one after simplification.
        let centred = centred(b, call);
        Vjp::Operands(vec![Some(mul(b, centred, share))])
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let centred = centred(b, call);
        let squares = mul(b, centred, centred);
        let total = sum(b, squares, &call.attributes.axes("axes"));
        vec![divided(b, total, call)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, axes) = (operands[0], call.attributes.axes("axes"));
        let kept: Vec<usize> = (0..x.shape.len()).filter(|axis| !axes.contains(axis)).collect();
        let count = axes.iter().map(|&axis| x.shape[axis]).product::<usize>() as f64;
        let totals = reduction::fold(call, &axes, x, 0.0, |sum, x| sum + x);
        let deviation = |point: &[usize]| {
            let place: Vec<usize> = kept.iter().map(|&axis| point[axis]).collect();
            (x.at(point) - totals.at(&place) / count).powi(2)
        };
        let squares = Array::build(x.dtype, &x.shape, deviation);
        let mut result = reduction::fold(call, &axes, &squares, 0.0, |sum, x| sum + x);
        let freedom = (count - call.attributes.int("correction") as f64).max(0.0);
        result.elements.iter_mut().for_each(|element| *element /= freedom);
        vec![result]
    }

    fn samples(&self) -> Vec<Sample> {
        let samples = reduction::samples(Fill::Between(-2.0, 2.0), &[DType::F32]);
        let corrected = |sample: &Sample, correction: i64| {
            let shape = sample.operands[0].ty.known_shape();
            let axes = sample.attributes.axes("axes");
            let count = axes.iter().map(|&axis| shape[axis]).product::<usize>();
            let attributes = sample.attributes.clone().with("correction", Attribute::Int(correction));
            // The variance of one element is NaN with correction, and has no derivative to compare.
            (count as i64 != correction).then(|| Sample { attributes, operands: sample.operands.clone() })
        };
        [0, 1].iter().flat_map(|&correction| samples.iter().filter_map(move |s| corrected(s, correction))).collect()
    }
}
