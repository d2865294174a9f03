//! Broadcasting, as NumPy does it: axes align at the end, and an axis of extent 1 is repeated.

use super::{reshape, sum, unsqueeze};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::Index;
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Broadcast;

/// The value repeated to a shape; nothing if it has that shape.
pub fn broadcast(b: &mut Builder<'_>, x: ValueId, shape: &Shape) -> ValueId {
    if b.shape(x) == *shape {
        return x;
    }
    b.apply(&Broadcast, attributes(shape), &[x])
}

/// The value repeated to a shape along these axes of it, which the value does not have.
pub fn broadcast_over(b: &mut Builder<'_>, x: ValueId, axes: &[usize], shape: &Shape) -> ValueId {
    let kept = unsqueeze(b, x, axes);
    broadcast(b, kept, shape)
}

fn attributes(shape: &Shape) -> Attributes {
    Attributes::none().with("shape", Attribute::Shape(shape.clone()))
}

/// The axes of `to` along which `from` is repeated.
fn repeated_axes(from: &Shape, to: &Shape) -> Vec<usize> {
    let leading = to.rank() - from.rank();
    let one = Extent::from(1);
    let repeated =
        |&axis: &usize| axis < leading || (from.extents()[axis - leading] == one && to.extents()[axis] != one);
    (0..to.rank()).filter(repeated).collect()
}

impl Op for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn doc(&self) -> &'static str {
        "broadcast {shape} (x: T<S>) -> T<shape>: x repeated along new leading axes and axes of extent 1; the gradient is the sum over them"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        let shape = infer.attributes.shape("shape");
        let Some(leading) = shape.rank().checked_sub(x.rank()) else {
            return infer.error(format!("{x} has more axes than <{shape}>"));
        };
        for (axis, (from, to)) in x.shape.extents().iter().zip(&shape.extents()[leading..]).enumerate() {
            // An open extent never broadcasts, not even when it turns out to be 1.
            if *from != Extent::from(1) {
                infer.same_extent(from, to, format_args!("extents differ on axis {}", axis + leading))?;
            }
        }
        Ok(vec![Type::new(x.dtype, shape.clone())])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let from = &call.operand_types[0].shape;
        let total = sum(b, g, &repeated_axes(from, &call.result_types[0].shape));
        Vjp::Operands(vec![Some(reshape(b, total, from))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        let from = call.operand_shape(0);
        let leading = call.shape().len() - from.len();
        let index = |(axis, &extent): (usize, &usize)| match extent {
            1 => Index::constant(0),
            _ => Index::axis(axis + leading),
        };
        Lowering::View(from.iter().enumerate().map(index).collect())
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, shape) = (operands[0], call.shape());
        let leading = shape.len() - x.shape.len();
        let element = |point: &[usize]| {
            let source: Vec<usize> = point[leading..].iter().zip(&x.shape).map(|(&i, &extent)| i % extent).collect();
            x.at(&source)
        };
        vec![Array::build(x.dtype, &shape, element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize], DType); 11] = [
            (&[], &[4], DType::F32),
            (&[], &[3, 5], DType::F32),
            (&[5], &[3, 5], DType::F32),
            (&[1], &[7], DType::F32),
            (&[3, 1], &[3, 7], DType::I32),
            (&[1, 1], &[2, 3], DType::F32),
            (&[2, 1, 7], &[3, 2, 4, 7], DType::F32),
            (&[3], &[3], DType::Bool),
            (&[3, 1], &[3, 0], DType::F32),
            (&[1, 5], &[1, 5], DType::F32),
            (&[0], &[3, 0], DType::F32),
        ];
        let sample = |(from, to, dtype): (&[usize], &[usize], DType)| Sample {
            attributes: attributes(&Shape::from_known(to)),
            operands: vec![SampleOperand::numbers(dtype, from, Fill::Between(-2.0, 2.0))],
        };
        cases.map(sample).to_vec()
    }
}
