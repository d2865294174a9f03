//! The mean over axes.

use super::{broadcast, broadcast_over, mul, reciprocal, reduction, sum};
use crate::dtype::DType;
use crate::graph::{Array, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::shape::{Extent, Type};

/// The op.
pub struct Mean;

/// The mean over these axes, which the result does not have.
pub fn mean(b: &mut Builder<'_>, x: ValueId, axes: &[usize]) -> ValueId {
    reduction::reduce(b, &Mean, x, axes)
}

/// `x` divided by the number of elements that each mean is over.
fn divided_by_count(b: &mut Builder<'_>, x: ValueId, call: &Call) -> ValueId {
    let extents = call.operand_types[0].shape.extents();
    let count = call.attributes.axes("axes").iter().fold(Extent::from(1), |n, &axis| n * extents[axis].clone());
    let Type { dtype, shape } = b.ty(x).clone();
    let factor = reciprocal(b, count, dtype);
    let factor = broadcast(b, factor, &shape);
    mul(b, x, factor)
}

impl Op for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn doc(&self) -> &'static str {
        "mean {axes} (x: F<S>) -> F<S without axes>: the sum over the axes times 1/n for n elements; the gradient is g/n broadcast over them"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let ty = reduction::reduced_type(infer)?;
        infer.float(&ty)?;
        Ok(vec![ty])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let share = divided_by_count(b, g, call);
        Vjp::Operands(vec![Some(broadcast_over(b, share, &call.attributes.axes("axes"), &call.operand_types[0].shape))])
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let total = sum(b, call.operands[0], &call.attributes.axes("axes"));
        vec![divided_by_count(b, total, call)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let axes = call.attributes.axes("axes");
        let count: usize = axes.iter().map(|&axis| operands[0].shape[axis]).product();
        let mut result = reduction::fold(call, &axes, operands[0], 0.0, |sum, x| sum + x);
        result.elements.iter_mut().for_each(|element| *element /= count as f64);
        vec![result]
    }

    fn samples(&self) -> Vec<Sample> {
        reduction::samples(Fill::Between(-2.0, 2.0), &[DType::F32])
    }
}
