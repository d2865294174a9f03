//! A fixed number.

use super::broadcast;
use crate::dtype::DType;
use crate::graph::{Array, Attribute, Attributes, Builder, Call, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::nest::{Body, Nest};
use crate::scalar::convert;
use crate::shape::Type;

/// The op.
pub struct Constant;

/// A scalar of this value, converted to the element type.
pub fn constant(b: &mut Builder<'_>, value: f64, dtype: DType) -> ValueId {
    let attributes = Attributes::none().with("value", Attribute::Float(value)).with("dtype", Attribute::Type(dtype));
    b.apply(&Constant, attributes, &[])
}

/// This value everywhere, with the type of `like`.
pub fn constant_like(b: &mut Builder<'_>, value: f64, like: ValueId) -> ValueId {
    let Type { dtype, shape } = b.ty(like).clone();
    let scalar = constant(b, value, dtype);
    broadcast(b, scalar, &shape)
}

/// The nest that writes one fixed number.
pub fn nest(dtype: DType, value: f64) -> Nest {
    let mut body = Body::default();
    body.constant(dtype, convert(dtype, value));
    Nest { extents: Vec::new(), outputs: 0, reads: Vec::new(), body, reducer: None, epilogue: None, dtype }
}

impl Op for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn doc(&self) -> &'static str {
        "constant {value, dtype} () -> dtype: the value, converted to the element type"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [] = infer.operands()?;
        Ok(vec![Type::scalar(infer.attributes.dtype("dtype"))])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::none(call)
    }

    fn lower(&self, call: &Call) -> Lowering {
        Lowering::Nest(nest(call.attributes.dtype("dtype"), call.attributes.float("value")))
    }

    fn reference(&self, call: &Call, _operands: &[&Array]) -> Vec<Array> {
        let dtype = call.attributes.dtype("dtype");
        vec![Array::filled(dtype, &[], convert(dtype, call.attributes.float("value")))]
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |(value, dtype)| {
            let attributes = Attributes::none();
            let attributes = attributes.with("value", Attribute::Float(value)).with("dtype", Attribute::Type(dtype));
            Sample { attributes, operands: Vec::new() }
        };
        [(2.5, DType::F32), (-3.0, DType::I32), (7.0, DType::U32), (1.0, DType::Bool)].map(sample).to_vec()
    }
}
