//! Functions over axes: sums, means, extremes, softmax.

use super::{Arguments, Default, Function, Parameter, axes_attribute, optional, required};
use crate::dtype::DType;
use crate::graph::{Attribute, Attributes, ValueId};
use crate::shape::{Extent, Shape};
use crate::syntax::ast::Expr;
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::value::Value;

const OVER: &[Parameter] =
    &[required("input"), optional("axis", Default::Absent), optional("keepdim", Default::Bool(false))];
const ALONG: &[Parameter] = &[required("input"), required("axis")];

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function { name: "sum", parameters: OVER, apply: sum },
    Function { name: "mean", parameters: OVER, apply: |e, a| over_axes(e, a, "mean") },
    Function { name: "amax", parameters: OVER, apply: |e, a| over_axes(e, a, "max") },
    Function { name: "max", parameters: OVER, apply: max },
    Function { name: "argmax", parameters: OVER, apply: argmax },
    Function { name: "softmax", parameters: ALONG, apply: |e, a| along(e, a, "softmax") },
    Function { name: "log_softmax", parameters: ALONG, apply: |e, a| along(e, a, "log_softmax") },
];

fn along(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str) -> Option<Value> {
    let input = e.described_argument(arguments, 0)?;
    let axis = e.axis_argument(arguments, 1, e.graph.ty(input.1).rank())?;
    e.op_on(arguments, op, Attributes::none().with("axis", Attribute::Int(axis as i64)), &[input])
}

/// bool.sum() counts, as u32.
fn sum(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let (expr, input) = e.described_argument(arguments, 0)?;
    if e.graph.dtype(input) != DType::Bool {
        return over_axes(e, arguments, "sum");
    }
    let attributes = Attributes::none().with("dtype", Attribute::Type(DType::U32));
    let Value::Tensor(counted) = e.op_on(arguments, "cast", attributes, &[(expr, input)])? else { return None };
    reduced(e, arguments, "sum", (expr, counted))
}

fn over_axes(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str) -> Option<Value> {
    let input = e.described_argument(arguments, 0)?;
    reduced(e, arguments, op, input)
}

fn reduced(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str, input: (&Expr, ValueId)) -> Option<Value> {
    let shape = e.graph.ty(input.1).shape.clone();
    let axes = e.axes_argument(arguments, 1, shape.rank())?;
    let keep = e.bool_argument(arguments, 2)?;
    let result = e.op_on(arguments, op, Attributes::none().with("axes", axes_attribute(&axes)), &[input])?;
    if keep { kept(e, arguments, result, input.0, &shape, &axes) } else { Some(result) }
}

/// The result with the reduced axes put back as axes of extent 1.
fn kept(
    e: &mut Elaborator<'_>,
    arguments: &Arguments<'_>,
    result: Value,
    expr: &Expr,
    shape: &Shape,
    axes: &[usize],
) -> Option<Value> {
    let Value::Tensor(result) = result else { return None };
    let one = |axis: usize| if axes.contains(&axis) { Extent::from(1) } else { shape.extents()[axis].clone() };
    let shape = Shape::new((0..shape.rank()).map(one).collect());
    e.op_on(arguments, "reshape", Attributes::none().with("shape", Attribute::Shape(shape)), &[(expr, result)])
}

/// Over all axes the largest element; along one axis also where it is.
fn max(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    if !e.is_given(arguments, 1) {
        return over_axes(e, arguments, "max");
    }
    let largest = over_axes(e, arguments, "max")?;
    Some(Value::Tuple(vec![largest, argmax(e, arguments)?]))
}

fn argmax(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let (expr, mut input) = e.described_argument(arguments, 0)?;
    let shape = e.graph.ty(input).shape.clone();
    let keep = e.bool_argument(arguments, 2)?;
    let axis = if e.is_given(arguments, 1) {
        e.axis_argument(arguments, 1, shape.rank())?
    } else {
        // Over all axes, the position is that in the flattened tensor.
        let flat = Attribute::Shape(Shape::new(vec![shape.elements()]));
        match e.op_on(arguments, "reshape", Attributes::none().with("shape", flat), &[(expr, input)])? {
            Value::Tensor(flat) => input = flat,
            _ => return None,
        }
        0
    };
    let result =
        e.op_on(arguments, "argmax", Attributes::none().with("axis", Attribute::Int(axis as i64)), &[(expr, input)])?;
    if keep && e.is_given(arguments, 1) { kept(e, arguments, result, expr, &shape, &[axis]) } else { Some(result) }
}
