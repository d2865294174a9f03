//! Functions of elements.

use super::activations::of_one;
use super::{Arguments, BINARY, Function, Parameter, UNARY, required};
use crate::dtype::DType;
use crate::graph::{Attribute, Attributes};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::operators::Operands;
use crate::syntax::elaborate::value::Value;

const fn unary(name: &'static str) -> Function {
    Function { name, parameters: UNARY, apply: |e, a| of_one(e, a, a.function.name, Attributes::none()) }
}

const fn binary(name: &'static str, apply: fn(&mut Elaborator<'_>, &Arguments<'_>) -> Option<Value>) -> Function {
    Function { name, parameters: BINARY, apply }
}

const SELECT: &[Parameter] = &[required("condition"), required("input"), required("other")];

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    unary("abs"),
    unary("cos"),
    unary("erf"),
    unary("exp"),
    unary("floor"),
    unary("hardsigmoid"),
    unary("hardswish"),
    unary("log"),
    unary("logsigmoid"),
    unary("mish"),
    unary("relu"),
    unary("relu6"),
    unary("round"),
    unary("rsqrt"),
    unary("selu"),
    unary("sigmoid"),
    unary("sign"),
    unary("silu"),
    unary("sin"),
    unary("sqrt"),
    unary("tanh"),
    Function { name: "detach", parameters: UNARY, apply: detach },
    Function { name: "logical_not", parameters: UNARY, apply: |e, a| renamed_unary(e, a, "not") },
    binary("maximum", |e, a| named(e, a, "maximum")),
    binary("minimum", |e, a| named(e, a, "minimum")),
    binary("eq", |e, a| named(e, a, "eq")),
    binary("ne", |e, a| named(e, a, "ne")),
    binary("lt", |e, a| named(e, a, "lt")),
    binary("le", |e, a| named(e, a, "le")),
    binary("gt", |e, a| swapped(e, a, "lt")),
    binary("ge", |e, a| swapped(e, a, "le")),
    binary("logical_and", |e, a| named(e, a, "and")),
    binary("logical_or", |e, a| named(e, a, "or")),
    binary("logical_xor", |e, a| named(e, a, "xor")),
    Function { name: "select", parameters: SELECT, apply: select },
    Function { name: "pow", parameters: &[required("input"), required("exponent")], apply: pow },
    Function { name: "cast", parameters: &[required("input"), required("dtype")], apply: cast },
    Function { name: "zeros_like", parameters: UNARY, apply: |e, a| filled_like(e, a, 0.0) },
    Function { name: "ones_like", parameters: UNARY, apply: |e, a| filled_like(e, a, 1.0) },
];

/// Numbers are constants as they are.
fn detach(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    match e.value_argument(arguments, 0) {
        Some((_, value)) if value.number().is_some() => Some(value),
        _ => renamed_unary(e, arguments, "detach"),
    }
}

fn renamed_unary(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str) -> Option<Value> {
    let input = e.described_argument(arguments, 0)?;
    e.op_on(arguments, op, Attributes::none(), &[input])
}

fn named(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str) -> Option<Value> {
    pair(e, arguments, op, 0, 1)
}

fn swapped(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str) -> Option<Value> {
    pair(e, arguments, op, 1, 0)
}

fn pair(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str, left: usize, right: usize) -> Option<Value> {
    let (left, right) = (e.value_argument(arguments, left)?, e.value_argument(arguments, right)?);
    if !matches!(left.1, Value::Tensor(_)) && !matches!(right.1, Value::Tensor(_)) {
        e.tensor_argument(arguments, 0)?;
    }
    let operands = Operands { left, right, whole: arguments.whole, span: arguments.span };
    match e.tensor_operator(op, operands) {
        Value::Poison => None,
        value => Some(value),
    }
}

fn select(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let condition = e.described_argument(arguments, 0)?;
    let (left, right) = (e.value_argument(arguments, 1)?, e.value_argument(arguments, 2)?);
    let dtype = match (&left.1, &right.1) {
        (Value::Tensor(value), _) | (_, Value::Tensor(value)) => e.graph.dtype(*value),
        _ => DType::F32,
    };
    let a = e.operand(left.0, &left.1, dtype)?;
    let b = e.operand(right.0, &right.1, dtype)?;
    let names = [condition, (left.0, a), (right.0, b)];
    let inner = e.broadcast_shape("select", arguments.whole, &[names[1], names[2]], arguments.span)?;
    let a = e.broadcast_to(a, &inner, arguments.span);
    let shape = e.broadcast_shape("select", arguments.whole, &[condition, (left.0, a)], arguments.span)?;
    let values = [condition.1, a, b].map(|value| e.broadcast_to(value, &shape, arguments.span));
    let operands = [(condition.0, values[0]), (left.0, values[1]), (right.0, values[2])];
    e.op_on(arguments, "select", Attributes::none(), &operands)
}

fn pow(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    if let Some((_, base)) = e.value_argument(arguments, 0)
        && let (Some(base), Some((_, exponent))) = (base.number(), e.value_argument(arguments, 1))
        && let Some(exponent) = exponent.number()
    {
        return Some(Value::Float(base.powf(exponent)));
    }
    let known = e.value_argument(arguments, 1).and_then(|(_, exponent)| exponent.number());
    let Some(exponent) = known else { return named(e, arguments, "power") };
    let input = e.described_argument(arguments, 0)?;
    e.op_on(arguments, "pow", Attributes::none().with("exponent", Attribute::Float(exponent)), &[input])
}

fn cast(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(arguments, 0)?;
    let dtype = e.type_argument(arguments, 1)?;
    if e.graph.dtype(input.1) == dtype {
        return Some(Value::Tensor(input.1));
    }
    e.op_on(arguments, "cast", Attributes::none().with("dtype", Attribute::Type(dtype)), &[input])
}

fn filled_like(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, number: f64) -> Option<Value> {
    let ty = e.graph.ty(e.tensor_argument(arguments, 0)?).clone();
    let scalar = e.constant(number, ty.dtype, arguments.span)?;
    Some(Value::Tensor(e.broadcast_to(scalar, &ty.shape, arguments.span)))
}
