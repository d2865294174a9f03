//! Random numbers: a pure function of a key and the position of the element.

use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp, seed_type,
};
use crate::nest::{Body, Index, Nest, Read, Scalar, ScalarId, flatten};
use crate::random::Key;
use crate::scalar::ScalarOp;
use crate::shape::{Extent, Shape, Type};
use std::f64::consts::TAU;

/// The op.
pub struct Random;

/// What random numbers are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Even in `0.0..1.0`, multiples of 2^-24.
    Uniform,
    /// Normal with mean 0 and variance 1.
    Normal,
}

/// Numbers of a distribution, one per element of the shape.
pub fn random(b: &mut Builder<'_>, key: ValueId, distribution: Distribution, shape: &Shape) -> ValueId {
    b.apply(&Random, attributes(distribution.word(), shape.clone()), &[key])
}

fn attributes(distribution: &str, shape: Shape) -> Attributes {
    let distribution = Attribute::Word(distribution.to_string());
    Attributes::none().with("distribution", distribution).with("shape", Attribute::Shape(shape))
}

impl Distribution {
    fn word(self) -> &'static str {
        match self {
            Distribution::Uniform => "uniform",
            Distribution::Normal => "normal",
        }
    }

    fn of(attributes: &Attributes) -> Option<Distribution> {
        let word = attributes.word("distribution");
        [Distribution::Uniform, Distribution::Normal].into_iter().find(|distribution| distribution.word() == word)
    }
}

/// Demands that an operand is a pair of words.
pub fn both_words(infer: &mut Infer<'_>, ty: &Type) -> Result<(), TypeError> {
    match ty.shape.extents() {
        [extent] if ty.dtype == DType::U32 => infer.same_extent(extent, &Extent::from(2), "a key has two words"),
        _ => infer.error(format!("takes a key of u32<2>, not {ty}")),
    }
}

/// A word that is known.
pub fn word(body: &mut Body, word: u32) -> ScalarId {
    body.constant(DType::U32, f64::from(word))
}

/// Threefry-2x32 with 20 rounds, as scalar operations. After every fourth round a part of the key is added.
pub fn threefry(body: &mut Body, key: [ScalarId; 2], counter: [ScalarId; 2]) -> [ScalarId; 2] {
    const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
    let parity = word(body, 0x1BD1_1BDA);
    let mixed = body.apply(ScalarOp::Xor, &key);
    let schedule = [key[0], key[1], body.apply(ScalarOp::Xor, &[mixed, parity])];
    let mut a = body.apply(ScalarOp::Add, &[counter[0], schedule[0]]);
    let mut b = body.apply(ScalarOp::Add, &[counter[1], schedule[1]]);
    for group in 0..5 {
        for by in ROTATIONS[group % 2] {
            a = body.apply(ScalarOp::Add, &[a, b]);
            let (up, down) =
                (body.apply(ScalarOp::ShiftLeft(by), &[b]), body.apply(ScalarOp::ShiftRight(32 - by), &[b]));
            let rotated = body.apply(ScalarOp::Xor, &[up, down]);
            b = body.apply(ScalarOp::Xor, &[rotated, a]);
        }
        // What does not depend on the counter is computed first: it is the same for all elements.
        let number = word(body, group as u32 + 1);
        let injected = body.apply(ScalarOp::Add, &[schedule[(group + 2) % 3], number]);
        a = body.apply(ScalarOp::Add, &[a, schedule[(group + 1) % 3]]);
        b = body.apply(ScalarOp::Add, &[b, injected]);
    }
    [a, b]
}

/// The position of an element among all, as words of which each counts to `base`.
fn position(body: &mut Body, extents: &[usize], base: i64) -> [ScalarId; 2] {
    let axes: Vec<Index> = (0..extents.len()).map(Index::axis).collect();
    let position = flatten(&axes, extents);
    let elements = extents.iter().map(|&extent| extent as i64).product::<i64>();
    if elements <= base {
        return [body.push(Scalar::Index(position)), word(body, 0)];
    }
    let (upper, lower) = (position.divided(base, extents), position.modulo(base, extents));
    [body.push(Scalar::Index(lower)), body.push(Scalar::Index(upper))]
}

/// The upper 24 bits of a word as a float.
fn upper_bits(body: &mut Body, word: ScalarId) -> ScalarId {
    let upper = body.apply(ScalarOp::ShiftRight(8), &[word]);
    body.apply(ScalarOp::Cast(DType::F32), &[upper])
}

/// 2^-24.
const SMALLEST: f64 = 1.0 / 16_777_216.0;

/// An even number in `0.0..1.0` of random words.
pub fn uniform(body: &mut Body, words: [ScalarId; 2]) -> ScalarId {
    let bits = upper_bits(body, words[0]);
    let scale = body.constant(DType::F32, SMALLEST);
    body.apply(ScalarOp::Mul, &[bits, scale])
}

/// The transform of Box and Muller, with the first number in (0, 1].
fn normal(body: &mut Body, words: [ScalarId; 2]) -> ScalarId {
    let (even, smallest) = (uniform(body, words), body.constant(DType::F32, SMALLEST));
    let above = body.apply(ScalarOp::Add, &[even, smallest]);
    let log = body.apply(ScalarOp::Log, &[above]);
    let factor = body.constant(DType::F32, -2.0);
    let square = body.apply(ScalarOp::Mul, &[log, factor]);
    let radius = body.apply(ScalarOp::Sqrt, &[square]);
    let turns = upper_bits(body, words[1]);
    let turn = body.constant(DType::F32, TAU * SMALLEST);
    let angle = body.apply(ScalarOp::Mul, &[turns, turn]);
    let cosine = body.apply(ScalarOp::Cos, &[angle]);
    body.apply(ScalarOp::Mul, &[radius, cosine])
}

impl Op for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn doc(&self) -> &'static str {
        "random {distribution, shape} (key: u32<2>) -> f32<shape>: with the words a and b of threefry(key, position of the element), uniform is u(a) = floor(a / 256) / 2^24 and normal is sqrt(-2 log(u(a) + 2^-24)) cos(2 pi u(b)); no gradient"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [key] = infer.operands()?;
        both_words(infer, key)?;
        if Distribution::of(infer.attributes).is_none() {
            return infer.error("distribution is uniform or normal");
        }
        Ok(vec![Type::new(DType::F32, infer.attributes.shape("shape").clone())])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::none(call)
    }

    fn lower(&self, call: &Call) -> Lowering {
        let extents = call.shape();
        let mut body = Body::default();
        let key = [0, 1].map(|read| body.push(Scalar::Read(read)));
        let counter = position(&mut body, &extents, 1 << 32);
        let words = threefry(&mut body, key, counter);
        match Distribution::of(&call.attributes).expect("the word was read when the types were inferred") {
            Distribution::Uniform => uniform(&mut body, words),
            Distribution::Normal => normal(&mut body, words),
        };
        let read = |half| Read { operand: 0, dtype: DType::U32, index: vec![Index::constant(half)] };
        Lowering::Nest(Nest {
            outputs: extents.len(),
            extents,
            reads: vec![read(0), read(1)],
            body,
            reducer: None,
            epilogue: None,
            dtype: DType::F32,
        })
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let key = Key::from_words([0, 1].map(|half| operands[0].elements[half] as u32));
        let number = match Distribution::of(&call.attributes) {
            Some(Distribution::Normal) => Key::normal,
            _ => Key::uniform,
        };
        let elements = call.shape().iter().product::<usize>() as u64;
        vec![Array::new(DType::F32, &call.shape(), (0..elements).map(|element| number(key, element)).collect())]
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |distribution: Distribution, shape: &[usize]| Sample {
            attributes: attributes(distribution.word(), Shape::from_known(shape)),
            operands: vec![SampleOperand { ty: seed_type(), fill: Fill::Below(u32::MAX) }],
        };
        let shapes = super::elementwise::SHAPES;
        [Distribution::Uniform, Distribution::Normal]
            .iter()
            .flat_map(|&d| shapes.map(|shape| sample(d, shape)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nest::evaluate;

    /// The words of the position of each element.
    fn positions(extents: &[usize], base: i64) -> Vec<[f64; 2]> {
        let half = |half: usize| {
            let mut body = Body::default();
            let words = position(&mut body, extents, base);
            let zero = word(&mut body, 0);
            body.apply(ScalarOp::Add, &[words[half], zero]);
            let nest = Nest {
                extents: extents.to_vec(),
                outputs: extents.len(),
                reads: Vec::new(),
                body,
                reducer: None,
                epilogue: None,
                dtype: DType::U32,
            };
            evaluate(&nest, &[], &[])
        };
        half(0).into_iter().zip(half(1)).map(|(lower, upper)| [lower, upper]).collect()
    }

    #[test]
    fn positions_that_one_word_cannot_hold_take_two() {
        let expected = |base: usize| (0..60).map(|i| [(i % base) as f64, (i / base) as f64]).collect::<Vec<_>>();
        for base in [7, 16, 59, 60, 1 << 32] {
            assert_eq!(positions(&[3, 4, 5], base), expected(base as usize), "words of {base}");
        }
        assert_eq!(positions(&[], 16), [[0.0, 0.0]]);
        assert_eq!(positions(&[3, 0], 16), [[0.0; 2]; 0]);
    }
}
