//! Elements added up at the positions that an index names.

use super::elementwise::wrapping;
use super::gather;
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp, for_each_point,
};
use crate::nest::{Body, Index, Nest, Read, Reducer, Scalar};
use crate::scalar::ScalarOp;
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct ScatterSum;

/// For each position below `extent` along an axis, the sum of the elements of `source` whose `index` it is.
pub fn scatter_sum(b: &mut Builder<'_>, source: ValueId, index: ValueId, axis: usize, extent: Extent) -> ValueId {
    b.apply(&ScatterSum, attributes(axis, extent), &[source, index])
}

fn attributes(axis: usize, extent: Extent) -> Attributes {
    Attributes::none().with("axis", Attribute::Int(axis as i64)).with("extent", Attribute::Extent(extent))
}

impl Op for ScatterSum {
    fn name(&self) -> &'static str {
        "scatter_sum"
    }

    fn doc(&self) -> &'static str {
        "scatter_sum {axis, extent} (source: T<R>, index: u32<R>) -> T<S>: S is R with the extent on the axis; y is the sum of the elements of source, at the same position but on the axis, whose index is the position there, wrapping on integers. An index past the end adds nothing. The gradient is gather(g, index)"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [source, index] = infer.operands()?;
        let axis = infer.axis(source, infer.attributes.axis("axis"))?;
        if source.dtype == DType::Bool {
            return infer.error("takes numbers, not bool");
        }
        if index.dtype != DType::U32 {
            return infer.error(format!("takes u32 indices, not {}", index.dtype));
        }
        let mut extents = infer.same_shape(source, index)?.extents().to_vec();
        extents[axis] = infer.attributes.extent("extent");
        Ok(vec![Type::new(source.dtype, Shape::new(extents))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let axis = call.attributes.axis("axis");
        match cotangents[0] {
            // Nothing is picked of an empty axis.
            Some(g) if b.ty(g).shape.extents()[axis].known() != Some(0) => {
                Vjp::Operands(vec![Some(gather(b, g, call.operands[1], axis)), None])
            }
            _ => Vjp::none(call),
        }
    }

    /// The sum over all positions `m` of the index of the source where the index is the position, else 0. A schedule adds
    /// each element of the source once.
    fn lower(&self, call: &Call) -> Lowering {
        let (mut extents, axis) = (call.shape(), call.attributes.axis("axis"));
        let (rank, dtype) = (extents.len(), call.result_types[0].dtype);
        let mut index: Vec<Index> = (0..rank).map(Index::axis).collect();
        index[axis] = Index::axis(rank);
        extents.push(call.operand_shape(1)[axis]);
        let mut body = Body::default();
        let (source, wanted) = (body.push(Scalar::Read(0)), body.push(Scalar::Read(1)));
        let position = body.push(Scalar::Index(Index::axis(axis)));
        let (found, zero) = (body.apply(ScalarOp::Eq, &[wanted, position]), body.constant(dtype, 0.0));
        body.apply(ScalarOp::Select, &[found, source, zero]);
        Lowering::Nest(Nest {
            extents,
            outputs: rank,
            reads: vec![
                Read { operand: 0, dtype, index: index.clone() },
                Read { operand: 1, dtype: DType::U32, index },
            ],
            body,
            reducer: Some(Reducer::Sum),
            epilogue: None,
            dtype,
        })
    }

    fn index_bound(&self, call: &Call) -> Option<(usize, usize)> {
        Some((1, call.shape()[call.attributes.axis("axis")]))
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (source, index, axis) = (operands[0], operands[1], call.attributes.axis("axis"));
        let mut result = Array::filled(source.dtype, &call.shape(), 0.0);
        for_each_point(&source.shape, |point| {
            let mut place = point.to_vec();
            place[axis] = index.at(point) as usize;
            if place[axis] < result.shape[axis] {
                let sum = wrapping(source.dtype, result.at(&place), source.at(point), |a, b| a + b, i64::wrapping_add);
                result.set(&place, sum);
            }
        });
        vec![result]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], usize, usize, DType); 10] = [
            (&[5], 0, 3, DType::F32),
            (&[33], 0, 7, DType::F32),
            (&[3, 5], 1, 1, DType::F32),
            (&[3, 5], 0, 9, DType::F32),
            (&[2, 7, 3], 1, 11, DType::F32),
            (&[2, 4, 1], 1, 6, DType::U32),
            (&[1], 0, 1, DType::F32),
            (&[1], 0, 13, DType::I32),
            (&[3, 0], 1, 5, DType::F32),
            (&[0, 2], 1, 3, DType::F32),
        ];
        let sample = |(shape, axis, extent, dtype): (&[usize], usize, usize, DType)| {
            let index = Type::new(DType::U32, Shape::from_known(shape));
            let source = SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0));
            let index = SampleOperand { ty: index, fill: Fill::Below(extent as u32) };
            Sample { attributes: attributes(axis, Extent::from(extent)), operands: vec![source, index] }
        };
        cases.map(sample).to_vec()
    }
}
