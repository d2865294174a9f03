//! Functions that move axes, split, join and repeat them.

use super::{Arguments, Default, Function, UNARY, axes_attribute, axes_counted, optional, required};
use crate::graph::{Attribute, Attributes, ValueId};
use crate::ops;
use crate::shape::{Extent, Shape};
use crate::syntax::ast::Expr;
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function { name: "t", parameters: UNARY, apply: t },
    Function {
        name: "transpose",
        parameters: &[required("input"), required("axis0"), required("axis1")],
        apply: transpose,
    },
    Function { name: "permute", parameters: &[required("input"), required("axes")], apply: permute },
    Function { name: "reshape", parameters: &[required("input"), required("shape")], apply: reshape },
    Function {
        name: "flatten",
        parameters: &[
            required("input"),
            optional("start_axis", Default::Int(0)),
            optional("end_axis", Default::Int(-1)),
        ],
        apply: flatten,
    },
    Function { name: "unsqueeze", parameters: &[required("input"), required("axis")], apply: unsqueeze },
    Function { name: "squeeze", parameters: &[required("input"), optional("axis", Default::Absent)], apply: squeeze },
    Function { name: "expand", parameters: &[required("input"), required("shape")], apply: expand },
    Function {
        name: "repeat_interleave",
        parameters: &[required("input"), required("repeats"), optional("axis", Default::Absent)],
        apply: repeat_interleave,
    },
];

/// The tensor in another shape of as many elements.
pub fn reshaped(
    e: &mut Elaborator<'_>,
    a: &Arguments<'_>,
    input: (&Expr, ValueId),
    extents: Vec<Extent>,
) -> Option<Value> {
    let shape = Shape::new(extents);
    if e.graph.ty(input.1).shape == shape {
        return Some(Value::Tensor(input.1));
    }
    e.op_on(a, "reshape", Attributes::none().with("shape", Attribute::Shape(shape)), &[input])
}

/// The tensor with its axes in another order.
pub fn permuted(e: &mut Elaborator<'_>, a: &Arguments<'_>, input: (&Expr, ValueId), axes: &[usize]) -> Option<Value> {
    if axes.iter().enumerate().all(|(i, &axis)| i == axis) {
        return Some(Value::Tensor(input.1));
    }
    e.op_on(a, "permute", Attributes::none().with("axes", axes_attribute(axes)), &[input])
}

fn t(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    match e.graph.ty(input.1).rank() {
        0 | 1 => Some(Value::Tensor(input.1)),
        2 => permuted(e, a, input, &[1, 0]),
        rank => {
            let headline = format!("t: takes at most 2 axes, {} has {}", input.0, axes_counted(rank));
            e.report(e.about_operands(Problem::new(a.span, headline), None, &[input]));
            None
        }
    }
}

fn transpose(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let rank = e.graph.ty(input.1).rank();
    let mut axes: Vec<usize> = (0..rank).collect();
    axes.swap(e.axis_argument(a, 1, rank)?, e.axis_argument(a, 2, rank)?);
    permuted(e, a, input, &axes)
}

fn permute(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let rank = e.graph.ty(input.1).rank();
    let given: Option<Vec<i64>> = e.extents_argument(a, 1)?.iter().map(Extent::known).collect();
    let from_end = |&axis: &i64| if axis < 0 { axis + rank as i64 } else { axis };
    let axes: Vec<i64> = given.unwrap_or_default().iter().map(from_end).collect();
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    if sorted.iter().enumerate().any(|(i, &axis)| i as i64 != axis) || sorted.len() != rank {
        let headline = format!("permute: the axes name each of the {} once", axes_counted(rank));
        e.report(e.about_operands(Problem::new(e.argument_span(a, 1), headline), None, &[input]));
        return None;
    }
    let axes: Vec<usize> = axes.into_iter().map(|axis| axis as usize).collect();
    permuted(e, a, input, &axes)
}

/// One extent may be -1: it is what remains.
fn reshape(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let mut extents = e.extents_argument(a, 1)?;
    let rest: Vec<usize> = (0..extents.len()).filter(|&i| extents[i] == Extent::from(-1)).collect();
    let elements = e.graph.ty(input.1).shape.elements();
    match rest.as_slice() {
        [] => {}
        [at] => {
            let others = extents.iter().enumerate().filter(|(i, _)| i != at);
            let product = others.fold(Extent::from(1), |product, (_, extent)| product * extent.clone());
            let Some(quotient) = elements.floor_div(&product) else {
                e.fail(e.argument_span(a, 1), "reshape: -1 beside an extent of 0 stands for no number");
                return None;
            };
            extents[*at] = quotient;
        }
        _ => {
            e.fail(e.argument_span(a, 1), "reshape: at most one extent is -1");
            return None;
        }
    }
    let product = extents.iter().cloned().fold(Extent::from(1), |product, extent| product * extent);
    if (product - elements.clone()).known().is_some_and(|difference| difference != 0) {
        let headline = format!("reshape: {} elements do not fit <{}>", elements, Shape::new(extents));
        e.report(e.about_operands(Problem::new(a.span, headline), None, &[input]));
        return None;
    }
    reshaped(e, a, input, extents)
}

fn flatten(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let extents = e.graph.ty(input.1).shape.extents().to_vec();
    if extents.is_empty() {
        return reshaped(e, a, input, vec![Extent::from(1)]);
    }
    let (start, end) = (e.axis_argument(a, 1, extents.len())?, e.axis_argument(a, 2, extents.len())?);
    if start > end {
        e.fail(e.argument_span(a, 2), format!("flatten: axis {start} stands behind axis {end}"));
        return None;
    }
    let middle = extents[start..=end].iter().cloned().fold(Extent::from(1), |product, extent| product * extent);
    let extents = extents[..start].iter().cloned().chain([middle]).chain(extents[end + 1..].iter().cloned()).collect();
    reshaped(e, a, input, extents)
}

fn unsqueeze(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let mut extents = e.graph.ty(input.1).shape.extents().to_vec();
    let axis = e.axis_argument(a, 1, extents.len() + 1)?;
    extents.insert(axis, Extent::from(1));
    reshaped(e, a, input, extents)
}

fn squeeze(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let extents = e.graph.ty(input.1).shape.extents().to_vec();
    let axes = e.axes_argument(a, 1, extents.len())?;
    let kept = |(axis, extent): &(usize, Extent)| !axes.contains(axis) || *extent != Extent::from(1);
    let extents = extents.into_iter().enumerate().filter(kept).map(|(_, extent)| extent).collect();
    reshaped(e, a, input, extents)
}

/// -1 keeps an extent.
fn expand(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let mut extents = e.extents_argument(a, 1)?;
    let own = e.graph.ty(input.1).shape.extents().to_vec();
    let leading = extents.len().saturating_sub(own.len());
    for (extent, own) in extents[leading..].iter_mut().zip(own) {
        if *extent == Extent::from(-1) {
            *extent = own;
        }
    }
    let shape = Shape::new(extents);
    if e.graph.ty(input.1).shape == shape {
        return Some(Value::Tensor(input.1));
    }
    e.op_on(a, "broadcast", Attributes::none().with("shape", Attribute::Shape(shape)), &[input])
}

/// Each element so many times in a row; without an axis, of all elements as one row.
fn repeat_interleave(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let repeats = e.extent_argument(a, 1)?;
    if repeats.known().is_some_and(|repeats| repeats < 0) {
        e.fail(e.argument_span(a, 1), format!("repeat_interleave: {repeats} times"));
        return None;
    }
    let mut extents = e.graph.ty(input.1).shape.extents().to_vec();
    let mut axis = 0;
    match e.is_given(a, 2) {
        true => axis = e.axis_argument(a, 2, extents.len())?,
        false => extents = vec![e.graph.ty(input.1).shape.elements()],
    }
    Some(Value::Tensor(e.build(a.span, |b| {
        let rows = ops::reshape(b, input.1, &Shape::new(extents.clone()));
        let mut repeated = extents.clone();
        repeated.insert(axis + 1, repeats.clone());
        let rows = ops::broadcast_over(b, rows, &[axis + 1], &Shape::new(repeated));
        extents[axis] = extents[axis].clone() * repeats;
        ops::reshape(b, rows, &Shape::new(extents))
    })))
}
