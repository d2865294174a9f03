//! The minimum over axes.

use super::reduction;
use crate::dtype::DType;
use crate::graph::{Array, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::nest::Reducer;
use crate::shape::Type;

/// The op.
pub struct Min;

/// The minimum over these axes, which the result does not have.
pub fn min(b: &mut Builder<'_>, x: ValueId, axes: &[usize]) -> ValueId {
    reduction::reduce(b, &Min, x, axes)
}

impl Op for Min {
    fn name(&self) -> &'static str {
        "min"
    }

    fn doc(&self) -> &'static str {
        "min {axes} (x: T<S>) -> T<S without axes>: the minimum m over the axes, NaN if one is, infinity or the largest integer of nothing; the gradient is g * (x == m) / count(x == m)"
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
        Lowering::Nest(reduction::nest(call, &call.attributes.axes("axes"), Reducer::Min))
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let highest = match operands[0].dtype {
            DType::U32 => f64::from(u32::MAX),
            DType::U8 => f64::from(u8::MAX),
            DType::I32 => f64::from(i32::MAX),
            DType::I64 => i64::MAX as f64,
            _ => f64::INFINITY,
        };
        let smaller = |best: f64, x: f64| if x < best || x.is_nan() { x } else { best };
        vec![reduction::fold(call, &call.attributes.axes("axes"), operands[0], highest, smaller)]
    }

    fn samples(&self) -> Vec<Sample> {
        reduction::samples(Fill::Distinct, &[DType::F32, DType::I32, DType::U32])
    }
}
