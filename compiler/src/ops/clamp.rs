//! Values held between two numbers.

use super::elementwise::{self, SHAPES};
use super::{and, constant_like, le, maximum, minimum, select};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::scalar::convert;
use crate::shape::Type;

/// The op.
pub struct Clamp;

/// x held between two numbers, which may be infinite.
pub fn clamp(b: &mut Builder<'_>, x: ValueId, min: f64, max: f64) -> ValueId {
    b.apply(&Clamp, attributes(min, max), &[x])
}

fn attributes(min: f64, max: f64) -> Attributes {
    Attributes::none().with("min", Attribute::Float(min)).with("max", Attribute::Float(max))
}

fn ends(attributes: &Attributes) -> (f64, f64) {
    (attributes.float("min"), attributes.float("max"))
}

impl Op for Clamp {
    fn name(&self) -> &'static str {
        "clamp"
    }

    fn doc(&self) -> &'static str {
        "clamp {min, max} (x: T<S>) -> T<S>: the smaller of max and the larger of min and x; the gradient is g for x from min to max, else 0"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        if x.dtype == DType::Bool {
            return infer.error("takes numbers, not bool");
        }
        let (min, max) = ends(infer.attributes);
        let broken = |end: &f64| end.is_finite() && convert(x.dtype, *end) != *end;
        match [min, max].into_iter().find(broken) {
            Some(end) => infer.error(format!("{end} is no {}", x.dtype)),
            None => Ok(vec![x.clone()]),
        }
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let ((min, max), x) = (ends(&call.attributes), call.operands[0]);
        let (min, max, zero) = (constant_like(b, min, x), constant_like(b, max, x), constant_like(b, 0.0, g));
        let (above, below) = (le(b, min, x), le(b, x, max));
        let inside = and(b, above, below);
        Vjp::Operands(vec![Some(select(b, inside, g, zero))])
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let (min, max) = ends(&call.attributes);
        let mut held = call.operands[0];
        if min != f64::NEG_INFINITY {
            let min = constant_like(b, min, held);
            held = maximum(b, held, min);
        }
        if max != f64::INFINITY {
            let max = constant_like(b, max, held);
            held = minimum(b, held, max);
        }
        vec![held]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (min, max) = ends(&call.attributes);
        let held = |x: f64| match x {
            x if max < min || x > max => max,
            x if x < min => min,
            x => x,
        };
        vec![elementwise::map(call, operands, |x| held(x[0]))]
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |(min, max), dtype: DType, shape: &[usize]| Sample {
            attributes: attributes(min, max),
            operands: vec![SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0))],
        };
        let all = (f64::NEG_INFINITY, f64::INFINITY);
        let floats = [(-0.5, 1.0), (all.0, 0.3), (-0.3, all.1), (1.0, -1.0)].map(|ends| (ends, DType::F32));
        let integers = [((2.0, 4.0), DType::U32), ((-1.0, 3.0), DType::I32), ((2.0, all.1), DType::I32)];
        let cases = floats.into_iter().chain(integers);
        cases.flat_map(|(ends, dtype)| SHAPES.map(|shape| sample(ends, dtype, shape))).collect()
    }
}
