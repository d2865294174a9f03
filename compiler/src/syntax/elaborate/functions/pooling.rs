//! What stands for the elements of windows: their maximum or mean.

use super::collections::Operand;
use super::interpolate::mapped;
use super::{Arguments, Default, Function, Parameter, axes_attribute, optional, required};
use crate::dtype::DType;
use crate::graph::{Attributes, Builder, ValueId};
use crate::ops::{self, Window};
use crate::shape::{Extent, Shape};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

const INPUT: Parameter = required("input");
const SIZE: Parameter = required("kernel_size");
const STRIDE: Parameter = optional("stride", Default::Absent);
const PADDING: Parameter = optional("padding", Default::Int(0));
const CEIL: Parameter = optional("ceil_mode", Default::Bool(false));

const MAX: &[Parameter] = &[INPUT, SIZE, STRIDE, PADDING, optional("dilation", Default::Int(1)), CEIL];
const AVG: &[Parameter] = &[
    INPUT,
    SIZE,
    STRIDE,
    PADDING,
    CEIL,
    optional("count_include_pad", Default::Bool(true)),
    optional("divisor_override", Default::Absent),
];
const ADAPTIVE: &[Parameter] = &[INPUT, required("output_size")];

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function { name: "max_pool1d", parameters: MAX, apply: |e, a| max_pool(e, a, 1) },
    Function { name: "max_pool2d", parameters: MAX, apply: |e, a| max_pool(e, a, 2) },
    Function { name: "max_pool3d", parameters: MAX, apply: |e, a| max_pool(e, a, 3) },
    Function { name: "avg_pool1d", parameters: AVG, apply: |e, a| avg_pool(e, a, 1) },
    Function { name: "avg_pool2d", parameters: AVG, apply: |e, a| avg_pool(e, a, 2) },
    Function { name: "avg_pool3d", parameters: AVG, apply: |e, a| avg_pool(e, a, 3) },
    Function { name: "adaptive_avg_pool1d", parameters: ADAPTIVE, apply: |e, a| adaptive_avg_pool(e, a, 1) },
    Function { name: "adaptive_avg_pool2d", parameters: ADAPTIVE, apply: |e, a| adaptive_avg_pool(e, a, 2) },
];

/// The windows of a pool along the last axes of its input.
struct Pool {
    /// The first of those axes.
    first: usize,
    windows: Vec<Window>,
    /// How many elements are added before and after each axis.
    padding: Vec<[i64; 2]>,
    /// How many more it takes behind for the last window, where that may begin inside and end beyond.
    beyond: Vec<Extent>,
}

impl Pool {
    /// The input and the windows along its last axes; `ceil` is where the function has its `ceil_mode`.
    fn new<'e>(e: &mut Elaborator<'_>, a: &Arguments<'e>, (rank, ceil): (usize, usize)) -> Option<(Operand<'e>, Pool)> {
        let input = described(e, a, rank)?;
        let sizes = e.per_axis_argument(a, 1, rank)?;
        let strides = if e.is_given(a, 2) { e.per_axis_argument(a, 2, rank)? } else { sizes.clone() };
        let dilations = if ceil == 5 { e.per_axis_argument(a, 4, rank)? } else { vec![1; rank] };
        for (at, values) in [(1, &sizes), (2, &strides), (4, &dilations)] {
            if let Some(value) = values.iter().find(|&&value| value < 1) {
                e.refuse_spatial(a, at, &format!("at least 1, not {value}"));
                return None;
            }
        }
        let each = sizes.into_iter().zip(strides).zip(dilations);
        let windows: Vec<Window> = each.map(|((size, stride), dilation)| Window { size, stride, dilation }).collect();
        let padding = e.padding_argument(a, 3, &windows)?;
        let too_much = |(window, padding): (&Window, &[i64; 2])| padding.iter().any(|&one| one > window.reach() / 2);
        if windows.iter().zip(&padding).any(too_much) {
            e.refuse_spatial(a, 3, "at most half of a window");
            return None;
        }
        let first = e.graph.ty(input.1).rank() - rank;
        let mut pool = Pool { first, beyond: vec![Extent::from(0); rank], windows, padding };
        if e.bool_argument(a, ceil)? {
            pool.reach_beyond(e, a, input)?;
        }
        Some((input, pool))
    }

    /// A last window may end beyond the padding, as long as it begins before that.
    fn reach_beyond(&mut self, e: &Elaborator<'_>, a: &Arguments<'_>, input: Operand<'_>) -> Option<()> {
        for (axis, (window, [before, after])) in self.windows.iter().zip(&self.padding).enumerate() {
            let extent = &e.graph.ty(input.1).shape.extents()[self.first + axis];
            let padded = extent.clone() + Extent::from(before + after);
            let steps = padded.clone() + Extent::from(window.stride - 1 - window.reach());
            let stride = Extent::from(window.stride);
            let mut last = steps.floor_div(&stride).expect("strides are at least 1");
            // A stride this short takes no window beyond what it may begin in.
            if after + window.stride > window.reach() {
                let Some((from, end)) = (last.clone() * stride.clone()).known().zip(extent.known()) else {
                    e.fail(a.span, format!("{}: `ceil_mode` takes known extents, not {extent}", a.function.name));
                    return None;
                };
                last = last - Extent::from(i64::from(from >= end + before));
            }
            let beyond = last * stride + Extent::from(window.reach()) - padded;
            // Where the last window ends before the end, nothing is missing.
            self.beyond[axis] = if beyond.known().is_some_and(|known| known < 0) { Extent::from(0) } else { beyond };
        }
        Some(())
    }

    /// The axis of counts of windows, once the spatial axes before it have become two each.
    fn axis(&self, axis: usize) -> usize {
        self.first + 2 * axis
    }

    /// The input with its padding, all of this number.
    fn padded(&self, e: &mut Elaborator<'_>, a: &Arguments<'_>, input: ValueId, value: f64) -> ValueId {
        let amounts = |axis: usize| {
            let [before, after] = self.padding[axis].map(Extent::from);
            (before, after + self.beyond[axis].clone())
        };
        self.bordered(e, a, input, self.first, value, &amounts)
    }

    /// The value with so many elements around its spatial axes.
    fn bordered(
        &self,
        e: &mut Elaborator<'_>,
        a: &Arguments<'_>,
        mut input: ValueId,
        first: usize,
        value: f64,
        amounts: &dyn Fn(usize) -> (Extent, Extent),
    ) -> ValueId {
        for axis in 0..self.windows.len() {
            let (before, after) = amounts(axis);
            input = e.build(a.span, |b| ops::pad(b, input, first + axis, before, after, value));
        }
        input
    }

    /// The windows along all spatial axes, each of which becomes two.
    fn seen(&self, e: &mut Elaborator<'_>, a: &Arguments<'_>, input: Operand<'_>) -> Option<ValueId> {
        let mut seen = input.1;
        for (axis, window) in self.windows.iter().enumerate().rev() {
            seen = along(e, a, (input.0, seen), self.first + axis, *window)?;
        }
        Some(seen)
    }

    /// How many elements count in each window, as a number per window.
    fn counts(&self, e: &mut Elaborator<'_>, a: &Arguments<'_>, extents: &[Extent], with_padding: bool) -> ValueId {
        let shape = Shape::new(extents.to_vec());
        let one = e.build(a.span, |b| {
            let one = ops::constant(b, 1.0, DType::F32);
            ops::broadcast(b, one, &shape)
        });
        let counted = if with_padding { 1.0 } else { 0.0 };
        let declared = self.bordered(e, a, one, 0, counted, &|axis| self.padding[axis].map(Extent::from).into());
        let whole = self.bordered(e, a, declared, 0, 0.0, &|axis| (Extent::from(0), self.beyond[axis].clone()));
        e.build(a.span, |b| {
            let mut seen = whole;
            for (axis, window) in self.windows.iter().enumerate().rev() {
                seen = ops::windows(b, seen, axis, *window);
            }
            let within: Vec<usize> = (0..self.windows.len()).map(|axis| 2 * axis + 1).collect();
            ops::sum(b, seen, &within)
        })
    }
}

/// The input, which has at least so many axes and one before them.
fn described<'e>(e: &Elaborator<'_>, a: &Arguments<'e>, rank: usize) -> Option<Operand<'e>> {
    let input = e.described_argument(a, 0)?;
    if e.graph.ty(input.1).rank() <= rank {
        let headline = format!("{}: takes {rank} axes behind those of examples and channels", a.function.name);
        e.report(e.about_operands(Problem::new(a.span, headline), None, &[input]));
        return None;
    }
    Some(input)
}

/// The windows along an axis; a refusal speaks of the function.
fn along(
    e: &mut Elaborator<'_>,
    a: &Arguments<'_>,
    input: Operand<'_>,
    axis: usize,
    window: Window,
) -> Option<ValueId> {
    match e.op_on(a, "windows", window.attributes(axis), &[input])? {
        Value::Tensor(seen) => Some(seen),
        _ => None,
    }
}

/// Along one axis after the other, the last one first: so that of equal elements the first one of a window, row by row, is the
/// one that the gradient goes to.
fn max_pool(e: &mut Elaborator<'_>, a: &Arguments<'_>, rank: usize) -> Option<Value> {
    let (input, pool) = Pool::new(e, a, (rank, 5))?;
    let mut value = pool.padded(e, a, input.1, f64::NEG_INFINITY);
    for (axis, window) in pool.windows.iter().enumerate().rev() {
        let seen = along(e, a, (input.0, value), pool.first + axis, *window)?;
        value = e.build(a.span, |b| ops::max_along(b, seen, pool.first + axis + 1)[0]);
    }
    Some(Value::Tensor(value))
}

fn avg_pool(e: &mut Elaborator<'_>, a: &Arguments<'_>, rank: usize) -> Option<Value> {
    let (input, pool) = Pool::new(e, a, (rank, 4))?;
    let with_padding = e.bool_argument(a, 5)?;
    let divisor = if e.is_given(a, 6) { Some(e.known_argument(a, 6)?) } else { None };
    let padded = pool.padded(e, a, input.1, 0.0);
    let seen = pool.seen(e, a, (input.0, padded))?;
    let within: Vec<usize> = (0..rank).map(|axis| pool.axis(axis) + 1).collect();
    let sum = match e.op_on(a, "sum", Attributes::none().with("axes", axes_attribute(&within)), &[(input.0, seen)])? {
        Value::Tensor(sum) => sum,
        _ => return None,
    };
    let elements: i64 = pool.windows.iter().map(|window| window.size).product();
    let padding = pool.padding.as_flattened().iter().any(|&padding| padding > 0);
    if divisor.is_some() || pool.beyond.iter().all(|beyond| *beyond == Extent::from(0)) && (with_padding || !padding) {
        let factor = 1.0 / divisor.unwrap_or(elements) as f64;
        return Some(Value::Tensor(e.build(a.span, |b| ops::scale(b, sum, factor))));
    }
    let extents = e.graph.ty(input.1).shape.extents()[pool.first..].to_vec();
    let counts = pool.counts(e, a, &extents, with_padding);
    let (shape, dtype) = (e.graph.ty(sum).shape.clone(), e.graph.dtype(sum));
    Some(Value::Tensor(e.build(a.span, |b| {
        let counts = if dtype == DType::F32 { counts } else { ops::cast(b, counts, dtype) };
        let counts = ops::broadcast(b, counts, &shape);
        ops::div(b, sum, counts)
    })))
}

/// So many means along each axis, of elements that begin and end evenly apart; they overlap where those do not fall into
/// equal parts.
fn adaptive_avg_pool(e: &mut Elaborator<'_>, a: &Arguments<'_>, rank: usize) -> Option<Value> {
    let input = described(e, a, rank)?;
    let counts = e.per_axis_argument(a, 1, rank)?;
    if let Some(count) = counts.iter().find(|&&count| count < 1) {
        e.refuse_spatial(a, 1, &format!("at least 1, not {count}"));
        return None;
    }
    let (mut value, first) = (input.1, e.graph.ty(input.1).rank() - rank);
    if counts.iter().all(|&count| count == 1) {
        let axes: Vec<usize> = (first..first + rank).collect();
        let mean = Attributes::none().with("axes", axes_attribute(&axes));
        let Value::Tensor(mean) = e.op_on(a, "mean", mean, &[input])? else { return None };
        return Some(Value::Tensor(e.build(a.span, |b| ops::unsqueeze(b, mean, &axes))));
    }
    for (axis, count) in (first..).zip(counts) {
        value = means(e, a, (input.0, value), axis, count)?;
    }
    Some(Value::Tensor(value))
}

/// So many means along an axis: of equal parts, or, where they overlap or their extent is open, by a matrix that says which
/// elements each mean is of.
fn means(e: &mut Elaborator<'_>, a: &Arguments<'_>, input: Operand<'_>, axis: usize, count: i64) -> Option<ValueId> {
    let extent = e.graph.ty(input.1).shape.extents()[axis].clone();
    if let Some(size) = extent.known().filter(|extent| extent % count == 0).map(|extent| extent / count) {
        let seen = along(e, a, input, axis, Window { size, stride: size, dilation: 1 })?;
        let mean = Attributes::none().with("axes", axes_attribute(&[axis + 1]));
        return match e.op_on(a, "mean", mean, &[(input.0, seen)])? {
            Value::Tensor(mean) => Some(mean),
            _ => None,
        };
    }
    Some(e.build(a.span, |b| {
        let matrix = Shape::new(vec![Extent::from(count), extent.clone()]);
        let across = |b: &mut Builder<'_>, column: ValueId| {
            let column = ops::unsqueeze(b, column, &[1]);
            ops::broadcast(b, column, &matrix)
        };
        let first = edges(b, &extent, count, 0);
        let last = edges(b, &extent, count, 1);
        let last = ops::neg(b, last);
        let share = ops::sub(b, last, first);
        let (first, last, share) = (across(b, first), across(b, last), across(b, share));
        let element = ops::iota(b, extent.clone(), Extent::from(0), 1, DType::F32);
        let element = ops::broadcast(b, element, &matrix);
        let (begun, going) = (ops::le(b, first, element), ops::lt(b, element, last));
        let counts = ops::and(b, begun, going);
        let (one, none) = (ops::constant_like(b, 1.0, share), ops::constant_like(b, 0.0, share));
        let share = ops::div(b, one, share);
        let share = ops::select(b, counts, share, none);
        mapped(b, input.1, axis, share)
    }))
}

/// Where the parts of an axis begin, rounded down, or, `ahead` being 1, the negative of where they end, rounded up.
fn edges(b: &mut Builder<'_>, extent: &Extent, count: i64, ahead: i64) -> ValueId {
    let sign = if ahead == 0 { 1 } else { -1 };
    let numbers = ops::iota(b, Extent::from(count), Extent::from(0), 1, DType::F32);
    let shape = b.shape(numbers);
    let ahead = ops::constant_like(b, ahead as f64, numbers);
    let numbers = ops::add(b, numbers, ahead);
    let whole = ops::extent(b, extent.clone(), DType::F32);
    let whole = ops::broadcast(b, whole, &shape);
    let product = ops::mul(b, numbers, whole);
    let parts = ops::constant_like(b, (sign * count) as f64, product);
    let quotient = ops::div(b, product, parts);
    ops::floor(b, quotient)
}
