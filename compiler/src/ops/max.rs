//! The maximum over axes.

use super::reduction;
use crate::dtype::DType;
use crate::graph::{Array, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::nest::Reducer;
use crate::shape::Type;

/// The op.
pub struct Max;

/// The maximum over these axes, which the result does not have.
pub fn max(b: &mut Builder<'_>, x: ValueId, axes: &[usize]) -> ValueId {
    reduction::reduce(b, &Max, x, axes)
}

impl Op for Max {
    fn name(&self) -> &'static str {
        "max"
    }

    fn doc(&self) -> &'static str {
        "max {axes} (x: T<S>) -> T<S without axes>: the maximum m over the axes, NaN if one is, minus infinity or the smallest integer of nothing; the gradient is g * (x == m) / count(x == m)"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        Ok(vec![reduction::reduced_type(infer)?])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        match cotangents[0] {
            Some(g) => Vjp::Operands(vec![Some(reduction::shared(b, call, g))]),
            None => Vjp::none(call),
        }
    }

    fn lower(&self, call: &Call) -> Lowering {
        Lowering::Nest(reduction::nest(call, &call.attributes.axes("axes"), Reducer::Max))
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let lowest = match operands[0].dtype {
            DType::U32 | DType::U8 => 0.0,
            DType::I32 => f64::from(i32::MIN),
            DType::I64 => i64::MIN as f64,
            _ => f64::NEG_INFINITY,
        };
        let larger = |best: f64, x: f64| if x > best || x.is_nan() { x } else { best };
        vec![reduction::fold(call, &call.attributes.axes("axes"), operands[0], lowest, larger)]
    }

    fn samples(&self) -> Vec<Sample> {
        reduction::samples(Fill::Distinct, &[DType::F32, DType::I32])
    }
}
