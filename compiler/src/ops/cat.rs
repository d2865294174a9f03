//! Values one after the other along an axis.

use super::slice;
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::{Body, Index, Nest, Read, Scalar, ScalarId};
use crate::scalar::ScalarOp;
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Cat;

/// The values, at least one, one after the other along an axis.
pub fn cat(b: &mut Builder<'_>, parts: &[ValueId], axis: usize) -> ValueId {
    match parts {
        [whole] => *whole,
        _ => b.apply(&Cat, attributes(axis), parts),
    }
}

fn attributes(axis: usize) -> Attributes {
    Attributes::none().with("axis", Attribute::Int(axis as i64))
}

impl Op for Cat {
    fn name(&self) -> &'static str {
        "cat"
    }

    fn doc(&self) -> &'static str {
        "cat {axis} (x0: T<S0>, x1: T<S1>, …) -> T<R>: the operands one after the other along the axis; R is S0 but for the axis, which is the sum of theirs. The gradients are the parts of g"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [first, rest @ ..] = infer.all() else { return infer.error("takes at least one operand") };
        let axis = infer.axis(first, infer.attributes.axis("axis"))?;
        let mut extents = first.shape.extents().to_vec();
        for other in rest {
            infer.same_dtype(first, other)?;
            if other.rank() != first.rank() {
                return infer.error("ranks differ");
            }
            for (at, extent) in other.shape.extents().iter().enumerate() {
                match at == axis {
                    true => extents[at] = extents[at].clone() + extent.clone(),
                    false => infer.same_extent(&extents[at], extent, format_args!("extents differ on axis {at}"))?,
                }
            }
        }
        Ok(vec![Type::new(first.dtype, Shape::new(extents))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let axis = call.attributes.axis("axis");
        let mut start = Extent::from(0);
        let part = |ty: &Type| {
            let end = start.clone() + ty.shape.extents()[axis].clone();
            let part = slice(b, g, axis, start.clone(), end.clone());
            start = end;
            Some(part)
        };
        Vjp::Operands(call.operand_types.iter().map(part).collect())
    }

    fn lower(&self, call: &Call) -> Lowering {
        let (extents, axis, dtype) = (call.shape(), call.attributes.axis("axis"), call.result_types[0].dtype);
        let mut reads = Vec::new();
        // Where the part of each read ends.
        let mut ends: Vec<usize> = Vec::new();
        for operand in 0..call.operands.len() {
            let (start, extent) = (ends.last().copied().unwrap_or(0), call.operand_shape(operand)[axis]);
            if extent == 0 {
                continue;
            }
            let position = Index::axis(axis).plus(&Index::constant(-(start as i64)));
            let mut index: Vec<Index> = (0..extents.len()).map(Index::axis).collect();
            index[axis] = position.clamped(extent as i64, &extents);
            reads.push(Read { operand, dtype, index });
            ends.push(start + extent);
        }
        let body = choice(dtype, axis, &ends);
        Lowering::Nest(Nest { outputs: extents.len(), extents, reads, body, reducer: None, epilogue: None, dtype })
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let axis = call.attributes.axis("axis");
        let element = |point: &[usize]| {
            let mut source = point.to_vec();
            for part in operands {
                if source[axis] < part.shape[axis] {
                    return part.at(&source);
                }
                source[axis] -= part.shape[axis];
            }
            unreachable!("the extent of the axis is the sum of those of the parts")
        };
        vec![Array::build(call.result_types[0].dtype, &call.shape(), element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(usize, &[&[usize]], DType); 13] = [
            (0, &[&[3], &[5]], DType::F32),
            (0, &[&[2, 3], &[1, 3], &[4, 3]], DType::F32),
            (1, &[&[2, 3], &[2, 1], &[2, 4]], DType::F32),
            (1, &[&[2, 3, 5], &[2, 2, 5]], DType::F32),
            (1, &[&[2, 3], &[2, 1]], DType::U32),
            (0, &[&[2], &[3]], DType::Bool),
            (0, &[&[1]], DType::F32),
            (0, &[&[3], &[0], &[2]], DType::F32),
            (0, &[&[0], &[0]], DType::F32),
            (1, &[&[0, 3], &[0, 2]], DType::F32),
            (0, &[&[1], &[1], &[1], &[1], &[1]], DType::F32),
            (2, &[&[2, 1, 3], &[2, 1, 3]], DType::F32),
            (0, &[&[0], &[4]], DType::I32),
        ];
        let sample = |(axis, shapes, dtype): (usize, &[&[usize]], DType)| {
            let operand = |shape: &&[usize]| SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0));
            Sample { attributes: attributes(axis), operands: shapes.iter().map(operand).collect() }
        };
        cases.map(sample).to_vec()
    }
}

/// The body that takes the read in whose part the position on the axis is; 0 if there are no reads.
fn choice(dtype: DType, axis: usize, ends: &[usize]) -> Body {
    let mut body = Body::default();
    let reads: Vec<ScalarId> = (0..ends.len()).map(|read| body.push(Scalar::Read(read))).collect();
    let Some((last, earlier)) = reads.split_last() else {
        body.constant(dtype, 0.0);
        return body;
    };
    let mut chosen = *last;
    if !earlier.is_empty() {
        let position = body.push(Scalar::Index(Index::axis(axis)));
        for (read, &end) in earlier.iter().zip(ends).rev() {
            let end = body.constant(DType::U32, end as f64);
            let before = body.apply(ScalarOp::Lt, &[position, end]);
            chosen = body.apply(ScalarOp::Select, &[before, *read, chosen]);
        }
    }
    body
}
