//! A value with elements added at the positions that an index names.

use super::{add, scatter_sum};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp, for_each_point,
};
use crate::shape::{Shape, Type};

/// The op.
pub struct ScatterAdd;

/// `x` with each element of `source` added where `index` says along an axis.
pub fn scatter_add(b: &mut Builder<'_>, x: ValueId, index: ValueId, source: ValueId, axis: usize) -> ValueId {
    b.apply(&ScatterAdd, attributes(axis), &[x, index, source])
}

fn attributes(axis: usize) -> Attributes {
    Attributes::none().with("axis", Attribute::Int(axis as i64))
}

impl Op for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn doc(&self) -> &'static str {
        "scatter_add {axis} (x: T<S>, index: u32<R>, source: T<R>) -> T<S>: x + scatter_sum(source, index) along the axis; R is S but for the axis. The gradients are g and gather(g, index)"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x, index, source] = infer.operands()?;
        let axis = infer.axis(x, infer.attributes.axis("axis"))?;
        if index.dtype != DType::U32 {
            return infer.error(format!("takes u32 indices, not {}", index.dtype));
        }
        if infer.same_dtype(x, source)? == DType::Bool {
            return infer.error("takes numbers, not bool");
        }
        if index.rank() != x.rank() || source.rank() != x.rank() {
            return infer.error("ranks differ");
        }
        infer.same_shape(source, index)?;
        for (other, (left, right)) in x.shape.extents().iter().zip(index.shape.extents()).enumerate() {
            if other != axis {
                infer.same_extent(left, right, format_args!("extents differ on axis {other}"))?;
            }
        }
        Ok(vec![x.clone()])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        if cotangents[0].is_some() { Vjp::Expand } else { Vjp::none(call) }
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let axis = call.attributes.axis("axis");
        let extent = call.operand_types[0].shape.extents()[axis].clone();
        let total = scatter_sum(b, call.operands[2], call.operands[1], axis, extent);
        // Extents that a check holds equal may be written in two ways.
        let total = super::reshape(b, total, &call.operand_types[0].shape);
        vec![add(b, call.operands[0], total)]
    }

    fn index_bound(&self, call: &Call) -> Option<(usize, usize)> {
        Some((1, call.shape()[call.attributes.axis("axis")]))
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (index, source, axis) = (operands[1], operands[2], call.attributes.axis("axis"));
        let mut result = operands[0].clone();
        for_each_point(&source.shape, |point| {
            let along = index.at(point) as usize;
            let place = [&point[..axis], &[along], &point[axis + 1..]].concat();
            if along < result.shape[axis] {
                result.set(&place, result.at(&place) + source.at(point));
            }
        });
        vec![result]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], usize, usize, DType); 7] = [
            (&[5], 0, 8, DType::F32),
            (&[3, 5], 1, 7, DType::F32),
            (&[9, 3], 0, 4, DType::F32),
            (&[2, 7, 3], 1, 11, DType::F32),
            (&[2, 4, 1], 1, 6, DType::U32),
            (&[1], 0, 1, DType::F32),
            (&[3, 5], 1, 0, DType::F32),
        ];
        let sample = |(shape, axis, positions, dtype): (&[usize], usize, usize, DType)| {
            let mut moved = shape.to_vec();
            moved[axis] = positions;
            let index = Type::new(DType::U32, Shape::from_known(&moved));
            let numbers = |shape: &[usize]| SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0));
            let index = SampleOperand { ty: index, fill: Fill::Below(shape[axis] as u32) };
            Sample { attributes: attributes(axis), operands: vec![numbers(shape), index, numbers(&moved)] }
        };
        cases.map(sample).to_vec()
    }
}
