//! The key of a stream of random numbers in one run of a step.

use super::random::{both_words, threefry, word};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp, seed_type,
};
use crate::nest::{Body, Index, Nest, Read, Scalar};
use crate::random::Key;
use crate::scalar::ScalarOp;
use crate::shape::Type;

/// The op.
pub struct RandomKey;

/// The key of the stream of that number, from the seed of a store and the count of runs.
pub fn random_key(b: &mut Builder<'_>, seed: ValueId, runs: ValueId, stream: i64) -> ValueId {
    b.apply(&RandomKey, attributes(stream), &[seed, runs])
}

fn attributes(stream: i64) -> Attributes {
    Attributes::none().with("stream", Attribute::Int(stream))
}

impl Op for RandomKey {
    fn name(&self) -> &'static str {
        "random_key"
    }

    fn doc(&self) -> &'static str {
        "random_key {stream} (seed: u32<2>, runs: u32) -> u32<2>: threefry(threefry(seed, stream), [runs, 0]), where a pair of words is its lower word first; no gradient"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [seed, runs] = infer.operands()?;
        both_words(infer, seed)?;
        if *runs != Type::scalar(DType::U32) {
            return infer.error(format!("takes a count of runs that is u32, not {runs}"));
        }
        Ok(vec![seed_type()])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::none(call)
    }

    fn lower(&self, call: &Call) -> Lowering {
        let stream = call.attributes.int("stream") as u64;
        let mut body = Body::default();
        let seed = [0, 1].map(|read| body.push(Scalar::Read(read)));
        let stream = [stream as u32, (stream >> 32) as u32].map(|half| word(&mut body, half));
        let inner = threefry(&mut body, seed, stream);
        let runs = [body.push(Scalar::Read(2)), word(&mut body, 0)];
        let key = threefry(&mut body, inner, runs);
        let position = body.push(Scalar::Index(Index::axis(0)));
        let zero = word(&mut body, 0);
        let first = body.apply(ScalarOp::Eq, &[position, zero]);
        body.apply(ScalarOp::Select, &[first, key[0], key[1]]);
        let read = |operand, index| Read { operand, dtype: DType::U32, index };
        Lowering::Nest(Nest {
            extents: vec![2],
            outputs: 1,
            reads: vec![read(0, vec![Index::constant(0)]), read(0, vec![Index::constant(1)]), read(1, Vec::new())],
            body,
            reducer: None,
            epilogue: None,
            dtype: DType::U32,
        })
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let seed = operands[0].elements.iter().rev().fold(0, |words, &word| words << 32 | word as u64);
        let key = Key::new(seed).fold(call.attributes.int("stream") as u64).fold(operands[1].elements[0] as u64);
        vec![Array::new(DType::U32, &[2], key.words().map(f64::from).to_vec())]
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |stream| Sample {
            attributes: attributes(stream),
            operands: vec![
                SampleOperand { ty: seed_type(), fill: Fill::Below(u32::MAX) },
                SampleOperand { ty: Type::scalar(DType::U32), fill: Fill::Below(1000) },
            ],
        };
        [0, 1, i64::MAX, 0x1234_5678_9ABC].map(sample).to_vec()
    }
}
