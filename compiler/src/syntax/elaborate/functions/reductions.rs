//! Functions over axes: sums, means, variances, extremes, positions, running sums, softmax.

use super::{Arguments, Default, Function, Parameter, axes_attribute, optional, required};
use crate::dtype::DType;
use crate::graph::{Attribute, Attributes, ValueId};
use crate::shape::{Extent, Shape};
use crate::syntax::ast::Expr;
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

const OVER: &[Parameter] =
    &[required("input"), optional("axis", Default::Absent), optional("keepdim", Default::Bool(false))];
const VAR: &[Parameter] = &[
    required("input"),
    optional("axis", Default::Absent),
    optional("correction", Default::Int(1)),
    optional("keepdim", Default::Bool(false)),
];
const LOGSUMEXP: &[Parameter] = &[required("input"), required("axis"), optional("keepdim", Default::Bool(false))];
const ALONG: &[Parameter] = &[required("input"), required("axis")];

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function { name: "sum", parameters: OVER, apply: sum },
    Function { name: "mean", parameters: OVER, apply: |e, a| over_axes(e, a, "mean") },
    Function { name: "var", parameters: VAR, apply: var },
    Function { name: "logsumexp", parameters: LOGSUMEXP, apply: |e, a| over_axes(e, a, "logsumexp") },
    Function { name: "amax", parameters: OVER, apply: |e, a| extremum(e, a, "max") },
    Function { name: "amin", parameters: OVER, apply: |e, a| extremum(e, a, "min") },
    Function { name: "max", parameters: OVER, apply: |e, a| picked(e, a, "max", "max_along") },
    Function { name: "min", parameters: OVER, apply: |e, a| picked(e, a, "min", "min_along") },
    Function { name: "argmax", parameters: OVER, apply: |e, a| position(e, a, "argmax") },
    Function { name: "argmin", parameters: OVER, apply: |e, a| position(e, a, "argmin") },
    Function { name: "any", parameters: OVER, apply: |e, a| truth(e, a, "max") },
    Function { name: "all", parameters: OVER, apply: |e, a| truth(e, a, "min") },
    Function { name: "cumsum", parameters: ALONG, apply: cumsum },
    Function { name: "softmax", parameters: ALONG, apply: |e, a| along(e, a, "softmax") },
    Function { name: "log_softmax", parameters: ALONG, apply: |e, a| along(e, a, "log_softmax") },
];

fn along(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str) -> Option<Value> {
    let input = e.described_argument(arguments, 0)?;
    let axis = e.axis_argument(arguments, 1, e.graph.ty(input.1).rank())?;
    e.op_on(arguments, op, along_axis(axis), &[input])
}

fn along_axis(axis: usize) -> Attributes {
    Attributes::none().with("axis", Attribute::Int(axis as i64))
}

/// The first argument with another element type.
fn converted<'e>(
    e: &mut Elaborator<'_>,
    arguments: &Arguments<'_>,
    (expr, input): (&'e Expr, ValueId),
    dtype: DType,
) -> Option<(&'e Expr, ValueId)> {
    if e.graph.dtype(input) == dtype {
        return Some((expr, input));
    }
    let attributes = Attributes::none().with("dtype", Attribute::Type(dtype));
    match e.op_on(arguments, "cast", attributes, &[(expr, input)])? {
        Value::Tensor(converted) => Some((expr, converted)),
        _ => None,
    }
}

/// The first argument; of bools, their number is what is summed, as u32.
fn counted<'e>(e: &mut Elaborator<'_>, arguments: &Arguments<'e>) -> Option<(&'e Expr, ValueId)> {
    let input = e.described_argument(arguments, 0)?;
    match e.graph.dtype(input.1) {
        DType::Bool => converted(e, arguments, input, DType::U32),
        _ => Some(input),
    }
}

fn sum(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let input = counted(e, arguments)?;
    reduced(e, arguments, "sum", input)
}

fn cumsum(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let input = counted(e, arguments)?;
    let axis = e.axis_argument(arguments, 1, e.graph.ty(input.1).rank())?;
    e.op_on(arguments, "cumsum", along_axis(axis).with("reverse", Attribute::Bool(false)), &[input])
}

fn over_axes(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str) -> Option<Value> {
    let input = e.described_argument(arguments, 0)?;
    reduced(e, arguments, op, input)
}

fn reduced(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str, input: (&Expr, ValueId)) -> Option<Value> {
    let axes = e.axes_argument(arguments, 1, e.graph.ty(input.1).rank())?;
    let keep = e.bool_argument(arguments, 2)?;
    reduced_over(e, arguments, op, input, (&axes, keep), Attributes::none())
}

fn var(e: &mut Elaborator<'_>, arguments: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(arguments, 0)?;
    let axes = e.axes_argument(arguments, 1, e.graph.ty(input.1).rank())?;
    let Some(correction) = e.extent_argument(arguments, 2)?.known() else {
        e.fail(e.argument_span(arguments, 2), "var: `correction` is a number that is known");
        return None;
    };
    let keep = e.bool_argument(arguments, 3)?;
    let attributes = Attributes::none().with("correction", Attribute::Int(correction));
    reduced_over(e, arguments, "var", input, (&axes, keep), attributes)
}

fn reduced_over(
    e: &mut Elaborator<'_>,
    arguments: &Arguments<'_>,
    op: &str,
    input: (&Expr, ValueId),
    (axes, keep): (&[usize], bool),
    attributes: Attributes,
) -> Option<Value> {
    let shape = e.graph.ty(input.1).shape.clone();
    let result = e.op_on(arguments, op, attributes.with("axes", axes_attribute(axes)), &[input])?;
    if keep { kept(e, arguments, result, input.0, (&shape, axes)) } else { Some(result) }
}

/// The results with the reduced axes put back as axes of extent 1.
fn kept(
    e: &mut Elaborator<'_>,
    arguments: &Arguments<'_>,
    result: Value,
    expr: &Expr,
    (shape, axes): (&Shape, &[usize]),
) -> Option<Value> {
    let one = |axis: usize| if axes.contains(&axis) { Extent::from(1) } else { shape.extents()[axis].clone() };
    let whole = Shape::new((0..shape.rank()).map(one).collect());
    match result {
        Value::Tensor(result) => {
            e.op_on(arguments, "reshape", Attributes::none().with("shape", Attribute::Shape(whole)), &[(expr, result)])
        }
        Value::Tuple(results) => {
            let results = results.into_iter().map(|result| kept(e, arguments, result, expr, (shape, axes)));
            results.collect::<Option<Vec<_>>>().map(Value::Tuple)
        }
        _ => None,
    }
}

/// Whether each of these axes has elements, as far as that is known.
fn has_elements(e: &Elaborator<'_>, arguments: &Arguments<'_>, input: (&Expr, ValueId), axes: &[usize]) -> Option<()> {
    let (name, ty) = (arguments.function.name, e.graph.ty(input.1));
    let axis = axes.iter().find(|&&axis| ty.shape.extents()[axis].known() == Some(0));
    let Some(axis) = axis else { return Some(()) };
    let problem = Problem::new(arguments.span, format!("{name}: axis {axis} of {ty} is empty"));
    e.report(e.about_operands(problem, None, &[input]));
    None
}

/// The largest or smallest element over any axes; equal ones share the gradient.
fn extremum(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str) -> Option<Value> {
    let input = e.described_argument(arguments, 0)?;
    let axes = e.axes_argument(arguments, 1, e.graph.ty(input.1).rank())?;
    has_elements(e, arguments, input, &axes)?;
    reduced(e, arguments, op, input)
}

/// Over all axes the extreme element. Along one axis a pair, as in PyTorch: the extreme elements, and where the first of
/// each stands, which gets the gradient.
fn picked(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str, along: &str) -> Option<Value> {
    if !e.is_given(arguments, 1) {
        return extremum(e, arguments, op);
    }
    let input = e.described_argument(arguments, 0)?;
    let shape = e.graph.ty(input.1).shape.clone();
    let axis = e.axis_argument(arguments, 1, shape.rank())?;
    let keep = e.bool_argument(arguments, 2)?;
    has_elements(e, arguments, input, &[axis])?;
    let result = e.op_on(arguments, along, along_axis(axis), &[input])?;
    if keep { kept(e, arguments, result, input.0, (&shape, &[axis])) } else { Some(result) }
}

fn position(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str) -> Option<Value> {
    let mut input = e.described_argument(arguments, 0)?;
    let shape = e.graph.ty(input.1).shape.clone();
    let keep = e.bool_argument(arguments, 2)?;
    let axes = match e.is_given(arguments, 1) {
        true => vec![e.axis_argument(arguments, 1, shape.rank())?],
        false => (0..shape.rank()).collect(),
    };
    has_elements(e, arguments, input, &axes)?;
    if !e.is_given(arguments, 1) {
        // Over all axes, the position is that in the flattened tensor.
        let flat = Attributes::none().with("shape", Attribute::Shape(Shape::new(vec![shape.elements()])));
        match e.op_on(arguments, "reshape", flat, &[input])? {
            Value::Tensor(flat) => input.1 = flat,
            _ => return None,
        }
    }
    let axis = if e.is_given(arguments, 1) { axes[0] } else { 0 };
    let result = e.op_on(arguments, op, along_axis(axis), &[input])?;
    if keep { kept(e, arguments, result, input.0, (&shape, &axes)) } else { Some(result) }
}

/// Whether any or all elements are true, or not 0: the maximum or minimum of zeros and ones.
fn truth(e: &mut Elaborator<'_>, arguments: &Arguments<'_>, op: &str) -> Option<Value> {
    let input = e.described_argument(arguments, 0)?;
    let truths = converted(e, arguments, input, DType::Bool)?;
    let numbers = converted(e, arguments, truths, DType::U32)?;
    let Value::Tensor(result) = reduced(e, arguments, op, numbers)? else { return None };
    converted(e, arguments, (input.0, result), DType::Bool).map(|(_, truth)| Value::Tensor(truth))
}
