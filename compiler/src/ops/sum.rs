//! The sum over axes.

use super::elementwise::wrapping;
use super::{broadcast_over, reduction};
use crate::dtype::DType;
use crate::graph::{Array, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::nest::Reducer;
use crate::shape::Type;

/// The op.
pub struct Sum;

/// The sum over these axes, which the result does not have.
pub fn sum(b: &mut Builder<'_>, x: ValueId, axes: &[usize]) -> ValueId {
    reduction::reduce(b, &Sum, x, axes)
}

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn doc(&self) -> &'static str {
        "sum {axes} (x: T<S>) -> T<S without axes>: the sum over the axes, wrapping on integers; the gradient is g broadcast over them"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        Ok(vec![reduction::reduced_type(infer)?])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        Vjp::Operands(vec![Some(broadcast_over(b, g, &call.attributes.axes("axes"), &call.operand_types[0].shape))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        Lowering::Nest(reduction::nest(call, &call.attributes.axes("axes"), Reducer::Sum))
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let dtype = operands[0].dtype;
        let add = |sum, x| wrapping(dtype, sum, x, |a, b| a + b, i64::wrapping_add);
        vec![reduction::fold(call, &call.attributes.axes("axes"), operands[0], 0.0, add)]
    }

    fn samples(&self) -> Vec<Sample> {
        reduction::samples(Fill::Between(-2.0, 2.0), &[DType::F32, DType::U32])
    }
}
