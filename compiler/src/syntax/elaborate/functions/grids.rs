//! Functions that make tensors of positions, or of one number.

use super::random::shape_argument;
use super::{Arguments, Default, Function, optional, required};
use crate::dtype::DType;
use crate::graph::{Attribute, Attributes};
use crate::shape::{Extent, Shape};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function {
        name: "arange",
        parameters: &[required("start"), optional("end", Default::Absent), optional("step", Default::Int(1))],
        apply: arange,
    },
    Function { name: "zeros", parameters: &[required("shape")], apply: |e, a| full(e, a, 0.0) },
    Function { name: "ones", parameters: &[required("shape")], apply: |e, a| full(e, a, 1.0) },
    Function {
        name: "full",
        parameters: &[required("shape"), required("fill_value")],
        apply: |e, a| e.float_argument(a, 1).and_then(|number| full(e, a, number)),
    },
    Function { name: "eye", parameters: &[required("n"), optional("m", Default::Absent)], apply: eye },
];

/// `arange(end)` or `arange(start, end, step)`, as u32.
fn arange(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let first = e.extent_argument(a, 0)?;
    let (start, end) = match e.is_given(a, 1) {
        true => (first, e.extent_argument(a, 1)?),
        false => (Extent::from(0), first),
    };
    let step = e.known_argument(a, 2)?;
    let distance = if step < 0 { start.clone() - end.clone() } else { end.clone() - start.clone() };
    let negative = |extent: &Extent| extent.known().is_some_and(|number| number < 0);
    let headline = match step {
        0 => Some("arange: the step is 0".to_string()),
        _ if negative(&distance) => Some(format!("arange: {end} is not reached from {start} in steps of {step}")),
        _ if negative(&start) => Some(format!("arange: starts at {start}, but gives u32")),
        _ => None,
    };
    if let Some(headline) = headline {
        e.report(Problem::new(a.span, headline).detail(a.function.to_string()));
        return None;
    }
    if !distance.is_length() {
        let message = format!("arange: the end is not reached\n  {}", a.whole);
        e.demand_at_most(&Extent::from(0), &distance, message, a.span);
    }
    let size = step.unsigned_abs() as i64;
    let extent = (distance + Extent::from(size - 1)).floor_div(&Extent::from(size)).expect("the step is not 0");
    let attributes = Attributes::none()
        .with("extent", Attribute::Extent(extent))
        .with("start", Attribute::Extent(start))
        .with("step", Attribute::Int(step))
        .with("dtype", Attribute::Type(DType::U32));
    e.op_on(a, "iota", attributes, &[])
}

/// One number everywhere.
fn full(e: &mut Elaborator<'_>, a: &Arguments<'_>, number: f64) -> Option<Value> {
    let shape = shape_argument(e, a, 0)?;
    let number = e.constant(number, DType::F32, a.span)?;
    Some(Value::Tensor(e.broadcast_to(number, &shape, a.span)))
}

fn eye(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let rows = e.extent_argument(a, 0)?;
    let columns = if e.is_given(a, 1) { e.extent_argument(a, 1)? } else { rows.clone() };
    for extent in [&rows, &columns] {
        if extent.known().is_some_and(|number| number < 0) {
            e.fail(a.span, format!("eye: {extent} is no extent"));
            return None;
        }
    }
    let attributes = Attributes::none()
        .with("shape", Attribute::Shape(Shape::new(vec![rows, columns])))
        .with("dtype", Attribute::Type(DType::F32));
    e.op_on(a, "eye", attributes, &[])
}
