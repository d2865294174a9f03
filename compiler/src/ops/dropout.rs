//! Dropout: elements that are left out at random.

use super::random::{Distribution, both_words, random};
use super::{constant_like, le, scale, select};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp, seed_type,
};
use crate::random::Key;
use crate::shape::Type;

/// The op.
pub struct Dropout;

/// `x` with every element left out with probability `p`, and the others divided by what is left of 1.
pub fn dropout(b: &mut Builder<'_>, x: ValueId, key: ValueId, p: f64) -> ValueId {
    b.apply(&Dropout, attributes(p), &[x, key])
}

/// The same with a random number for every element.
pub(super) fn dropped(b: &mut Builder<'_>, x: ValueId, numbers: ValueId, p: f64) -> ValueId {
    let bound = constant_like(b, f64::from(p as f32), numbers);
    let kept = le(b, bound, numbers);
    let scaled = scale(b, x, factor(p));
    let nothing = constant_like(b, 0.0, x);
    select(b, kept, scaled, nothing)
}

fn attributes(p: f64) -> Attributes {
    Attributes::none().with("p", Attribute::Float(p))
}

/// What the elements that stay are multiplied by. Where none does, nothing is.
fn factor(p: f64) -> f64 {
    if p == 1.0 { 0.0 } else { 1.0 / (1.0 - p) }
}

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn doc(&self) -> &'static str {
        "dropout {p} (x: F<S>, key: u32<2>) -> F<S>: x / (1 - p) where a uniform random number is at least p (as f32), else 0; the gradient is that of this formula, with the same numbers"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x, key] = infer.operands()?;
        infer.float(x)?;
        both_words(infer, key)?;
        let p = infer.attributes.float("p");
        if !(0.0..=1.0).contains(&p) {
            return infer.error(format!("p is a probability, not {p:?}"));
        }
        Ok(vec![x.clone()])
    }

    fn vjp(&self, _b: &mut Builder<'_>, _call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::Expand
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let numbers = random(b, call.operands[1], Distribution::Uniform, &call.operand_types[0].shape);
        vec![dropped(b, call.operands[0], numbers, call.attributes.float("p"))]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let p = call.attributes.float("p");
        let key = Key::from_words([0, 1].map(|half| operands[1].elements[half] as u32));
        let element = |(i, &x): (usize, &f64)| match key.uniform(i as u64) < f64::from(p as f32) {
            true => 0.0,
            false => x * factor(p),
        };
        let x = operands[0];
        vec![Array::new(x.dtype, &x.shape, x.elements.iter().enumerate().map(element).collect())]
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |p, shape: &[usize]| Sample {
            attributes: attributes(p),
            operands: vec![
                SampleOperand::numbers(DType::F32, shape, Fill::Between(-2.0, 2.0)),
                SampleOperand { ty: seed_type(), fill: Fill::Below(u32::MAX) },
            ],
        };
        let shapes = super::elementwise::SHAPES;
        [0.5, 0.9, 0.0, 1.0].iter().flat_map(|&p| shapes.map(|shape| sample(p, shape))).collect()
    }
}
