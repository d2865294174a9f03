//! Class numbers as vectors with a single 1.

use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::{Body, Index, Nest, Read, Scalar};
use crate::scalar::ScalarOp;
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct OneHot;

/// A new last axis of that extent, with 1 at the position that `index` names and 0 elsewhere.
pub fn one_hot(b: &mut Builder<'_>, index: ValueId, classes: Extent, dtype: DType) -> ValueId {
    b.apply(&OneHot, attributes(classes, dtype), &[index])
}

fn attributes(classes: Extent, dtype: DType) -> Attributes {
    Attributes::none().with("classes", Attribute::Extent(classes)).with("dtype", Attribute::Type(dtype))
}

impl Op for OneHot {
    fn name(&self) -> &'static str {
        "one_hot"
    }

    fn doc(&self) -> &'static str {
        "one_hot {classes, dtype} (index: u32<S>) -> dtype<S, classes>: 1 where the position on the last axis is the index, else 0; no gradient"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [index] = infer.operands()?;
        if index.dtype != DType::U32 {
            return infer.error(format!("takes u32 indices, not {}", index.dtype));
        }
        let mut extents = index.shape.extents().to_vec();
        extents.push(infer.attributes.extent("classes"));
        Ok(vec![Type::new(infer.attributes.dtype("dtype"), Shape::new(extents))])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::none(call)
    }

    fn lower(&self, call: &Call) -> Lowering {
        let (extents, dtype) = (call.shape(), call.attributes.dtype("dtype"));
        let last = extents.len() - 1;
        let mut body = Body::default();
        let index = body.push(Scalar::Read(0));
        let position = body.push(Scalar::Index(Index::axis(last)));
        let found = body.apply(ScalarOp::Eq, &[index, position]);
        let (one, zero) = (body.constant(dtype, 1.0), body.constant(dtype, 0.0));
        body.apply(ScalarOp::Select, &[found, one, zero]);
        Lowering::Nest(Nest {
            outputs: extents.len(),
            extents,
            reads: vec![Read { operand: 0, dtype: DType::U32, index: (0..last).map(Index::axis).collect() }],
            body,
            reducer: None,
            epilogue: None,
            dtype,
        })
    }

    fn index_bound(&self, call: &Call) -> Option<(usize, usize)> {
        Some((0, *call.shape().last().expect("the result has the axis of the classes")))
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let element = |point: &[usize]| {
            let (class, place) = point.split_last().expect("the result has the axis of the classes");
            f64::from(u8::from(operands[0].at(place) == *class as f64))
        };
        vec![Array::build(call.attributes.dtype("dtype"), &call.shape(), element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], usize, DType); 6] = [
            (&[], 3, DType::F32),
            (&[5], 4, DType::F32),
            (&[2, 1, 3], 7, DType::U32),
            (&[1], 1, DType::F32),
            (&[0], 3, DType::F32),
            (&[0], 2, DType::Bool),
        ];
        let sample = |(shape, classes, dtype): (&[usize], usize, DType)| Sample {
            attributes: attributes(Extent::from(classes), dtype),
            operands: vec![SampleOperand {
                ty: Type::new(DType::U32, Shape::from_known(shape)),
                fill: Fill::Below(classes as u32),
            }],
        };
        cases.map(sample).to_vec()
    }
}
