//! Some rows of what `random` draws: numbers of an array that need not all be there at once.

use super::random::{both_words, threefry, uniform, word};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp, seed_type,
};
use crate::nest::{Body, Index, Nest, Read, Scalar, ScalarId, flatten};
use crate::random::Key;
use crate::scalar::ScalarOp;
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct RandomRows;

/// The uniform numbers that an array of this shape would hold at these positions on an axis.
pub fn random_rows(b: &mut Builder<'_>, key: ValueId, rows: ValueId, shape: &Shape, axis: usize) -> ValueId {
    b.apply(&RandomRows, attributes(shape.clone(), axis), &[key, rows])
}

fn attributes(shape: Shape, axis: usize) -> Attributes {
    Attributes::none().with("axis", Attribute::Int(axis as i64)).with("shape", Attribute::Shape(shape))
}

/// The extents of the whole array.
fn whole(call: &Call) -> Vec<usize> {
    call.attributes.shape("shape").known().expect("extents are known once bound")
}

/// The lower 16 bits of a word.
fn lower(body: &mut Body, x: ScalarId) -> ScalarId {
    let up = body.apply(ScalarOp::ShiftLeft(16), &[x]);
    upper(body, up)
}

/// The upper 16 bits of a word.
fn upper(body: &mut Body, x: ScalarId) -> ScalarId {
    body.apply(ScalarOp::ShiftRight(16), &[x])
}

/// Both words of a product of two words, made of the products of their halves.
fn product(body: &mut Body, x: ScalarId, factor: u32) -> [ScalarId; 2] {
    let halves = [lower(body, x), upper(body, x)];
    let factors = [word(body, factor & 0xFFFF), word(body, factor >> 16)];
    let mut times = |x: usize, factor: usize| body.apply(ScalarOp::Mul, &[halves[x], factors[factor]]);
    let (low, middle, other, high) = (times(0, 0), times(0, 1), times(1, 0), times(1, 1));
    let mut sum = upper(body, low);
    let mut above = high;
    for part in [middle, other] {
        let (below, carried) = (lower(body, part), upper(body, part));
        sum = body.apply(ScalarOp::Add, &[sum, below]);
        above = body.apply(ScalarOp::Add, &[above, carried]);
    }
    let carried = upper(body, sum);
    let below = word(body, factor);
    [body.apply(ScalarOp::Mul, &[x, below]), body.apply(ScalarOp::Add, &[above, carried])]
}

/// The words of the position in the whole array: that of the row's first element there, and how far behind it.
fn position(body: &mut Body, row: ScalarId, whole: &[usize], axis: usize) -> [ScalarId; 2] {
    let axes: Vec<Index> = (0..whole.len()).map(Index::axis).collect();
    let outer = body.push(Scalar::Index(flatten(&axes[..axis], &whole[..axis])));
    let behind = body.push(Scalar::Index(flatten(&axes[axis + 1..], &whole[axis + 1..])));
    let [rows, stride] = [whole[axis], whole[axis + 1..].iter().product()].map(|extent| extent as u32);
    let rows = word(body, rows);
    let before = body.apply(ScalarOp::Mul, &[outer, rows]);
    let row = body.apply(ScalarOp::Add, &[before, row]);
    if whole.iter().product::<usize>() <= 1 << 32 {
        let stride = word(body, stride);
        let first = body.apply(ScalarOp::Mul, &[row, stride]);
        return [body.apply(ScalarOp::Add, &[first, behind]), word(body, 0)];
    }
    let first = product(body, row, stride);
    let sum = body.apply(ScalarOp::Add, &[first[0], behind]);
    let wrapped = body.apply(ScalarOp::Lt, &[sum, behind]);
    let carried = body.apply(ScalarOp::Cast(DType::U32), &[wrapped]);
    [sum, body.apply(ScalarOp::Add, &[first[1], carried])]
}

impl Op for RandomRows {
    fn name(&self) -> &'static str {
        "random_rows"
    }

    fn doc(&self) -> &'static str {
        "random_rows {axis, shape} (key: u32<2>, rows: u32<R>) -> f32<shape with R on the axis>: the numbers that random uniform of this shape has at rows[r] on the axis; no gradient"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [key, rows] = infer.operands()?;
        both_words(infer, key)?;
        let [count] = rows.shape.extents() else {
            return infer.error(format!("takes rows of u32<R>, not {rows}"));
        };
        if rows.dtype != DType::U32 {
            return infer.error(format!("takes rows of u32<R>, not {rows}"));
        }
        let mut extents = infer.attributes.shape("shape").extents().to_vec();
        let axis = infer.attributes.axis("axis");
        if axis >= extents.len() {
            return infer.error(format!("an array with {} axes has no axis {axis}", extents.len()));
        }
        for part in [&extents[..=axis], &extents[axis + 1..]] {
            let elements = Shape::new(part.to_vec()).elements();
            infer.at_most(
                &elements,
                &Extent::from(u32::MAX as usize),
                "there are more rows than 32 bits count, or more in a row",
            )?;
        }
        extents[axis] = count.clone();
        Ok(vec![Type::new(DType::F32, Shape::new(extents))])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::none(call)
    }

    fn lower(&self, call: &Call) -> Lowering {
        let (extents, axis) = (call.shape(), call.attributes.axis("axis"));
        let mut body = Body::default();
        let [first, second, row] = [0, 1, 2].map(|read| body.push(Scalar::Read(read)));
        let counter = position(&mut body, row, &whole(call), axis);
        let words = threefry(&mut body, [first, second], counter);
        uniform(&mut body, words);
        let read = |operand, index| Read { operand, dtype: DType::U32, index: vec![index] };
        let key = |half| read(0, Index::constant(half));
        Lowering::Nest(Nest {
            outputs: extents.len(),
            extents,
            reads: vec![key(0), key(1), read(1, Index::axis(axis))],
            body,
            reducer: None,
            epilogue: None,
            dtype: DType::F32,
        })
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (whole, axis) = (whole(call), call.attributes.axis("axis"));
        let key = Key::from_words([0, 1].map(|half| operands[0].elements[half] as u32));
        let element = |point: &[usize]| {
            let mut position = 0;
            for (at, &extent) in whole.iter().enumerate() {
                let along = if at == axis { operands[1].elements[point[at]] as u64 } else { point[at] as u64 };
                position = position * extent as u64 + along;
            }
            key.uniform(position)
        };
        vec![Array::build(DType::F32, &call.shape(), element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], usize, usize); 8] = [
            (&[7], 0, 3),
            (&[4, 3], 0, 5),
            (&[4, 3], 1, 2),
            (&[2, 9, 5], 1, 4),
            (&[1, 1], 0, 1),
            (&[2, 0, 3], 1, 0),
            // Positions of two words.
            (&[3, 1 << 30, 5], 1, 7),
            (&[1 << 27, 33], 0, 2),
        ];
        let sample = |(shape, axis, rows): (&[usize], usize, usize)| Sample {
            attributes: attributes(Shape::from_known(shape), axis),
            operands: vec![
                SampleOperand { ty: seed_type(), fill: Fill::Below(u32::MAX) },
                SampleOperand {
                    ty: Type::new(DType::U32, Shape::from_known(&[rows])),
                    fill: Fill::Below(shape[axis].max(1) as u32),
                },
            ],
        };
        cases.map(sample).to_vec()
    }
}
