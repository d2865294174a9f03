//! Functions with positions that are values: elements picked, added up and ordered.

use super::{Arguments, Default, Function, optional, required};
use crate::dtype::DType;
use crate::graph::{Attribute, Attributes};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::value::Value;

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function {
        name: "gather",
        parameters: &[required("input"), required("axis"), required("index")],
        apply: |e, a| picked(e, a, "gather"),
    },
    Function {
        name: "index_select",
        parameters: &[required("input"), required("axis"), required("index")],
        apply: |e, a| picked(e, a, "take"),
    },
    Function {
        name: "scatter_add",
        parameters: &[required("input"), required("axis"), required("index"), required("src")],
        apply: scatter_add,
    },
    Function {
        name: "topk",
        parameters: &[
            required("input"),
            required("k"),
            optional("axis", Default::Int(-1)),
            optional("largest", Default::Bool(true)),
            optional("sorted", Default::Bool(true)),
        ],
        apply: topk,
    },
    Function {
        name: "one_hot",
        parameters: &[required("input"), required("num_classes"), optional("dtype", Default::Absent)],
        apply: one_hot,
    },
];

fn along_axis(axis: usize) -> Attributes {
    Attributes::none().with("axis", Attribute::Int(axis as i64))
}

/// `index_select` takes indices of any shape: their axes take the place of the one that they count along.
fn picked(e: &mut Elaborator<'_>, a: &Arguments<'_>, op: &str) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let axis = e.axis_argument(a, 1, e.graph.ty(input.1).rank())?;
    let index = e.described_argument(a, 2)?;
    e.op_on(a, op, along_axis(axis), &[input, index])
}

fn scatter_add(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let axis = e.axis_argument(a, 1, e.graph.ty(input.1).rank())?;
    let (index, source) = (e.described_argument(a, 2)?, e.described_argument(a, 3)?);
    e.op_on(a, "scatter_add", along_axis(axis), &[input, index, source])
}

/// The result is in order whatever `sorted` says: PyTorch promises no other order.
fn topk(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let k = count(e, a, 1, 0)?;
    let axis = e.axis_argument(a, 2, e.graph.ty(input.1).rank())?;
    let largest = e.bool_argument(a, 3)?;
    e.bool_argument(a, 4)?;
    let attributes = along_axis(axis).with("k", Attribute::Int(k)).with("largest", Attribute::Bool(largest));
    e.op_on(a, "topk", attributes, &[input])
}

/// A number that is known and not below `least`.
fn count(e: &Elaborator<'_>, a: &Arguments<'_>, at: usize, least: i64) -> Option<i64> {
    let extent = e.extent_argument(a, at)?;
    let (function, parameter) = (a.function.name, a.function.parameters[at].name);
    match extent.known() {
        Some(number) if number >= least => return Some(number),
        Some(number) => {
            let headline = format!("{function}: `{parameter}` is {least} or more, not {number}");
            e.fail(e.argument_span(a, at), headline);
        }
        None => {
            e.fail(e.argument_span(a, at), format!("{function}: `{parameter}` is a number that is known"));
        }
    }
    None
}

fn one_hot(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let classes = e.extent_argument(a, 1)?;
    if classes.known().is_some() {
        count(e, a, 1, 0)?;
    }
    let dtype = if e.is_given(a, 2) { e.type_argument(a, 2)? } else { DType::U32 };
    let attributes =
        Attributes::none().with("classes", Attribute::Extent(classes)).with("dtype", Attribute::Type(dtype));
    e.op_on(a, "one_hot", attributes, &[input])
}
