//! Activations and other functions of one tensor with numbers as arguments.

use super::{Arguments, Default, Function, Parameter, optional, required};
use crate::dtype::DType;
use crate::graph::{Array, Attribute, Attributes, Call};
use crate::ops;
use crate::shape::{Extent, Shape, Type};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::operators::Operands;
use crate::syntax::elaborate::value::Value;

const fn numbered(name: &'static str, parameters: &'static [Parameter]) -> Function {
    Function { name, parameters, apply: |e, a| numbered_as(e, a, a.function.name) }
}

const GELU: &[Parameter] = &[required("input"), optional("approximate", Default::Word(&["none", "tanh"]))];
const CLAMP: &[Parameter] = &[required("input"), optional("min", Default::Absent), optional("max", Default::Absent)];

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function { name: "clamp", parameters: CLAMP, apply: clamp },
    numbered("elu", &[required("input"), optional("alpha", Default::Float(1.0))]),
    Function { name: "gelu", parameters: GELU, apply: gelu },
    numbered(
        "hardtanh",
        &[required("input"), optional("min_val", Default::Float(-1.0)), optional("max_val", Default::Float(1.0))],
    ),
    numbered("leaky_relu", &[required("input"), optional("negative_slope", Default::Float(0.01))]),
    Function { name: "prelu", parameters: &[required("input"), required("weight")], apply: prelu },
    numbered(
        "softplus",
        &[required("input"), optional("beta", Default::Float(1.0)), optional("threshold", Default::Float(20.0))],
    ),
];

/// The op of the function's name, with the numbers after the first argument as attributes of their names.
fn numbered_as(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str) -> Option<Value> {
    let mut attributes = Attributes::none();
    for (at, parameter) in arguments.function.parameters.iter().enumerate().skip(1) {
        attributes = attributes.with(parameter.name, Attribute::Float(e.float_argument(arguments, at)?));
    }
    of_one(e, arguments, op, attributes)
}

/// An op on the first argument: a tensor, or a number that is known and gives one.
pub(super) fn of_one(
    e: &mut Elaborator<'_>,
    arguments: &Arguments<'_>,
    op: &str,
    attributes: Attributes,
) -> Option<Value> {
    if let Some((_, value)) = e.value_argument(arguments, 0)
        && let Some(number) = value.number()
    {
        return Some(Value::Float(of_number(op, attributes, number)));
    }
    let input = e.described_argument(arguments, 0)?;
    e.op_on(arguments, op, attributes, &[input])
}

/// What an op makes of a number, by its reference.
fn of_number(op: &str, attributes: Attributes, number: f64) -> f64 {
    let op = ops::find(op).expect("the front end names ops of the list");
    let types = vec![Type::scalar(DType::F64)];
    let call = Call {
        attributes,
        operands: Vec::new(),
        operand_types: types.clone(),
        results: Vec::new(),
        result_types: types,
    };
    op.reference(&call, &[&Array::filled(DType::F64, &[], number)])[0].elements[0]
}

fn gelu(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let exact = e.word_argument(arguments, 1)? == "none";
    of_one(e, arguments, if exact { "gelu" } else { "gelu_tanh" }, Attributes::none())
}

/// Numbers are attributes of one op; tensors bound by `maximum` and `minimum`.
fn clamp(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    if !e.is_given(arguments, 1) && !e.is_given(arguments, 2) {
        e.fail(arguments.span, "clamp takes `min`, `max` or both");
        return None;
    }
    let known = |at: usize, none: f64| match e.value_argument(arguments, at) {
        None => Some(none),
        Some((_, value)) => value.number(),
    };
    if let (Some(min), Some(max)) = (known(1, f64::NEG_INFINITY), known(2, f64::INFINITY)) {
        let attributes = Attributes::none().with("min", Attribute::Float(min)).with("max", Attribute::Float(max));
        return of_one(e, arguments, "clamp", attributes);
    }
    let input = e.described_argument(arguments, 0)?;
    let mut held = Value::Tensor(input.1);
    for (at, op) in [(1, "maximum"), (2, "minimum")] {
        if let Some(right) = e.value_argument(arguments, at) {
            let (left, whole) = ((input.0, held), arguments.whole);
            held = e.tensor_operator(op, Operands { left, right, whole, span: arguments.span });
        }
    }
    (!held.is_poison()).then_some(held)
}

/// The weight is one number, or one per channel, which is axis 1.
fn prelu(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let (input, weight) = (e.described_argument(arguments, 0)?, e.described_argument(arguments, 1)?);
    let (ty, slopes) = (e.graph.ty(input.1).clone(), e.graph.ty(weight.1).shape.extents().to_vec());
    let shape = match (slopes.as_slice(), ty.shape.extents().get(1)) {
        ([], _) => Vec::new(),
        ([one], _) if *one == Extent::from(1) => Vec::new(),
        ([slopes], Some(channels)) if (slopes.clone() - channels.clone()).known().is_none_or(|d| d == 0) => {
            [vec![slopes.clone()], vec![Extent::from(1); ty.rank() - 2]].concat()
        }
        _ => {
            let slopes = &e.graph.ty(weight.1).shape;
            let headline = format!("prelu: `weight` holds one slope per channel on axis 1 of {ty}, not <{slopes}>");
            e.fail(arguments.span, headline);
            return None;
        }
    };
    let channels = Attributes::none().with("shape", Attribute::Shape(Shape::new(shape)));
    let reshaped = e.insert_op("reshape", channels, &[weight.1], arguments.span)?;
    let operands = Operands {
        left: (input.0, Value::Tensor(input.1)),
        right: (weight.0, Value::Tensor(reshaped)),
        whole: arguments.whole,
        span: arguments.span,
    };
    match e.tensor_operator("prelu", operands) {
        Value::Poison => None,
        value => Some(value),
    }
}
