//! A part of an axis.

use super::{pad, reshape, unsqueeze};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::Index;
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Slice;

/// The elements at `start` up to `end`, which is left out, on an axis. Nothing if that is all of them.
pub fn slice(b: &mut Builder<'_>, x: ValueId, axis: usize, start: Extent, end: Extent) -> ValueId {
    if start == Extent::from(0) && end == b.shape(x).extents()[axis] {
        return x;
    }
    b.apply(&Slice, attributes(axis, start, end, 1), &[x])
}

/// Every `step`-th element of a part of an axis. Nothing if that is all of them.
pub(super) fn strided(b: &mut Builder<'_>, x: ValueId, axis: usize, [start, end]: [Extent; 2], step: i64) -> ValueId {
    match step {
        1 => slice(b, x, axis, start, end),
        _ => b.apply(&Slice, attributes(axis, start, end, step), &[x]),
    }
}

fn attributes(axis: usize, start: Extent, end: Extent, step: i64) -> Attributes {
    Attributes::none()
        .with("axis", Attribute::Int(axis as i64))
        .with("start", Attribute::Extent(start))
        .with("end", Attribute::Extent(end))
        .with("step", Attribute::Int(step))
}

/// Every element of an axis followed by `step - 1` zeros.
fn spread(b: &mut Builder<'_>, x: ValueId, axis: usize, step: i64) -> ValueId {
    if step == 1 {
        return x;
    }
    let mut extents = b.shape(x).extents().to_vec();
    extents[axis] = extents[axis].clone() * Extent::from(step);
    let single = unsqueeze(b, x, &[axis + 1]);
    let spread = pad(b, single, axis + 1, Extent::from(0), Extent::from(step - 1), 0.0);
    reshape(b, spread, &Shape::new(extents))
}

impl Op for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn doc(&self) -> &'static str {
        "slice {axis, start, end, step} (x: T<S>) -> T<R>: the elements at start, start + step, … before end on the axis; R is S but for the axis, which has (end - start + step - 1) / step. The gradient is g among zeros"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        let axis = infer.axis(x, infer.attributes.axis("axis"))?;
        let (start, end) = (infer.attributes.extent("start"), infer.attributes.extent("end"));
        let step = infer.attributes.int("step");
        if step < 1 {
            return infer.error(format!("steps by {step}, which is less than 1"));
        }
        let mut extents = x.shape.extents().to_vec();
        infer.at_most(&Extent::from(0), &start, format_args!("{start}..{end} starts before axis {axis}"))?;
        infer.at_most(&start, &end, format_args!("{start}..{end} ends before it starts"))?;
        let headline = format!("{start}..{end} ends behind axis {axis} of extent {}", extents[axis]);
        infer.at_most(&end, &extents[axis], &headline)?;
        let rounded = end - start + Extent::from(step - 1);
        extents[axis] = rounded.floor_div(&Extent::from(step)).expect("the step is not 0");
        Ok(vec![Type::new(x.dtype, Shape::new(extents))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let (axis, start) = (call.attributes.axis("axis"), call.attributes.extent("start"));
        let spread = spread(b, g, axis, call.attributes.int("step"));
        // Zeros behind the last element may reach past the end; then they are cut off.
        let reached = start.clone() + b.shape(spread).extents()[axis].clone();
        let after = call.operand_types[0].shape.extents()[axis].clone() - reached;
        Vjp::Operands(vec![Some(pad(b, spread, axis, start, after, 0.0))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        let (axis, step) = (call.attributes.axis("axis"), call.attributes.int("step"));
        let start = call.attributes.extent("start").known().expect("extents are known once bound");
        let mut index: Vec<Index> = (0..call.shape().len()).map(Index::axis).collect();
        index[axis] = Index::axis(axis).times(step).plus(&Index::constant(start));
        Lowering::View(index)
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (axis, x) = (call.attributes.axis("axis"), operands[0]);
        let bound = |name: &str| call.attributes.extent(name).known().expect("extents are known once bound") as usize;
        let taken: Vec<usize> = (bound("start")..bound("end")).step_by(call.attributes.int("step") as usize).collect();
        let element = |point: &[usize]| {
            let mut source = point.to_vec();
            source[axis] = taken[point[axis]];
            x.at(&source)
        };
        vec![Array::build(x.dtype, &call.shape(), element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], usize, [i64; 3], DType); 13] = [
            (&[7], 0, [2, 5, 1], DType::F32),
            (&[7], 0, [0, 7, 1], DType::F32),
            (&[7], 0, [1, 7, 2], DType::F32),
            (&[8], 0, [1, 7, 3], DType::F32),
            (&[9], 0, [0, 9, 4], DType::F32),
            (&[3, 5], 0, [1, 3, 1], DType::F32),
            (&[3, 5], 1, [0, 4, 1], DType::U32),
            (&[2, 5, 3], 1, [3, 5, 1], DType::F32),
            (&[2, 5, 3], 1, [0, 5, 2], DType::Bool),
            (&[1], 0, [0, 1, 1], DType::F32),
            (&[3, 5], 1, [2, 2, 1], DType::F32),
            (&[0, 3], 1, [1, 3, 1], DType::F32),
            (&[0], 0, [0, 0, 2], DType::F32),
        ];
        let sample = |(shape, axis, [start, end, step], dtype): (&[usize], usize, [i64; 3], DType)| Sample {
            attributes: attributes(axis, Extent::from(start), Extent::from(end), step),
            operands: vec![SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0))],
        };
        cases.map(sample).to_vec()
    }
}
