//! The sum over axes.

use super::broadcast;
use super::reduction::{self, reduced_shape};
use super::unsqueeze_axes;
use crate::graph::{Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::nest::Reducer;
use crate::shape::Type;

/// The op.
pub struct Sum;

/// The sum over these axes, which the result does not have.
pub fn sum(b: &mut Builder<'_>, x: ValueId, axes: &[usize]) -> ValueId {
    let axes = Attribute::Ints(axes.iter().map(|&axis| axis as i64).collect());
    b.apply(&Sum, Attributes::none().with("axes", axes), &[x])
}

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn doc(&self) -> &'static str {
        "sum {axes} (x: T<S>) -> T<S without axes>: the sum over the axes; the gradient is g broadcast over them"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        Ok(vec![Type::new(x.dtype, reduced_shape(infer, x)?)])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let kept = unsqueeze_axes(b, g, &call.attributes.axes("axes"));
        Vjp::Operands(vec![Some(broadcast(b, kept, &call.operand_types[0].shape))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        Lowering::Nest(reduction::nest(call, Reducer::Sum))
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        vec![reduction::fold(call, operands[0], 0.0, |sum, x| sum + x)]
    }

    fn samples(&self) -> Vec<Sample> {
        reduction::samples(Fill::Between(-2.0, 2.0))
    }
}
