//! Functions that put borders around tensors, turn axes, and keep triangles of matrices.

use super::collections::Operand;
use super::{Arguments, Default, Function, Parameter, axes_attribute, axes_counted, optional, required};
use crate::graph::{Attribute, Attributes, ValueId};
use crate::ops;
use crate::shape::{Extent, Shape};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

const TRIANGLE: &[Parameter] = &[required("input"), optional("diagonal", Default::Int(0))];

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function {
        name: "pad",
        parameters: &[
            required("input"),
            required("pad"),
            optional("mode", Default::Word(&["constant", "reflect", "replicate", "circular"])),
            optional("value", Default::Float(0.0)),
        ],
        apply: pad,
    },
    Function { name: "flip", parameters: &[required("input"), required("axes")], apply: flip },
    Function {
        name: "roll",
        parameters: &[required("input"), required("shifts"), optional("axis", Default::Absent)],
        apply: roll,
    },
    Function { name: "tril", parameters: TRIANGLE, apply: |e, a| triangle(e, a, "tril") },
    Function { name: "triu", parameters: TRIANGLE, apply: |e, a| triangle(e, a, "triu") },
];

/// Two numbers per axis, before and after, from the last axis backwards.
fn pad(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let rank = e.graph.ty(input.1).rank();
    let amounts = e.extents_argument(a, 1)?;
    let (mode, value) = (e.word_argument(a, 2)?, e.float_argument(a, 3)?);
    if amounts.len() % 2 != 0 || amounts.len() > 2 * rank {
        let headline = format!(
            "pad: the list has two numbers per axis, from the last one backwards; {} do not fit {rank} axes",
            amounts.len()
        );
        e.report(e.about_operands(Problem::new(e.argument_span(a, 1), headline), None, &[input]));
        return None;
    }
    let mut padded = input;
    for (axis, pair) in (0..rank).rev().zip(amounts.chunks(2)) {
        let (before, after) = (pair[0].clone(), pair[1].clone());
        if before == Extent::from(0) && after == before {
            continue;
        }
        padded.1 = match mode.as_str() {
            "constant" => {
                let attributes = Attributes::none()
                    .with("axis", Attribute::Int(axis as i64))
                    .with("before", Attribute::Extent(before))
                    .with("after", Attribute::Extent(after))
                    .with("value", Attribute::Float(value));
                match e.op_on(a, "pad", attributes, &[padded])? {
                    Value::Tensor(value) => value,
                    _ => return None,
                }
            }
            mode => bordered(e, a, 1, (padded, axis), mode, [before, after])?,
        };
    }
    Some(Value::Tensor(padded.1))
}

/// The tensor between parts of itself on an axis, as many as the argument at `at` says.
pub(super) fn bordered(
    e: &mut Elaborator<'_>,
    a: &Arguments<'_>,
    at: usize,
    (input, axis): (Operand<'_>, usize),
    mode: &str,
    amounts: [Extent; 2],
) -> Option<ValueId> {
    let extent = e.graph.ty(input.1).shape.extents()[axis].clone();
    let most = if mode == "reflect" { extent.clone() - Extent::from(1) } else { extent.clone() };
    let negative = |room: Extent| room.known().is_some_and(|room| room < 0);
    for amount in &amounts {
        let beyond = match mode {
            "replicate" => extent == Extent::from(0),
            _ => negative(most.clone() - amount.clone()),
        };
        if negative(amount.clone()) || beyond {
            let name = a.function.name;
            let headline = format!("{name}: {amount} elements by {mode} on axis {axis} of extent {extent}");
            e.report(e.about_operands(Problem::new(e.argument_span(a, at), headline), None, &[input]));
            return None;
        }
    }
    let [before, after] = amounts;
    let front = border(e, a, input.1, axis, (mode, before), Side::Front);
    let back = border(e, a, input.1, axis, (mode, after), Side::Back);
    let parts: Vec<ValueId> = [front, Some(input.1), back].into_iter().flatten().collect();
    Some(e.build(a.span, |b| ops::cat(b, &parts, axis)))
}

/// Where a border is.
#[derive(Clone, Copy)]
enum Side {
    Front,
    Back,
}

/// So many elements beside an axis, taken from it; `None` if there are none.
fn border(
    e: &mut Elaborator<'_>,
    a: &Arguments<'_>,
    input: ValueId,
    axis: usize,
    (mode, amount): (&str, Extent),
    side: Side,
) -> Option<ValueId> {
    if amount == Extent::from(0) {
        return None;
    }
    let mut extents = e.graph.ty(input).shape.extents().to_vec();
    let (extent, one) = (extents[axis].clone(), Extent::from(1));
    let range = match (mode, side) {
        ("reflect", Side::Front) => (one.clone(), amount.clone() + one),
        ("reflect", Side::Back) => (extent.clone() - one.clone() - amount.clone(), extent - one),
        ("replicate", Side::Front) => (Extent::from(0), one),
        ("replicate", Side::Back) => (extent.clone() - one, extent),
        (_, Side::Front) => (extent.clone() - amount.clone(), extent),
        (_, Side::Back) => (Extent::from(0), amount.clone()),
    };
    let part = e.part(input, axis, range, a.span);
    extents[axis] = amount;
    Some(e.build(a.span, |b| match mode {
        "reflect" => ops::flip(b, part, &[axis]),
        "replicate" => ops::broadcast(b, part, &Shape::new(extents)),
        _ => part,
    }))
}

fn flip(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let axes = e.axes_argument(a, 1, e.graph.ty(input.1).rank())?;
    match axes.is_empty() {
        true => Some(Value::Tensor(input.1)),
        false => e.op_on(a, "flip", Attributes::none().with("axes", axes_attribute(&axes)), &[input]),
    }
}

/// Without axes, the elements are turned as one row.
fn roll(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let shape = e.graph.ty(input.1).shape.clone();
    let shifts = e.extents_argument(a, 1)?;
    let along = e.is_given(a, 2);
    let axes = if along { e.ordered_axes_argument(a, 2, shape.rank())? } else { vec![0] };
    if shifts.len() != axes.len() {
        e.fail(e.argument_span(a, 1), format!("roll: {} shifts for {}", shifts.len(), axes_counted(axes.len())));
        return None;
    }
    Some(Value::Tensor(e.build(a.span, |b| {
        let row = Shape::new(vec![shape.elements()]);
        let mut rolled = if along { input.1 } else { ops::reshape(b, input.1, &row) };
        for (axis, shift) in axes.into_iter().zip(shifts) {
            rolled = ops::roll(b, rolled, axis, shift);
        }
        ops::reshape(b, rolled, &shape)
    })))
}

fn triangle(e: &mut Elaborator<'_>, a: &Arguments<'_>, op: &str) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let diagonal = e.extent_argument(a, 1)?;
    e.op_on(a, op, Attributes::none().with("diagonal", Attribute::Extent(diagonal)), &[input])
}
