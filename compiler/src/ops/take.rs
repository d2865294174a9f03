//! Whole slices picked along an axis.

use super::{broadcast, gather, reshape};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Take;

/// The slices of `x` along an axis that `index`, of any shape, names: its axes take the place of that one.
pub fn take(b: &mut Builder<'_>, x: ValueId, index: ValueId, axis: usize) -> ValueId {
    b.apply(&Take, attributes(axis), &[x, index])
}

fn attributes(axis: usize) -> Attributes {
    Attributes::none().with("axis", Attribute::Int(axis as i64))
}

/// The extents with others in the place of one axis.
fn replaced(shape: &Shape, axis: usize, by: &[Extent]) -> Shape {
    let extents = shape.extents();
    Shape::new(extents[..axis].iter().chain(by).chain(&extents[axis + 1..]).cloned().collect())
}

impl Op for Take {
    fn name(&self) -> &'static str {
        "take"
    }

    fn doc(&self) -> &'static str {
        "take {axis} (x: T<S>, index: u32<R>) -> T<S with R for the axis>: the slices of x along the axis that the index names. An index past the end reads the last one. The gradient of x is the sum of those of its slices"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x, index] = infer.operands()?;
        let axis = infer.axis(x, infer.attributes.axis("axis"))?;
        if index.dtype != DType::U32 {
            return infer.error(format!("takes u32 indices, not {}", index.dtype));
        }
        if x.shape.extents()[axis].known() == Some(0) {
            return infer.error(format!("axis {axis} of {x} is empty"));
        }
        Ok(vec![Type::new(x.dtype, replaced(&x.shape, axis, index.shape.extents()))])
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
        let (axis, shape) = (call.attributes.axis("axis"), &call.operand_types[0].shape);
        let count = call.operand_types[1].shape.elements();
        // The index along its axis, the same for all others.
        let mut row = vec![Extent::from(1); shape.rank()];
        row[axis] = count.clone();
        let index = reshape(b, call.operands[1], &Shape::new(row));
        let index = broadcast(b, index, &replaced(shape, axis, &[count]));
        let picked = gather(b, call.operands[0], index, axis);
        vec![reshape(b, picked, &call.result_types[0].shape)]
    }

    fn index_bound(&self, call: &Call) -> Option<(usize, usize)> {
        Some((1, call.operand_shape(0)[call.attributes.axis("axis")]))
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, index, axis) = (operands[0], operands[1], call.attributes.axis("axis"));
        let element = |point: &[usize]| {
            let (before, rest) = point.split_at(axis);
            let (place, behind) = rest.split_at(index.shape.len());
            let slice = (index.at(place) as usize).min(x.shape[axis] - 1);
            x.at(&[before, &[slice], behind].concat())
        };
        vec![Array::build(x.dtype, &call.shape(), element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], usize, &[usize], DType); 9] = [
            (&[5, 3], 0, &[4], DType::F32),
            (&[7, 3], 0, &[2, 5], DType::F32),
            (&[7, 4], 0, &[], DType::F32),
            (&[3, 9], 1, &[5], DType::F32),
            (&[2, 7, 3], 1, &[2, 3], DType::F32),
            (&[5], 0, &[2, 1, 3], DType::U32),
            (&[1, 1], 0, &[1], DType::F32),
            (&[5, 3], 0, &[0], DType::F32),
            (&[13, 5], 0, &[33], DType::F32),
        ];
        let sample = |(shape, axis, index, dtype): (&[usize], usize, &[usize], DType)| {
            let x = SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0));
            let ty = Type::new(DType::U32, Shape::from_known(index));
            let index = SampleOperand { ty, fill: Fill::Below(shape[axis] as u32) };
            Sample { attributes: attributes(axis), operands: vec![x, index] }
        };
        cases.map(sample).to_vec()
    }
}
