//! Axes in reverse.

use super::reduction::distinct_axes;
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::Index;
use crate::shape::Type;

/// The op.
pub struct Flip;

/// The value with the elements along these axes in reverse; nothing without axes.
pub fn flip(b: &mut Builder<'_>, x: ValueId, axes: &[usize]) -> ValueId {
    if axes.is_empty() { x } else { b.apply(&Flip, attributes(axes), &[x]) }
}

fn attributes(axes: &[usize]) -> Attributes {
    Attributes::none().with("axes", Attribute::Ints(axes.iter().map(|&axis| axis as i64).collect()))
}

impl Op for Flip {
    fn name(&self) -> &'static str {
        "flip"
    }

    fn doc(&self) -> &'static str {
        "flip {axes} (x: T<S>) -> T<S>: position i on each of the axes shows n - 1 - i; the gradient is g flipped"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        distinct_axes(infer, x)?;
        Ok(vec![x.clone()])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        Vjp::Operands(vec![Some(flip(b, g, &call.attributes.axes("axes")))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        let extents = call.shape();
        let mut index: Vec<Index> = (0..extents.len()).map(Index::axis).collect();
        for axis in call.attributes.axes("axes") {
            let last = Index::constant(extents[axis].saturating_sub(1) as i64);
            index[axis] = last.plus(&Index::axis(axis).times(-1));
        }
        Lowering::View(index)
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, axes) = (operands[0], call.attributes.axes("axes"));
        let source = |(axis, &at): (usize, &usize)| if axes.contains(&axis) { x.shape[axis] - 1 - at } else { at };
        let element = |point: &[usize]| x.at(&point.iter().enumerate().map(source).collect::<Vec<_>>());
        vec![Array::build(x.dtype, &x.shape, element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize], DType); 9] = [
            (&[7], &[0], DType::F32),
            (&[3, 5], &[0], DType::F32),
            (&[3, 5], &[1], DType::U32),
            (&[3, 5], &[1, 0], DType::F32),
            (&[2, 3, 4], &[1], DType::F32),
            (&[2, 1, 3], &[2, 1], DType::Bool),
            (&[1], &[0], DType::F32),
            (&[0, 3], &[0], DType::F32),
            (&[2, 3], &[], DType::F32),
        ];
        let sample = |(shape, axes, dtype): (&[usize], &[usize], DType)| Sample {
            attributes: attributes(axes),
            operands: vec![SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0))],
        };
        cases.map(sample).to_vec()
    }
}
