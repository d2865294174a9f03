//! An axis turned: what leaves at the end comes in at the front.

use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::Index;
use crate::shape::{Extent, Type};

/// The op.
pub struct Roll;

/// The value with the elements along an axis moved this far towards the end, around it where they leave it.
pub fn roll(b: &mut Builder<'_>, x: ValueId, axis: usize, shift: Extent) -> ValueId {
    if shift == Extent::from(0) { x } else { b.apply(&Roll, attributes(axis, shift), &[x]) }
}

fn attributes(axis: usize, shift: Extent) -> Attributes {
    Attributes::none().with("axis", Attribute::Int(axis as i64)).with("shift", Attribute::Extent(shift))
}

fn shift(call: &Call) -> i64 {
    call.attributes.extent("shift").known().expect("extents are known once the dims of a graph are bound")
}

impl Op for Roll {
    fn name(&self) -> &'static str {
        "roll"
    }

    fn doc(&self) -> &'static str {
        "roll {axis, shift} (x: T<S>) -> T<S>: position i on the axis, of extent n, shows (i - shift) mod n; the gradient is g rolled by -shift"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        infer.axis(x, infer.attributes.axis("axis"))?;
        Ok(vec![x.clone()])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let back = -call.attributes.extent("shift");
        Vjp::Operands(vec![Some(roll(b, g, call.attributes.axis("axis"), back))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        let (extents, axis) = (call.shape(), call.attributes.axis("axis"));
        let extent = (extents[axis] as i64).max(1);
        let mut index: Vec<Index> = (0..extents.len()).map(Index::axis).collect();
        let turned = Index::axis(axis).plus(&Index::constant((-shift(call)).rem_euclid(extent)));
        index[axis] = turned.modulo(extent, &extents);
        Lowering::View(index)
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, axis) = (operands[0], call.attributes.axis("axis"));
        let element = |point: &[usize]| {
            let mut source = point.to_vec();
            let extent = x.shape[axis];
            source[axis] = (point[axis] + extent - shift(call).rem_euclid(extent as i64) as usize) % extent;
            x.at(&source)
        };
        vec![Array::build(x.dtype, &x.shape, element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], usize, i64, DType); 9] = [
            (&[7], 0, 2, DType::F32),
            (&[7], 0, -3, DType::F32),
            (&[5], 0, 12, DType::F32),
            (&[3, 5], 0, 1, DType::U32),
            (&[3, 5], 1, -1, DType::F32),
            (&[2, 3, 4], 1, 2, DType::F32),
            (&[1], 0, 1, DType::Bool),
            (&[0, 3], 0, 1, DType::F32),
            (&[2, 3], 1, 0, DType::F32),
        ];
        let sample = |(shape, axis, shift, dtype): (&[usize], usize, i64, DType)| Sample {
            attributes: attributes(axis, Extent::from(shift)),
            operands: vec![SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0))],
        };
        cases.map(sample).to_vec()
    }
}
