//! Conversion to another element type.

use super::elementwise;
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::scalar::{ScalarOp, convert};
use crate::shape::Type;

/// The op.
pub struct Cast;

/// The value converted to an element type; nothing if it has that type.
pub fn cast(b: &mut Builder<'_>, x: ValueId, dtype: DType) -> ValueId {
    if b.dtype(x) == dtype {
        return x;
    }
    b.apply(&Cast, Attributes::none().with("dtype", Attribute::Type(dtype)), &[x])
}

impl Op for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }

    fn doc(&self) -> &'static str {
        "cast {dtype} (x: T<S>) -> dtype<S>: floats round toward zero to integers and saturate, NaN gives 0, anything but 0 is true; between floats the gradient is g converted back"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        Ok(vec![Type::new(infer.attributes.dtype("dtype"), x.shape.clone())])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let from = call.operand_types[0].dtype;
        match cotangents[0] {
            Some(g) if from.is_float() => Vjp::Operands(vec![Some(cast(b, g, from))]),
            _ => Vjp::none(call),
        }
    }

    fn lower(&self, call: &Call) -> Lowering {
        let dtype = call.attributes.dtype("dtype");
        Lowering::Nest(elementwise::nest(call, |body, x| body.apply(ScalarOp::Cast(dtype), x)))
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let dtype = call.attributes.dtype("dtype");
        vec![elementwise::map(call, operands, |x| convert(dtype, x[0]))]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases = [
            (DType::F32, DType::F64),
            (DType::F32, DType::F32),
            (DType::F32, DType::U32),
            (DType::F32, DType::I32),
            (DType::F32, DType::Bool),
            (DType::U32, DType::F32),
            (DType::I32, DType::U32),
            (DType::Bool, DType::F32),
            (DType::Bool, DType::U32),
        ];
        let sample = |(from, to): (DType, DType), shape: &[usize]| Sample {
            attributes: Attributes::none().with("dtype", Attribute::Type(to)),
            operands: vec![SampleOperand::numbers(from, shape, Fill::Between(-3.0, 3.0))],
        };
        cases.iter().flat_map(|&case| elementwise::SHAPES.map(|shape| sample(case, shape))).collect()
    }
}
