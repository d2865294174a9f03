//! Functions of elements.

use super::{Arguments, BINARY, Default, Function, Parameter, UNARY, optional, required};
use crate::dtype::DType;
use crate::graph::{Attribute, Attributes};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::operators::Operands;
use crate::syntax::elaborate::value::Value;

const fn unary(name: &'static str) -> Function {
    Function { name, parameters: UNARY, apply: apply_unary }
}

const fn binary(name: &'static str, apply: fn(&mut Elaborator<'_>, &Arguments<'_>) -> Option<Value>) -> Function {
    Function { name, parameters: BINARY, apply }
}

const SELECT: &[Parameter] = &[required("condition"), required("input"), required("other")];

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    unary("abs"),
    unary("exp"),
    unary("floor"),
    unary("log"),
    unary("relu"),
    unary("sigmoid"),
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
    Function { name: "select", parameters: SELECT, apply: select },
    Function { name: "pow", parameters: &[required("input"), required("exponent")], apply: pow },
    Function { name: "cast", parameters: &[required("input"), required("dtype")], apply: cast },
    Function { name: "zeros_like", parameters: UNARY, apply: |e, a| filled_like(e, a, 0.0) },
    Function { name: "ones_like", parameters: UNARY, apply: |e, a| filled_like(e, a, 1.0) },
    Function {
        name: "one_hot",
        parameters: &[required("input"), required("num_classes"), optional("dtype", Default::Absent)],
        apply: one_hot,
    },
];

/// Consts are numbers, not tensors: functions of one number work on both.
fn apply_unary(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    if let Some((_, value)) = e.value_argument(arguments, 0)
        && let Some(number) = value.number()
    {
        return Some(Value::Float(match arguments.function.name {
            "abs" => number.abs(),
            "exp" => number.exp(),
            "floor" => number.floor(),
            "log" => number.ln(),
            "relu" => number.max(0.0),
            "sigmoid" => 1.0 / (1.0 + (-number).exp()),
            "sqrt" => number.sqrt(),
            _ => number.tanh(),
        }));
    }
    renamed_unary(e, arguments, arguments.function.name)
}

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
    let operands = Operands { left, right, whole: arguments.whole.clone(), span: arguments.span };
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
    let inner = e.broadcast_shape("select", &arguments.whole, &[names[1], names[2]], arguments.span)?;
    let a = e.broadcast_to(a, &inner, arguments.span);
    let shape = e.broadcast_shape("select", &arguments.whole, &[condition, (left.0, a)], arguments.span)?;
    let values = [condition.1, a, b].map(|value| e.broadcast_to(value, &shape, arguments.span));
    let operands = [(condition.0, values[0]), (left.0, values[1]), (right.0, values[2])];
    e.op_on(arguments, "select", Attributes::none(), &operands)
}

fn pow(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    if let Some((_, base)) = e.value_argument(arguments, 0)
        && let (Some(base), Some((_, exponent))) = (base.number(), e.value_argument(arguments, 1))
    {
        return exponent.number().map(|exponent| Value::Float(base.powf(exponent)));
    }
    let input = e.described_argument(arguments, 0)?;
    if let Some((expr, Value::Tensor(_))) = e.value_argument(arguments, 1) {
        e.unsupported(expr.start, "an exponent that is a tensor");
        return None;
    }
    let exponent = e.float_argument(arguments, 1)?;
    e.op_on(arguments, "pow", Attributes::none().with("exponent", Attribute::Float(exponent)), &[input])
}

fn cast(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(arguments, 0)?;
    let dtype = e.type_argument(arguments, 1)?;
    if !matches!(dtype, DType::F32 | DType::U32 | DType::I32 | DType::Bool) {
        e.unsupported(e.argument_span(arguments, 1), &format!("the element type {dtype}"));
        return None;
    }
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

fn one_hot(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(arguments, 0)?;
    let classes = e.extent_argument(arguments, 1)?;
    let dtype = if e.is_given(arguments, 2) { e.type_argument(arguments, 2)? } else { DType::U32 };
    let attributes =
        Attributes::none().with("classes", Attribute::Extent(classes)).with("dtype", Attribute::Type(dtype));
    e.op_on(arguments, "one_hot", attributes, &[input])
}
