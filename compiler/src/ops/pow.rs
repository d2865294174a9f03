//! Powers with a fixed exponent.

use super::{constant_like, elementwise, mul};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::{Body, ScalarId};
use crate::scalar::ScalarOp;
use crate::shape::Type;

/// The op.
pub struct Pow;

/// Whole exponents up to this size are multiplied out.
const LARGEST_PRODUCT: f64 = 64.0;

/// x to the power of a fixed exponent; x itself for the exponent 1.
pub fn pow(b: &mut Builder<'_>, x: ValueId, exponent: f64) -> ValueId {
    if exponent == 1.0 { x } else { b.apply(&Pow, attributes(exponent), &[x]) }
}

fn attributes(exponent: f64) -> Attributes {
    Attributes::none().with("exponent", Attribute::Float(exponent))
}

fn body(body: &mut Body, dtype: DType, x: ScalarId, exponent: f64) -> ScalarId {
    let whole = exponent.fract() == 0.0 && exponent.abs() <= LARGEST_PRODUCT;
    if exponent == 0.0 {
        return body.constant(dtype, 1.0);
    }
    if whole && exponent > 0.0 {
        return product(body, x, exponent as u32);
    }
    if whole {
        let (one, divisor) = (body.constant(dtype, 1.0), product(body, x, -exponent as u32));
        return body.apply(ScalarOp::Div, &[one, divisor]);
    }
    if exponent == 0.5 {
        return body.apply(ScalarOp::Sqrt, &[x]);
    }
    let (logarithm, factor) = (body.apply(ScalarOp::Log, &[x]), body.constant(dtype, exponent));
    let scaled = body.apply(ScalarOp::Mul, &[factor, logarithm]);
    body.apply(ScalarOp::Exp, &[scaled])
}

/// x to a positive whole power, by squaring.
fn product(body: &mut Body, x: ScalarId, exponent: u32) -> ScalarId {
    if exponent == 1 {
        return x;
    }
    let root = product(body, x, exponent / 2);
    let square = body.apply(ScalarOp::Mul, &[root, root]);
    if exponent.is_multiple_of(2) { square } else { body.apply(ScalarOp::Mul, &[square, x]) }
}

impl Op for Pow {
    fn name(&self) -> &'static str {
        "pow"
    }

    fn doc(&self) -> &'static str {
        "pow {exponent} (x: F<S>) -> F<S>: x to the power e; the gradient is g * e * pow(x, e - 1), and 0 for e = 0"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        infer.float(x)?;
        Ok(vec![x.clone()])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let exponent = call.attributes.float("exponent");
        // The formula would give 0 * infinity at 0 for the exponent 0.
        let gradient = match exponent {
            0.0 => constant_like(b, 0.0, g),
            1.0 => g,
            _ => {
                let factor = constant_like(b, exponent, g);
                let power = pow(b, call.operands[0], exponent - 1.0);
                let slope = mul(b, factor, power);
                mul(b, g, slope)
            }
        };
        Vjp::Operands(vec![Some(gradient)])
    }

    fn lower(&self, call: &Call) -> Lowering {
        let (dtype, exponent) = (call.operand_types[0].dtype, call.attributes.float("exponent"));
        Lowering::Nest(elementwise::nest(call, |scalars, x| body(scalars, dtype, x[0], exponent)))
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let exponent = call.attributes.float("exponent");
        vec![elementwise::map(call, operands, |x| x[0].powf(exponent))]
    }

    fn samples(&self) -> Vec<Sample> {
        let whole = [0.0, 1.0, 2.0, 3.0, 7.0].map(|exponent| (exponent, Fill::Between(-2.0, 2.0)));
        let positive = [-1.0, -2.0, -3.0, 0.5, -0.5, 1.7, -1.3, 65.0].map(|e| (e, Fill::Between(0.8, 1.1)));
        let sample = |(exponent, fill), shape: &[usize]| Sample {
            attributes: attributes(exponent),
            operands: vec![SampleOperand::numbers(DType::F32, shape, fill)],
        };
        let cases = whole.into_iter().chain(positive);
        cases.flat_map(|case| elementwise::SHAPES.map(|shape| sample(case, shape))).collect()
    }
}
