//! Sums of all elements up to each one.

use super::elementwise::wrapping;
use super::reduction;
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp,
};
use crate::nest::{Body, Index, Nest, Read, Reducer, Scalar};
use crate::scalar::ScalarOp;
use crate::shape::Type;

/// The op.
pub struct Cumsum;

/// At each position along an axis, the sum of what stands there and before it; with `reverse`, there and behind it.
pub fn cumsum(b: &mut Builder<'_>, x: ValueId, axis: usize, reverse: bool) -> ValueId {
    b.apply(&Cumsum, attributes(axis, reverse), &[x])
}

fn attributes(axis: usize, reverse: bool) -> Attributes {
    Attributes::none().with("axis", Attribute::Int(axis as i64)).with("reverse", Attribute::Bool(reverse))
}

/// The position itself, or counted from the end of an axis of this extent.
fn counted(position: usize, extent: usize, reverse: bool) -> Index {
    match reverse {
        true => Index::axis(position).times(-1).plus(&Index::constant(extent as i64 - 1)),
        false => Index::axis(position),
    }
}

impl Op for Cumsum {
    fn name(&self) -> &'static str {
        "cumsum"
    }

    fn doc(&self) -> &'static str {
        "cumsum {axis, reverse} (x: T<S>) -> T<S>: the sum of x up to each position along the axis, itself included, or from it to the end with reverse, wrapping on integers; the gradient is the cumsum of g the other way"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        infer.axis(x, infer.attributes.axis("axis"))?;
        if x.dtype == DType::Bool {
            return infer.error("takes numbers, not bool");
        }
        Ok(vec![x.clone()])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        Vjp::Operands(vec![Some(cumsum(b, g, call.attributes.axis("axis"), !call.attributes.bool("reverse")))])
    }

    /// With `j` along the axis from the end that sums begin at, the sum over all `j` of x where `j` is at most the position,
    /// else 0. A schedule makes it a running sum.
    fn lower(&self, call: &Call) -> Lowering {
        let (mut extents, dtype) = (call.shape(), call.result_types[0].dtype);
        let (axis, reverse, rank) = (call.attributes.axis("axis"), call.attributes.bool("reverse"), extents.len());
        let extent = extents[axis];
        let mut index: Vec<Index> = (0..rank).map(Index::axis).collect();
        index[axis] = counted(rank, extent, reverse);
        extents.push(extent);
        let mut body = Body::default();
        let (x, at) = (body.push(Scalar::Read(0)), body.push(Scalar::Index(Index::axis(rank))));
        let end = body.push(Scalar::Index(counted(axis, extent, reverse)));
        let (within, zero) = (body.apply(ScalarOp::Le, &[at, end]), body.constant(dtype, 0.0));
        body.apply(ScalarOp::Select, &[within, x, zero]);
        Lowering::Nest(Nest {
            extents,
            outputs: rank,
            reads: vec![Read { operand: 0, dtype, index }],
            body,
            reducer: Some(Reducer::Sum),
            epilogue: None,
            dtype,
        })
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, axis, reverse) = (operands[0], call.attributes.axis("axis"), call.attributes.bool("reverse"));
        let sum = |point: &[usize]| {
            let range = if reverse { point[axis]..x.shape[axis] } else { 0..point[axis] + 1 };
            let along = |i: usize| x.at(&[&point[..axis], &[i], &point[axis + 1..]].concat());
            range.map(along).fold(0.0, |sum, x_i| wrapping(x.dtype, sum, x_i, |a, b| a + b, i64::wrapping_add))
        };
        vec![Array::build(x.dtype, &x.shape, sum)]
    }

    fn samples(&self) -> Vec<Sample> {
        let samples = reduction::single_axis_samples(Fill::Between(-2.0, 2.0), &[DType::F32, DType::U32]);
        let directed = |sample: &Sample, reverse: bool| Sample {
            attributes: attributes(sample.attributes.axis("axis"), reverse),
            operands: sample.operands.clone(),
        };
        [false, true].iter().flat_map(|&reverse| samples.iter().map(move |s| directed(s, reverse))).collect()
    }
}
