//! The value of an extent, as a number to compute with.

use super::{constant, div};
use crate::dtype::DType;
use crate::graph::{Array, Attribute, Attributes, Builder, Call, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::scalar::convert;
use crate::shape::{Extent, Type};

/// The op.
pub struct ExtentValue;

/// A scalar that holds an extent's value.
pub fn extent(b: &mut Builder<'_>, value: Extent, dtype: DType) -> ValueId {
    b.apply(&ExtentValue, attributes(value, dtype), &[])
}

/// A scalar that holds one divided by an extent's value.
pub fn reciprocal(b: &mut Builder<'_>, value: Extent, dtype: DType) -> ValueId {
    let (one, divisor) = (constant(b, 1.0, dtype), extent(b, value, dtype));
    div(b, one, divisor)
}

fn attributes(value: Extent, dtype: DType) -> Attributes {
    Attributes::none().with("value", Attribute::Extent(value)).with("dtype", Attribute::Type(dtype))
}

fn value(call: &Call) -> f64 {
    let value = call.attributes.extent("value").known().expect("extents are known once the dims of a graph are bound");
    convert(call.attributes.dtype("dtype"), value as f64)
}

impl Op for ExtentValue {
    fn name(&self) -> &'static str {
        "extent"
    }

    fn doc(&self) -> &'static str {
        "extent {value, dtype} () -> dtype: the value of the extent, converted to the element type"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [] = infer.operands()?;
        Ok(vec![Type::scalar(infer.attributes.dtype("dtype"))])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::none(call)
    }

    fn lower(&self, call: &Call) -> Lowering {
        Lowering::Nest(constant::nest(call.attributes.dtype("dtype"), value(call)))
    }

    fn reference(&self, call: &Call, _operands: &[&Array]) -> Vec<Array> {
        vec![Array::filled(call.attributes.dtype("dtype"), &[], value(call))]
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |(value, dtype): (i64, DType)| Sample {
            attributes: attributes(Extent::from(value), dtype),
            operands: Vec::new(),
        };
        [(12, DType::F32), (0, DType::F32), (7, DType::U32)].map(sample).to_vec()
    }
}
