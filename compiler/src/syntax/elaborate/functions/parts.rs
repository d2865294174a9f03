//! Functions that cut tensors into parts and join parts.

use super::collections::Operand;
use super::shapes::reshaped;
use super::{Arguments, Default, Function, optional, required};
use crate::graph::{Attribute, Attributes, ValueId};
use crate::ops;
use crate::shape::Extent;
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function {
        name: "slice",
        parameters: &[required("input"), required("axis"), required("range"), optional("step", Default::Int(1))],
        apply: slice,
    },
    Function { name: "at", parameters: &[required("input"), required("axis"), required("index")], apply: at },
    Function {
        name: "chunk",
        parameters: &[required("input"), required("chunks"), optional("axis", Default::Int(0))],
        apply: chunk,
    },
    Function {
        name: "split",
        parameters: &[required("input"), required("size"), optional("axis", Default::Int(0))],
        apply: split,
    },
    Function { name: "cat", parameters: &[required("tensors"), optional("axis", Default::Int(0))], apply: cat },
    Function { name: "stack", parameters: &[required("tensors"), optional("axis", Default::Int(0))], apply: stack },
];

/// The most operands of one node; more are joined in groups, so that no kernel reads more arrays than it can hold.
const MOST_PARTS: usize = 8;

/// A known negative position counts from the end.
fn from_end(position: Extent, extent: &Extent) -> Extent {
    match position.known() {
        Some(number) if number < 0 => extent.clone() + position,
        _ => position,
    }
}

fn slice(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let shape = e.graph.ty(input.1).shape.clone();
    let axis = e.axis_argument(a, 1, shape.rank())?;
    let extent = &shape.extents()[axis];
    let (start, end) = e.range_argument(a, 2)?;
    for bound in [&start, &end].into_iter().flatten() {
        let before = |known: i64| known < 0 && (extent.clone() + bound.clone()).known().is_some_and(|at| at < 0);
        if bound.known().is_some_and(before) {
            let headline = format!("slice: {bound} from the end of axis {axis} of extent {extent}");
            e.report(e.about_operands(Problem::new(e.argument_span(a, 2), headline), None, &[input]));
            return None;
        }
    }
    let start = start.map_or(Extent::from(0), |start| from_end(start, extent));
    let end = end.map_or(extent.clone(), |end| from_end(end, extent));
    let step = e.known_argument(a, 3)?;
    if step == 1 && start == Extent::from(0) && end == *extent {
        return Some(Value::Tensor(input.1));
    }
    let attributes = Attributes::none()
        .with("axis", Attribute::Int(axis as i64))
        .with("start", Attribute::Extent(start))
        .with("end", Attribute::Extent(end))
        .with("step", Attribute::Int(step));
    e.op_on(a, "slice", attributes, &[input])
}

/// One position of an axis, which goes.
fn at(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let mut extents = e.graph.ty(input.1).shape.extents().to_vec();
    let axis = e.axis_argument(a, 1, extents.len())?;
    let given = e.extent_argument(a, 2)?;
    let index = from_end(given.clone(), &extents[axis]);
    let last = extents[axis].clone() - Extent::from(1);
    let outside = |room: Extent| room.known().is_some_and(|room| room < 0);
    if outside(index.clone()) || outside(last - index.clone()) {
        let headline = format!("at: index {given} of axis {axis}, whose extent is {}", extents[axis]);
        e.report(e.about_operands(Problem::new(e.argument_span(a, 2), headline), None, &[input]));
        return None;
    }
    let part = e.part(input.1, axis, (index.clone(), index + Extent::from(1)), a.span);
    extents.remove(axis);
    reshaped(e, a, (input.0, part), extents)
}

/// PyTorch's rule: parts of the quotient rounded up, as many as that gives. Where the extent is open, so many that none is
/// empty.
fn chunk(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let shape = e.graph.ty(input.1).shape.clone();
    let (count, axis) = (e.known_argument(a, 1)?, e.axis_argument(a, 2, shape.rank())?);
    if count < 1 {
        e.fail(e.argument_span(a, 1), format!("chunk: at least 1 part, not {count}"));
        return None;
    }
    let extent = shape.extents()[axis].clone();
    let by = Extent::from(count);
    let exact = extent.floor_div(&by).filter(|quotient| quotient.clone() * by.clone() == extent);
    let size = match exact {
        Some(size) => size,
        None => (extent.clone() + Extent::from(count - 1)).floor_div(&by).expect("there is at least one part"),
    };
    let count = match (extent.known(), size.known()) {
        (Some(extent), Some(size)) if size > 0 => (extent + size - 1) / size,
        _ => count,
    };
    let mut sizes = vec![size.clone(); count as usize - 1];
    let last = extent.clone() - size.clone() * Extent::from(count - 1);
    if last != size && last.known().is_none() {
        let message = format!("chunk: the last part would be empty\n  {}", a.whole);
        e.demand_at_most(&Extent::from(1), &last, message, a.span);
    }
    sizes.push(last);
    Some(parts(e, a, input.1, axis, &sizes))
}

/// A size gives parts of it, the last one perhaps smaller; a list of sizes one part each.
fn split(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let shape = e.graph.ty(input.1).shape.clone();
    let axis = e.axis_argument(a, 2, shape.rank())?;
    let extent = shape.extents()[axis].clone();
    let sizes = match e.value_argument(a, 1) {
        Some((_, Value::Int(size))) => even_sizes(e, a, &extent, &size)?,
        _ => {
            let sizes = e.extents_argument(a, 1)?;
            let sum = sizes.iter().cloned().fold(Extent::from(0), |sum, size| sum + size);
            let wrong = sizes.iter().any(|size| size.known().is_some_and(|size| size < 0));
            if wrong || (sum.clone() - extent.clone()).known().is_some_and(|difference| difference != 0) {
                let headline = format!("split: sizes of {sum} together do not fit axis {axis} of extent {extent}");
                e.report(e.about_operands(Problem::new(e.argument_span(a, 1), headline), None, &[input]));
                return None;
            }
            if sum != extent {
                let message = format!("split: the sizes do not fit axis {axis}\n  {}", a.whole);
                e.demand_equal(&sum, &extent, message, a.span);
            }
            sizes
        }
    };
    Some(parts(e, a, input.1, axis, &sizes))
}

fn even_sizes(e: &mut Elaborator<'_>, a: &Arguments<'_>, extent: &Extent, size: &Extent) -> Option<Vec<Extent>> {
    if size.known().is_some_and(|size| size < 1) {
        e.fail(e.argument_span(a, 1), format!("split: a part has at least 1 element, not {size}"));
        return None;
    }
    let whole = extent.floor_div(size).and_then(|count| count.known());
    let Some(count) = whole.filter(|&count| extent.known().is_some() || size.clone() * Extent::from(count) == *extent)
    else {
        let problem = Problem::new(e.argument_span(a, 1), "split: how many parts there are depends on open extents");
        e.report(problem.detail(format!("{extent} by {size}; give the sizes of all parts as a list")));
        return None;
    };
    let rest = extent.clone() - size.clone() * Extent::from(count);
    let mut sizes = vec![size.clone(); count as usize];
    if rest != Extent::from(0) || sizes.is_empty() {
        sizes.push(rest);
    }
    Some(sizes)
}

/// The parts of these sizes, which cover the axis.
fn parts(e: &mut Elaborator<'_>, a: &Arguments<'_>, input: ValueId, axis: usize, sizes: &[Extent]) -> Value {
    let mut parts = Vec::new();
    let mut start = Extent::from(0);
    for size in sizes {
        let end = start.clone() + size.clone();
        parts.push(Value::Tensor(e.part(input, axis, (start, end.clone()), a.span)));
        start = end;
    }
    Value::List(parts)
}

fn cat(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let parts = e.tensors_argument(a, 0)?;
    let rank = e.graph.ty(parts[0].1).rank();
    let axis = e.axis_of(a, 1, parts[0], rank)?;
    fitting(e, a, &parts, Some(axis))?;
    joined(e, a, parts, axis)
}

/// The tensors along a new axis.
fn stack(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let mut parts = e.tensors_argument(a, 0)?;
    let rank = e.graph.ty(parts[0].1).rank();
    let axis = e.axis_of(a, 1, parts[0], rank + 1)?;
    fitting(e, a, &parts, None)?;
    for (_, part) in &mut parts {
        *part = e.build(a.span, |b| ops::unsqueeze(b, *part, &[axis]));
    }
    joined(e, a, parts, axis)
}

/// Whether the tensors have one element type and, but for an axis, one shape, as far as their extents are known.
fn fitting(e: &Elaborator<'_>, a: &Arguments<'_>, parts: &[Operand<'_>], along: Option<usize>) -> Option<()> {
    let name = a.function.name;
    let first = e.graph.ty(parts[0].1);
    for &part in &parts[1..] {
        let ty = e.graph.ty(part.1);
        let differ = |(left, right): (&Extent, &Extent)| {
            (left.clone() - right.clone()).known().is_some_and(|difference| difference != 0)
        };
        let mut axes = first.shape.extents().iter().zip(ty.shape.extents()).enumerate();
        let headline = match axes.find(|(axis, pair)| Some(*axis) != along && differ(*pair)) {
            _ if ty.dtype != first.dtype => format!("{name}: element types differ"),
            _ if ty.rank() != first.rank() => format!("{name}: ranks differ"),
            Some((axis, _)) => format!("{name}: extents differ on axis {axis}"),
            None => continue,
        };
        e.report(e.about_operands(Problem::new(a.span, headline), Some(a.whole), &[parts[0], part]));
        return None;
    }
    Some(())
}

fn joined(e: &mut Elaborator<'_>, a: &Arguments<'_>, parts: Vec<Operand<'_>>, axis: usize) -> Option<Value> {
    let attributes = Attributes::none().with("axis", Attribute::Int(axis as i64));
    let mut parts = parts;
    while parts.len() > 1 {
        let mut groups = Vec::new();
        for group in parts.chunks(MOST_PARTS) {
            groups.push(match group {
                [single] => *single,
                _ => match e.op_on(a, "cat", attributes.clone(), group)? {
                    Value::Tensor(value) => (group[0].0, value),
                    _ => return None,
                },
            });
        }
        parts = groups;
    }
    Some(Value::Tensor(parts[0].1))
}
