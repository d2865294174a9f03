//! The axes in another order.

use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::Index;
use crate::shape::{Shape, Type};

/// The op.
pub struct Permute;

/// The value with its axes in this order: axis `i` of the result is axis `axes[i]` of the value. Nothing if that is the
/// order they have.
pub fn permute(b: &mut Builder<'_>, x: ValueId, axes: &[usize]) -> ValueId {
    if axes.len() == b.ty(x).rank() && axes.is_sorted() {
        return x;
    }
    b.apply(&Permute, attributes(axes), &[x])
}

/// The value with its last axis moved to this position.
pub fn move_last(b: &mut Builder<'_>, x: ValueId, axis: usize) -> ValueId {
    let last = b.ty(x).rank() - 1;
    let order: Vec<usize> = (0..axis).chain([last]).chain(axis..last).collect();
    permute(b, x, &order)
}

fn attributes(axes: &[usize]) -> Attributes {
    Attributes::none().with("axes", Attribute::Ints(axes.iter().map(|&axis| axis as i64).collect()))
}

/// Where in `axes` each axis stands.
fn inverse(axes: &[usize]) -> Vec<usize> {
    let mut places = vec![0; axes.len()];
    for (place, &axis) in axes.iter().enumerate() {
        places[axis] = place;
    }
    places
}

impl Op for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn doc(&self) -> &'static str {
        "permute {axes} (x: T<S>) -> T<S in the order axes>: axis i of the result is axis axes[i] of x; the gradient is g in the inverse order"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        let axes = super::reduction::distinct_axes(infer, x)?;
        if axes.len() != x.rank() {
            return infer.error(format!("takes all axes of {x}, not {} of them", axes.len()));
        }
        let extents = axes.iter().map(|&axis| x.shape.extents()[axis].clone()).collect();
        Ok(vec![Type::new(x.dtype, Shape::new(extents))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        Vjp::Operands(vec![Some(permute(b, g, &inverse(&call.attributes.axes("axes"))))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        Lowering::View(inverse(&call.attributes.axes("axes")).into_iter().map(Index::axis).collect())
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, axes) = (operands[0], call.attributes.axes("axes"));
        let mut source = vec![0; axes.len()];
        let element = |point: &[usize]| {
            axes.iter().zip(point).for_each(|(&axis, &i)| source[axis] = i);
            x.at(&source)
        };
        vec![Array::build(x.dtype, &call.shape(), element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize], DType); 7] = [
            (&[3, 5], &[1, 0], DType::F32),
            (&[2, 3, 4], &[2, 0, 1], DType::F32),
            (&[2, 3, 4], &[0, 2, 1], DType::U32),
            (&[2, 1, 7, 3], &[3, 1, 0, 2], DType::F32),
            (&[1], &[0], DType::F32),
            (&[], &[], DType::F32),
            (&[3, 0], &[1, 0], DType::F32),
        ];
        let sample = |(shape, axes, dtype): (&[usize], &[usize], DType)| Sample {
            attributes: attributes(axes),
            operands: vec![SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0))],
        };
        cases.map(sample).to_vec()
    }
}
