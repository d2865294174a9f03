//! What activations share: functions of one element and a few fixed numbers, made of other ops.
//!
//! Each states its derivative as a whole. So it is right at kinks, stays finite where its parts do not, and is short.

use super::elementwise::{self, SHAPES};
use super::{and, constant_like, lt, maximum, minimum, select};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::shape::Type;

/// An activation.
pub struct Activation {
    /// The name.
    pub name: &'static str,
    /// The formula.
    pub doc: &'static str,
    /// The names of the numbers that it takes as attributes.
    pub parameters: &'static [&'static str],
    /// The numbers of samples.
    pub settings: &'static [&'static [f64]],
    /// What the operand of a sample holds.
    pub fill: Fill,
    /// The meaning in f64 of one element.
    pub scalar: fn(f64, &[f64]) -> f64,
    /// The same as other ops.
    pub expansion: fn(&mut Builder<'_>, ValueId, &[f64]) -> ValueId,
    /// The cotangent of the operand from that of the result, which comes last.
    pub gradient: fn(&mut Builder<'_>, ValueId, &[f64], ValueId) -> ValueId,
}

impl Activation {
    /// The function of x with these numbers.
    pub fn apply(&'static self, b: &mut Builder<'_>, x: ValueId, numbers: &[f64]) -> ValueId {
        b.apply(self, self.attributes(numbers), &[x])
    }

    fn attributes(&self, numbers: &[f64]) -> Attributes {
        let numbers = self.parameters.iter().zip(numbers);
        numbers.fold(Attributes::none(), |attributes, (name, number)| attributes.with(*name, Attribute::Float(*number)))
    }

    fn numbers(&self, call: &Call) -> Vec<f64> {
        self.parameters.iter().map(|name| call.attributes.float(name)).collect()
    }
}

impl Op for Activation {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        infer.float(x)?;
        Ok(vec![x.clone()])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let gradient = (self.gradient)(b, call.operands[0], &self.numbers(call), g);
        Vjp::Operands(vec![Some(gradient)])
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        vec![(self.expansion)(b, call.operands[0], &self.numbers(call))]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let numbers = self.numbers(call);
        vec![elementwise::map(call, operands, |x| (self.scalar)(x[0], &numbers))]
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |numbers: &[f64], shape: &[usize]| Sample {
            attributes: self.attributes(numbers),
            operands: vec![SampleOperand::numbers(DType::F32, shape, self.fill)],
        };
        self.settings.iter().flat_map(|numbers| SHAPES.map(|shape| sample(numbers, shape))).collect()
    }
}

/// x held between two numbers.
pub fn held(b: &mut Builder<'_>, x: ValueId, low: f64, high: f64) -> ValueId {
    let (low, high) = (constant_like(b, low, x), constant_like(b, high, x));
    let above = maximum(b, x, low);
    minimum(b, above, high)
}

/// The first where x is strictly between two numbers, 0 elsewhere.
pub fn where_inside(b: &mut Builder<'_>, x: ValueId, low: f64, high: f64, value: ValueId) -> ValueId {
    let (low, high, zero) = (constant_like(b, low, x), constant_like(b, high, x), constant_like(b, 0.0, value));
    let (above, below) = (lt(b, low, x), lt(b, x, high));
    let inside = and(b, above, below);
    select(b, inside, value, zero)
}

/// The first where x is above a number, the second elsewhere.
pub fn where_above(b: &mut Builder<'_>, x: ValueId, number: f64, value: ValueId, otherwise: ValueId) -> ValueId {
    let number = constant_like(b, number, x);
    let above = lt(b, number, x);
    select(b, above, value, otherwise)
}
