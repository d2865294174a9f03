//! A fixed number around an axis.

use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::{Body, Index, Nest, Read, Scalar, ScalarId};
use crate::scalar::{ScalarOp, convert};
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Pad;

/// The value with so many elements before and after it on an axis, all the same number; less than none cuts elements off.
/// Nothing if there is nothing to add.
pub fn pad(b: &mut Builder<'_>, x: ValueId, axis: usize, before: Extent, after: Extent, value: f64) -> ValueId {
    let none = Extent::from(0);
    if before == none && after == none {
        return x;
    }
    b.apply(&Pad, attributes(axis, before, after, value), &[x])
}

fn attributes(axis: usize, before: Extent, after: Extent, value: f64) -> Attributes {
    Attributes::none()
        .with("axis", Attribute::Int(axis as i64))
        .with("before", Attribute::Extent(before))
        .with("after", Attribute::Extent(after))
        .with("value", Attribute::Float(value))
}

/// How many elements are added on the sides.
fn added(call: &Call) -> [i64; 2] {
    ["before", "after"].map(|side| call.attributes.extent(side).known().expect("extents are known once bound"))
}

/// The scalar that says whether the result's position on the axis shows an element of the operand; some are added.
fn inside(body: &mut Body, axis: usize, [before, after]: [i64; 2], extent: usize) -> ScalarId {
    let mut inside = None;
    if before > 0 {
        let position = body.push(Scalar::Index(Index::axis(axis)));
        let first = body.constant(DType::U32, before as f64);
        inside = Some(body.apply(ScalarOp::Le, &[first, position]));
    }
    if after > 0 {
        // Where the front is cut off, positions of the operand are ahead of those of the result.
        let position = body.push(Scalar::Index(Index::axis(axis).plus(&Index::constant((-before).max(0)))));
        let end = body.constant(DType::U32, (extent as i64 + before.max(0)) as f64);
        let in_front = body.apply(ScalarOp::Lt, &[position, end]);
        inside = Some(match inside {
            Some(behind) => body.apply(ScalarOp::And, &[behind, in_front]),
            None => in_front,
        });
    }
    inside.expect("elements are added on one side at least")
}

impl Op for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn doc(&self) -> &'static str {
        "pad {axis, before, after, value} (x: T<S>) -> T<R>: x with so many elements before and after it on the axis, all of them value; negative numbers cut elements off. R is S but for the axis. The gradient is g with as much cut off"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        let axis = infer.axis(x, infer.attributes.axis("axis"))?;
        let mut extents = x.shape.extents().to_vec();
        let (before, after) = (infer.attributes.extent("before"), infer.attributes.extent("after"));
        let whole = extents[axis].clone() + before.clone() + after.clone();
        let headline =
            format!("{before} and {after} more on axis {axis} of extent {} leave less than nothing", extents[axis]);
        infer.at_most(&Extent::from(0), &whole, &headline)?;
        extents[axis] = whole;
        Ok(vec![Type::new(x.dtype, Shape::new(extents))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let less = |side: &str| -call.attributes.extent(side);
        Vjp::Operands(vec![Some(pad(b, g, call.attributes.axis("axis"), less("before"), less("after"), 0.0))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        let (axis, added, dtype) = (call.attributes.axis("axis"), added(call), call.result_types[0].dtype);
        let (extents, shape) = (call.shape(), call.operand_shape(0));
        let position = Index::axis(axis).plus(&Index::constant(-added[0]));
        let mut index: Vec<Index> = (0..extents.len()).map(Index::axis).collect();
        if added.iter().all(|&count| count <= 0) {
            index[axis] = position;
            return Lowering::View(index);
        }
        let mut body = Body::default();
        let mut reads = Vec::new();
        let value = convert(dtype, call.attributes.float("value"));
        if shape.contains(&0) {
            body.constant(dtype, value);
        } else {
            index[axis] = position.clamped(shape[axis] as i64, &extents);
            reads.push(Read { operand: 0, dtype, index });
            let inside = inside(&mut body, axis, added, shape[axis]);
            let (element, value) = (body.push(Scalar::Read(0)), body.constant(dtype, value));
            body.apply(ScalarOp::Select, &[inside, element, value]);
        }
        Lowering::Nest(Nest { outputs: extents.len(), extents, reads, body, reducer: None, epilogue: None, dtype })
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (axis, x) = (call.attributes.axis("axis"), operands[0]);
        let [before, _] = added(call);
        let value = convert(x.dtype, call.attributes.float("value"));
        let element = |point: &[usize]| {
            let mut source = point.to_vec();
            match usize::try_from(point[axis] as i64 - before) {
                Ok(at) if at < x.shape[axis] => {
                    source[axis] = at;
                    x.at(&source)
                }
                _ => value,
            }
        };
        vec![Array::build(x.dtype, &call.shape(), element)]
    }

    fn samples(&self) -> Vec<Sample> {
        type Case = (&'static [usize], usize, [i64; 2], f64, DType);
        let cases: [Case; 16] = [
            (&[5], 0, [2, 3], 0.0, DType::F32),
            (&[5], 0, [2, 0], 1.5, DType::F32),
            (&[5], 0, [0, 3], -1.0, DType::F32),
            (&[5], 0, [-2, 3], 0.0, DType::F32),
            (&[5], 0, [3, -2], 0.0, DType::F32),
            (&[5], 0, [7, -6], 0.0, DType::F32),
            (&[5], 0, [-1, -2], 0.0, DType::F32),
            (&[3, 5], 0, [1, 1], 0.0, DType::F32),
            (&[3, 5], 1, [1, 2], 7.0, DType::U32),
            (&[2, 3, 5], 1, [0, 2], -3.0, DType::I32),
            (&[2, 3, 5], 1, [2, 2], 0.0, DType::F32),
            (&[1], 0, [1, 1], 1.0, DType::Bool),
            (&[1, 1], 1, [3, 0], 0.0, DType::F32),
            (&[0], 0, [2, 3], 4.0, DType::F32),
            (&[0, 3], 1, [1, 1], 0.0, DType::F32),
            (&[2, 3], 1, [-3, 0], 0.0, DType::F32),
        ];
        let sample = |(shape, axis, [before, after], value, dtype): Case| Sample {
            attributes: attributes(axis, Extent::from(before), Extent::from(after), value),
            operands: vec![SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0))],
        };
        cases.map(sample).to_vec()
    }
}
