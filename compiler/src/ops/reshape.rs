//! The same elements in the same order, in another shape.

use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::{Index, flatten, unflatten};
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Reshape;

/// The elements of the value in another shape; nothing if it has that shape.
pub fn reshape(b: &mut Builder<'_>, x: ValueId, shape: &Shape) -> ValueId {
    if b.shape(x) == *shape {
        return x;
    }
    b.apply(&Reshape, attributes(shape), &[x])
}

/// The value with new axes of extent 1. `axes` are their positions in the result.
pub fn unsqueeze(b: &mut Builder<'_>, x: ValueId, axes: &[usize]) -> ValueId {
    let mut extents = b.shape(x).extents().to_vec();
    let mut axes = axes.to_vec();
    axes.sort_unstable();
    for axis in axes {
        extents.insert(axis, Extent::from(1));
    }
    reshape(b, x, &Shape::new(extents))
}

fn attributes(shape: &Shape) -> Attributes {
    Attributes::none().with("shape", Attribute::Shape(shape.clone()))
}

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn doc(&self) -> &'static str {
        "reshape {shape} (x: T<S>) -> T<shape>: the elements of x in row-major order; the gradient is g reshaped to S"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        let shape = infer.attributes.shape("shape");
        let (from, to) = (x.shape.elements(), shape.elements());
        infer.same_extent(&from, &to, format_args!("{x} has {from} elements, <{shape}> has {to}"))?;
        Ok(vec![Type::new(x.dtype, shape.clone())])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        Vjp::Operands(vec![Some(reshape(b, g, &call.operand_types[0].shape))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        let extents = call.shape();
        let axes: Vec<Index> = (0..extents.len()).map(Index::axis).collect();
        Lowering::View(unflatten(&flatten(&axes, &extents), &call.operand_shape(0), &extents))
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        vec![Array::new(operands[0].dtype, &call.shape(), operands[0].elements.clone())]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize], DType); 11] = [
            (&[6], &[2, 3], DType::F32),
            (&[2, 3], &[6], DType::F32),
            (&[2, 3], &[3, 2], DType::F32),
            (&[4, 6], &[2, 2, 3, 2], DType::F32),
            (&[3, 5, 7], &[15, 7], DType::U32),
            (&[2, 1, 7], &[14], DType::F32),
            (&[5], &[1, 5, 1], DType::F32),
            (&[1], &[], DType::Bool),
            (&[], &[1, 1], DType::F32),
            (&[3, 0], &[0, 7], DType::F32),
            (&[6, 10], &[4, 15], DType::F32),
        ];
        let sample = |(from, to, dtype): (&[usize], &[usize], DType)| Sample {
            attributes: attributes(&Shape::from_known(to)),
            operands: vec![SampleOperand::numbers(dtype, from, Fill::Between(-2.0, 2.0))],
        };
        cases.map(sample).to_vec()
    }
}
