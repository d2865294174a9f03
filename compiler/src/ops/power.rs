//! Powers of elements with elements.

use super::elementwise::{Elementwise, Signature};
use super::{constant_like, eq, le, log, mul, select, sub};
use crate::dtype::DType;
use crate::graph::{Attributes, Builder, Call, Fill, ValueId};
use crate::nest::{Body, ScalarId};
use crate::scalar::ScalarOp;

/// The op.
pub static POWER: Elementwise = Elementwise {
    name: "power",
    doc: "power(x: F<S>, y: F<S>) -> F<S>: x to the power y, for negative x where y is whole; the gradients are g * y * power(x, y - 1), 0 where y = 0, and g * power(x, y) * log(x), 0 where x = 0 and y >= 0",
    fills: &[Fill::Between(0.4, 2.5), Fill::Between(-2.0, 2.0)],
    signature: Signature::Floats,
    scalar: |_, x| x[0].powf(x[1]),
    body,
    gradient: Some(|b, call, g| vec![Some(to_base(b, call, g)), Some(to_exponent(b, call, g))]),
};

/// x to the power y.
pub fn power(b: &mut Builder<'_>, x: ValueId, y: ValueId) -> ValueId {
    b.apply(&POWER, Attributes::none(), &[x, y])
}

/// `exp(y log |x|)` with the sign that odd powers keep.
fn body(body: &mut Body, dtype: DType, operands: &[ScalarId]) -> ScalarId {
    use ScalarOp::*;
    let (x, y) = (operands[0], operands[1]);
    let [zero, half, one, nan] = [0.0, 0.5, 1.0, f64::NAN].map(|number| body.constant(dtype, number));
    let size = body.apply(Abs, &[x]);
    let logarithm = body.apply(Log, &[size]);
    let product = body.apply(Mul, &[y, logarithm]);
    // What has the exponent 0 or the base 1 is 1, even if the other side is infinite.
    let (none, unit) = (body.apply(Eq, &[y, zero]), body.apply(Eq, &[x, one]));
    let is_one = body.apply(Or, &[none, unit]);
    let product = body.apply(Select, &[is_one, zero, product]);
    let power = body.apply(Exp, &[product]);
    let halved = body.apply(Mul, &[y, half]);
    let [whole, even] = [y, halved].map(|number| {
        let floor = body.apply(Floor, &[number]);
        body.apply(Eq, &[floor, number])
    });
    let minus = body.apply(Neg, &[power]);
    let odd = body.apply(Select, &[whole, minus, nan]);
    let signed = body.apply(Select, &[even, power, odd]);
    let negative = body.apply(Lt, &[x, zero]);
    body.apply(Select, &[negative, signed, power])
}

fn to_base(b: &mut Builder<'_>, call: &Call, g: ValueId) -> ValueId {
    let (x, y) = (call.operands[0], call.operands[1]);
    let (zero, one) = (constant_like(b, 0.0, g), constant_like(b, 1.0, g));
    let less = sub(b, y, one);
    let below = power(b, x, less);
    let slope = mul(b, y, below);
    let gradient = mul(b, g, slope);
    // The formula would give 0 * infinity at 0 for the exponent 0.
    let none = eq(b, y, zero);
    select(b, none, zero, gradient)
}

fn to_exponent(b: &mut Builder<'_>, call: &Call, g: ValueId) -> ValueId {
    let (x, y) = (call.operands[0], call.operands[1]);
    let zero = constant_like(b, 0.0, g);
    let logarithm = log(b, x);
    let slope = mul(b, call.results[0], logarithm);
    let gradient = mul(b, g, slope);
    // 0 to the power 0 is 1, and to any positive power 0.
    let (empty, rising) = (eq(b, x, zero), le(b, zero, y));
    let flat = super::and(b, empty, rising);
    select(b, flat, zero, gradient)
}
