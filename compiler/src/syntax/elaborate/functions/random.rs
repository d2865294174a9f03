//! Functions that draw random numbers. Every place that draws has a stream of its own, and every run of the step new numbers.

use super::{Arguments, Default, Function, Parameter, optional, required};
use crate::graph::{Attribute, Attributes, ValueId};
use crate::shape::{Extent, Shape};
use crate::syntax::ast::Expr;
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::value::Value;

const DROPOUT: &[Parameter] =
    &[required("input"), optional("p", Default::Float(0.5)), optional("training", Default::Absent)];

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function { name: "rand", parameters: &[required("shape")], apply: |e, a| filled(e, a, "uniform") },
    Function { name: "randn", parameters: &[required("shape")], apply: |e, a| filled(e, a, "normal") },
    Function {
        name: "bernoulli",
        parameters: &[required("input"), optional("shape", Default::Absent)],
        apply: bernoulli,
    },
    Function { name: "dropout", parameters: DROPOUT, apply: dropout },
    Function { name: "dropout2d", parameters: DROPOUT, apply: dropout2d },
];

fn filled(e: &mut Elaborator<'_>, a: &Arguments<'_>, distribution: &str) -> Option<Value> {
    let shape = shape_argument(e, a, 0)?;
    random(e, a, distribution, shape).map(Value::Tensor)
}

/// Numbers of a distribution.
fn random(e: &mut Elaborator<'_>, a: &Arguments<'_>, distribution: &str, shape: Shape) -> Option<ValueId> {
    let key = e.random_key(a.span)?;
    let distribution = Attribute::Word(distribution.to_string());
    let attributes = Attributes::none().with("distribution", distribution).with("shape", Attribute::Shape(shape));
    e.insert_op("random", attributes, &[key], a.span)
}

/// A list of extents, none of them negative.
pub(super) fn shape_argument(e: &Elaborator<'_>, a: &Arguments<'_>, at: usize) -> Option<Shape> {
    let extents = e.extents_argument(a, at)?;
    if let Some(negative) = extents.iter().filter_map(Extent::known).find(|&extent| extent < 0) {
        e.fail(e.argument_span(a, at), format!("{}: an extent is {negative}", a.function.name));
        return None;
    }
    Some(Shape::new(extents))
}

/// 1 where a number that is even in `0.0..1.0` is below the probability, else 0.
fn bernoulli(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let (expr, input) = e.value_argument(a, 0)?;
    let shape = match &input {
        Value::Tensor(value) if !e.is_given(a, 1) => e.graph.ty(*value).shape.clone(),
        _ if !e.is_given(a, 1) => {
            let headline = "bernoulli: a number does not say how many are drawn: bernoulli(p, shape = […])";
            e.fail(expr.start, headline);
            return None;
        }
        _ => shape_argument(e, a, 1)?,
    };
    let p = match &input {
        Value::Tensor(value) => *value,
        _ => e.constant(probability(e, a, 0)?, crate::dtype::DType::F32, a.span)?,
    };
    let ty = e.graph.ty(p).clone();
    let attributes = Attributes::none().with("shape", Attribute::Shape(shape.clone()));
    let p = match ty.shape == shape {
        true => p,
        false => match e.op_on(a, "broadcast", attributes, &[(expr, p)])? {
            Value::Tensor(value) => value,
            _ => return None,
        },
    };
    let numbers = random(e, a, "uniform", shape)?;
    let named: [(&Expr, ValueId); 2] = [(expr, numbers), (expr, p)];
    let Value::Tensor(below) = e.op_on(a, "lt", Attributes::none(), &named)? else { return None };
    e.insert_op("cast", Attributes::none().with("dtype", Attribute::Type(ty.dtype)), &[below], a.span)
        .map(Value::Tensor)
}

/// A number from 0 to 1.
fn probability(e: &Elaborator<'_>, a: &Arguments<'_>, at: usize) -> Option<f64> {
    let p = e.float_argument(a, at)?;
    if (0.0..=1.0).contains(&p) {
        return Some(p);
    }
    let (function, parameter) = (a.function.name, a.function.parameters[at].name);
    e.fail(e.argument_span(a, at), format!("{function}: `{parameter}` is a probability, not {p:?}"));
    None
}

/// The probability of dropping, if anything is dropped here.
fn dropping(e: &Elaborator<'_>, a: &Arguments<'_>) -> Option<Option<f64>> {
    let p = probability(e, a, 1)?;
    let training = if e.is_given(a, 2) { e.bool_argument(a, 2)? } else { e.frame().training };
    Some((training && p > 0.0).then_some(p))
}

fn dropout(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    match dropping(e, a)? {
        Some(p) => dropped(e, a, input, p).map(Value::Tensor),
        None => Some(Value::Tensor(input.1)),
    }
}

fn dropped(e: &mut Elaborator<'_>, a: &Arguments<'_>, input: (&Expr, ValueId), p: f64) -> Option<ValueId> {
    let key = e.random_key(a.span)?;
    let operands = [input, (input.0, key)];
    match e.op_on(a, "dropout", Attributes::none().with("p", Attribute::Float(p)), &operands)? {
        Value::Tensor(value) => Some(value),
        _ => None,
    }
}

/// One choice for all elements that differ in the first two axes in nothing.
fn dropout2d(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let ty = e.graph.ty(input.1).clone();
    if ty.rank() < 2 {
        e.fail(e.argument_span(a, 0), format!("dropout2d: takes samples and channels as axes 0 and 1, not {ty}"));
        return None;
    }
    let Some(p) = dropping(e, a)? else { return Some(Value::Tensor(input.1)) };
    let one = e.constant(1.0, ty.dtype, a.span)?;
    let ones = ty.shape.extents().iter().skip(2).map(|_| Extent::from(1));
    let channels = Shape::new(ty.shape.extents()[..2].iter().cloned().chain(ones).collect());
    let ones = e.broadcast_to(one, &channels, a.span);
    let kept = dropped(e, a, (input.0, ones), p)?;
    let kept = e.broadcast_to(kept, &ty.shape, a.span);
    e.op_on(a, "mul", Attributes::none(), &[input, (input.0, kept)])
}
