//! Convolutions along one, two and three axes, and the way back through them.

use super::collections::Operand;
use super::{Arguments, Default, Function, Parameter, optional, required};
use crate::graph::{Attribute, Attributes};
use crate::ops::{self, Geometry, Window};
use crate::shape::{Extent, Shape};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

const INPUT: Parameter = required("input");
const WEIGHT: Parameter = required("weight");
const BIAS: Parameter = optional("bias", Default::Absent);
const STRIDE: Parameter = optional("stride", Default::Int(1));
const DILATION: Parameter = optional("dilation", Default::Int(1));
const GROUPS: Parameter = optional("groups", Default::Int(1));

const CONV: &[Parameter] = &[
    INPUT,
    WEIGHT,
    BIAS,
    STRIDE,
    optional("padding", Default::NumberOr(0, &["same", "valid"])),
    DILATION,
    GROUPS,
    optional("padding_mode", Default::Word(&["zeros", "reflect", "replicate", "circular"])),
];
const CONV_TRANSPOSE: &[Parameter] = &[
    INPUT,
    WEIGHT,
    BIAS,
    STRIDE,
    optional("padding", Default::Int(0)),
    optional("output_padding", Default::Int(0)),
    GROUPS,
    DILATION,
];

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function { name: "conv1d", parameters: CONV, apply: |e, a| conv(e, a, 1) },
    Function { name: "conv2d", parameters: CONV, apply: |e, a| conv(e, a, 2) },
    Function { name: "conv3d", parameters: CONV, apply: |e, a| conv(e, a, 3) },
    Function { name: "conv_transpose1d", parameters: CONV_TRANSPOSE, apply: |e, a| conv_transpose(e, a, 1) },
    Function { name: "conv_transpose2d", parameters: CONV_TRANSPOSE, apply: |e, a| conv_transpose(e, a, 2) },
    Function { name: "conv_transpose3d", parameters: CONV_TRANSPOSE, apply: |e, a| conv_transpose(e, a, 3) },
];

/// Where arguments stand in both lists of parameters, and where they differ: dilation and groups.
const STRIDES: usize = 3;
const PADDING: usize = 4;

/// The windows that a weight and strides make.
fn windows(
    e: &mut Elaborator<'_>,
    a: &Arguments<'_>,
    weight: Operand<'_>,
    (rank, dilation): (usize, usize),
) -> Option<Vec<Window>> {
    let shape = e.graph.ty(weight.1).shape.clone();
    let sizes: Option<Vec<i64>> = shape.extents().iter().skip(2).map(Extent::known).collect();
    let Some(sizes) = sizes.filter(|sizes| sizes.len() == rank) else {
        let headline = format!("{}: the weight has not {rank} known sizes behind two other axes", a.function.name);
        e.report(e.about_operands(Problem::new(a.span, headline), None, &[weight]));
        return None;
    };
    let (strides, dilations) = (e.per_axis_argument(a, STRIDES, rank)?, e.per_axis_argument(a, dilation, rank)?);
    for (at, values) in [(STRIDES, &strides), (dilation, &dilations)] {
        if let Some(value) = values.iter().find(|&&value| value < 1) {
            e.refuse_spatial(a, at, &format!("at least 1, not {value}"));
            return None;
        }
    }
    let each = sizes.into_iter().zip(strides).zip(dilations);
    Some(each.map(|((size, stride), dilation)| Window { size, stride, dilation }).collect())
}

fn conv(e: &mut Elaborator<'_>, a: &Arguments<'_>, rank: usize) -> Option<Value> {
    let (mut input, weight) = (e.described_argument(a, 0)?, e.described_argument(a, 1)?);
    let windows = windows(e, a, weight, (rank, 5))?;
    let mut padding = e.padding_argument(a, PADDING, &windows)?;
    let groups = e.known_argument(a, 6)?;
    let mode = e.word_argument(a, 7)?;
    if mode != "zeros" && e.graph.ty(input.1).rank() == rank + 2 {
        for (axis, [before, after]) in padding.iter_mut().enumerate() {
            let amounts = [Extent::from(*before), Extent::from(*after)];
            input.1 = super::borders::bordered(e, a, PADDING, (input, axis + 2), &mode, amounts)?;
            (*before, *after) = (0, 0);
        }
    }
    let geometry = Geometry { windows, padding, groups };
    let y = e.op_on(a, "conv", geometry.attributes(), &[input, weight])?;
    with_bias(e, a, y)
}

fn conv_transpose(e: &mut Elaborator<'_>, a: &Arguments<'_>, rank: usize) -> Option<Value> {
    let (input, weight) = (e.described_argument(a, 0)?, e.described_argument(a, 1)?);
    let windows = windows(e, a, weight, (rank, 7))?;
    let padding = e.padding_argument(a, PADDING, &windows)?;
    let more = e.per_axis_argument(a, 5, rank)?;
    let groups = e.known_argument(a, 6)?;
    if more.iter().zip(&windows).any(|(more, window)| !(0..window.stride).contains(more)) {
        e.refuse_spatial(a, 5, "less than the stride, and not less than 0");
        return None;
    }
    let found = e.graph.ty(input.1).shape.clone();
    let extent = |axis: usize| {
        let (window, [before, after]) = (windows[axis], padding[axis]);
        let last = (found.extents()[axis + 2].clone() - Extent::from(1)) * Extent::from(window.stride);
        last + Extent::from(window.reach() + more[axis] - before - after)
    };
    // A value of another rank is refused by the op.
    let extents = if found.rank() == rank + 2 { (0..rank).map(extent).collect() } else { Vec::new() };
    let geometry = Geometry { windows, padding, groups };
    let attributes = geometry.attributes().with("extents", Attribute::Shape(Shape::new(extents)));
    let y = e.op_on(a, "conv_transpose", attributes, &[input, weight])?;
    with_bias(e, a, y)
}

/// The result with a number for each channel added, if they are given.
fn with_bias(e: &mut Elaborator<'_>, a: &Arguments<'_>, y: Value) -> Option<Value> {
    if !e.is_given(a, 2) {
        return Some(y);
    }
    let (bias, Value::Tensor(y)) = (e.described_argument(a, 2)?, y) else { return None };
    let shape = e.graph.ty(y).shape.clone();
    let mut column = vec![Extent::from(1); shape.rank() - 1];
    column[0] = shape.extents()[1].clone();
    let reshaped = Attributes::none().with("shape", Attribute::Shape(Shape::new(column)));
    let Value::Tensor(column) = e.op_on(a, "reshape", reshaped, &[bias])? else { return None };
    let column = e.broadcast_to(column, &shape, a.span);
    Some(Value::Tensor(e.build(a.span, |b| ops::add(b, y, column))))
}
