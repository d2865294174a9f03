//! Functions that move axes or contract them: views, matrix products.

use super::{Arguments, BINARY, Default, Function, UNARY, axes_attribute, axes_counted, optional, required};
use crate::graph::{Attribute, Attributes, ValueId};
use crate::shape::{Extent, Shape};
use crate::syntax::ast::Expr;
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function { name: "matmul", parameters: BINARY, apply: matmul },
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
];

fn reshaped(e: &mut Elaborator<'_>, a: &Arguments<'_>, input: (&Expr, ValueId), extents: Vec<Extent>) -> Option<Value> {
    let shape = Shape::new(extents);
    if e.graph.ty(input.1).shape == shape {
        return Some(Value::Tensor(input.1));
    }
    e.op_on(a, "reshape", Attributes::none().with("shape", Attribute::Shape(shape)), &[input])
}

fn permuted(e: &mut Elaborator<'_>, a: &Arguments<'_>, input: (&Expr, ValueId), axes: &[usize]) -> Option<Value> {
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
            e.report(e.about_operands(Problem::new(a.span, headline), "", &[input]));
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
    let axes: Vec<i64> = given.unwrap_or_default().iter().map(|axis| axis.rem_euclid(rank.max(1) as i64)).collect();
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    if sorted.iter().enumerate().any(|(i, &axis)| i as i64 != axis) || sorted.len() != rank {
        let headline = format!("permute: the axes name each of the {} once", axes_counted(rank));
        e.report(e.about_operands(Problem::new(e.argument_span(a, 1), headline), "", &[input]));
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
        e.report(e.about_operands(Problem::new(a.span, headline), "", &[input]));
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

/// PyTorch's rule: the last two axes are contracted as matrices, axes before them are broadcast, vectors lose their axis.
fn matmul(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let left = e.described_argument(a, 0)?;
    let right = e.described_argument(a, 1)?;
    let shapes = [left, right].map(|(_, value)| e.graph.ty(value).shape.extents().to_vec());
    let pair = [left, right];
    if shapes.iter().any(Vec::is_empty) {
        e.report(e.about_operands(Problem::new(a.span, "matmul: a scalar has no axis to contract"), &a.whole, &pair));
        return None;
    }
    if e.graph.dtype(left.1) != e.graph.dtype(right.1) {
        e.report(e.about_operands(Problem::new(a.span, "matmul: element types differ"), &a.whole, &pair));
        return None;
    }
    let inner = (shapes[0][shapes[0].len() - 1].clone(), shapes[1][shapes[1].len().saturating_sub(2)].clone());
    if (inner.0.clone() - inner.1.clone()).known().is_some_and(|difference| difference != 0) {
        let problem = Problem::new(a.span, "matmul: extents differ");
        e.report(e.about_operands(problem, &a.whole, &pair));
        return None;
    }
    let batches = [batch(&shapes[0]), batch(&shapes[1])];
    let (left, right, batch) = match (batches[0].is_empty(), batches[1].is_empty()) {
        (_, true) | (true, _) => (left, right, batches[0].len().max(batches[1].len())),
        _ => batch_aligned(e, a, pair, &batches)?,
    };
    let equation = equation(shapes[0].len(), shapes[1].len(), batches[0].is_empty(), batches[1].is_empty(), batch);
    let attributes = Attributes::none().with("equation", Attribute::Word(equation));
    e.op_on(a, "contract", attributes, &[left, right])
}

fn batch(extents: &[Extent]) -> Vec<Extent> {
    extents[..extents.len().saturating_sub(2)].to_vec()
}

type Aligned<'e> = ((&'e Expr, ValueId), (&'e Expr, ValueId), usize);

/// Both sides with equal axes in front of their matrices.
fn batch_aligned<'e>(
    e: &mut Elaborator<'_>,
    a: &Arguments<'_>,
    pair: [(&'e Expr, ValueId); 2],
    batches: &[Vec<Extent>; 2],
) -> Option<Aligned<'e>> {
    let rank = batches[0].len().max(batches[1].len());
    let one = Extent::from(1);
    let mut common = Vec::new();
    for axis in 0..rank {
        let side = |b: &Vec<Extent>| (axis + b.len()).checked_sub(rank).map_or(one.clone(), |at| b[at].clone());
        let (left, right) = (side(&batches[0]), side(&batches[1]));
        if left != one && right != one && (left.clone() - right.clone()).known().is_some_and(|d| d != 0) {
            let problem = Problem::new(a.span, format!("matmul: extents differ on axis {axis}"));
            e.report(e.about_operands(problem, &a.whole, &pair));
            return None;
        }
        common.push(if left == one { right } else { left });
    }
    let mut aligned = pair;
    for (_, value) in &mut aligned {
        let extents = e.graph.ty(*value).shape.extents().to_vec();
        let matrix = extents[extents.len() - 2..].to_vec();
        let shape = Shape::new(common.iter().cloned().chain(matrix).collect());
        *value = e.broadcast_to(*value, &shape, a.span);
    }
    Some((aligned[0], aligned[1], rank))
}

/// The einsum equation of a matrix product: `b` labels of common leading axes, then `ik,kj->ij` without the axes that
/// vectors lack.
fn equation(left: usize, right: usize, left_plain: bool, right_plain: bool, batch: usize) -> String {
    let labels: String = ('l'..='z').take(batch).collect();
    let side = |plain: bool| if plain { "" } else { labels.as_str() };
    let rows = if left == 1 { "" } else { "i" };
    let columns = if right == 1 { "" } else { "j" };
    format!("{}{rows}k,{}k{columns}->{labels}{rows}{columns}", side(left_plain), side(right_plain))
}
