//! What all reductions share: the result has the operand's axes but those that are reduced.

use super::{broadcast_over, cast, div, eq, mul, sum};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Op, Sample, SampleOperand, TypeError, ValueId,
    for_each_point,
};
use crate::nest::{Body, Index, Nest, Read, Reducer, Scalar};
use crate::shape::{Shape, Type};

/// Applies a reduction to a value; nothing if there are no axes to reduce.
pub fn reduce(b: &mut Builder<'_>, op: &'static dyn Op, x: ValueId, axes: &[usize]) -> ValueId {
    if axes.is_empty() { x } else { b.apply(op, attributes(axes), &[x]) }
}

/// The axes of the attribute `axes`, if they are different axes of `x`.
pub fn distinct_axes(infer: &Infer<'_>, x: &Type) -> Result<Vec<usize>, TypeError> {
    let axes = infer.attributes.axes("axes");
    for (position, &axis) in axes.iter().enumerate() {
        infer.axis(x, axis)?;
        if axes[..position].contains(&axis) {
            return infer.error(format!("axis {axis} is named twice"));
        }
    }
    Ok(axes)
}

/// The type of a reduction of numbers over the attribute `axes`.
pub fn reduced_type(infer: &Infer<'_>) -> Result<Type, TypeError> {
    let [x] = infer.operands()?;
    if x.dtype == DType::Bool {
        return infer.error("takes numbers, not bool");
    }
    Ok(Type::new(x.dtype, without(&x.shape, &distinct_axes(infer, x)?)))
}

/// The shape without these axes.
pub fn without(shape: &Shape, axes: &[usize]) -> Shape {
    let kept = shape.extents().iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
    Shape::new(kept.map(|(_, extent)| extent.clone()).collect())
}

/// The nest that reduces the only operand over these axes.
pub fn nest(call: &Call, axes: &[usize], reducer: Reducer) -> Nest {
    let shape = call.operand_shape(0);
    let kept: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
    let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
    let place = |axis| order.iter().position(|&a| a == axis).expect("every axis is kept or reduced");
    let mut body = Body::default();
    body.push(Scalar::Read(0));
    Nest {
        extents: order.iter().map(|&axis| shape[axis]).collect(),
        outputs: kept.len(),
        reads: vec![Read {
            operand: 0,
            dtype: call.operand_types[0].dtype,
            index: (0..shape.len()).map(|axis| Index::axis(place(axis))).collect(),
        }],
        body,
        reducer: (!axes.is_empty()).then_some(reducer),
        epilogue: None,
        dtype: call.result_types[0].dtype,
    }
}

/// The cotangent of the operand of a maximum or minimum over the attribute `axes`: an equal share for each element that is
/// it, as PyTorch's amax and amin have it.
pub fn shared(b: &mut Builder<'_>, call: &Call, g: ValueId) -> ValueId {
    let (axes, shape) = (call.attributes.axes("axes"), &call.operand_types[0].shape);
    let extremum = broadcast_over(b, call.results[0], &axes, shape);
    let found = eq(b, call.operands[0], extremum);
    let mask = cast(b, found, call.operand_types[0].dtype);
    let count = sum(b, mask, &axes);
    let share = div(b, g, count);
    let spread = broadcast_over(b, share, &axes, shape);
    mul(b, spread, mask)
}

/// Combines the elements along these axes, one after the other in row-major order.
pub fn fold(call: &Call, axes: &[usize], x: &Array, initial: f64, combine: impl Fn(f64, f64) -> f64) -> Array {
    let mut result = Array::filled(call.result_types[0].dtype, &call.shape(), initial);
    for_each_point(&x.shape, |point| {
        let kept: Vec<usize> = (0..point.len()).filter(|axis| !axes.contains(axis)).map(|axis| point[axis]).collect();
        result.set(&kept, combine(result.at(&kept), x.at(point)));
    });
    result
}

/// Samples over several shapes and sets of axes.
pub fn samples(fill: Fill, dtypes: &[DType]) -> Vec<Sample> {
    let cases: [(&[usize], &[usize]); 12] = [
        (&[4], &[0]),
        (&[33], &[0]),
        (&[1], &[0]),
        (&[3, 5], &[0]),
        (&[3, 5], &[1]),
        (&[3, 5], &[0, 1]),
        (&[2, 1, 7], &[1]),
        (&[2, 3, 4], &[2, 0]),
        (&[3, 0], &[0]),
        (&[3, 0], &[1]),
        (&[2, 3], &[]),
        (&[], &[]),
    ];
    let sample = |dtype: DType, (shape, axes): (&[usize], &[usize])| Sample {
        attributes: attributes(axes),
        operands: vec![SampleOperand::numbers(dtype, shape, fill)],
    };
    dtypes.iter().flat_map(|&dtype| cases.map(|case| sample(dtype, case))).collect()
}

/// Samples for ops along one axis, the attribute `axis`.
pub fn single_axis_samples(fill: Fill, dtypes: &[DType]) -> Vec<Sample> {
    let cases: [(&[usize], usize); 8] =
        [(&[4], 0), (&[33], 0), (&[1], 0), (&[3, 5], 0), (&[3, 5], 1), (&[2, 1, 7], 1), (&[2, 3, 5], 2), (&[0, 3], 1)];
    let sample = |dtype: DType, (shape, axis): (&[usize], usize)| Sample {
        attributes: Attributes::none().with("axis", Attribute::Int(axis as i64)),
        operands: vec![SampleOperand::numbers(dtype, shape, fill)],
    };
    dtypes.iter().flat_map(|&dtype| cases.map(|case| sample(dtype, case))).collect()
}

fn attributes(axes: &[usize]) -> Attributes {
    Attributes::none().with("axes", Attribute::Ints(axes.iter().map(|&axis| axis as i64).collect()))
}
