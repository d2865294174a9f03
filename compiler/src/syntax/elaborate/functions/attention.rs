//! Attention over tensors with any number of axes in front.

use super::collections::Operand;
use super::shapes::reshaped;
use super::{Arguments, Default, Function, axes_counted, optional, required};
use crate::dtype::DType;
use crate::graph::{Attribute, Attributes, ValueId};
use crate::ops::{self, attention_attributes};
use crate::shape::{Extent, Shape};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[
    Function { name: "additive_mask", parameters: &[required("mask")], apply: additive_mask },
    Function { name: "is_same", parameters: &[required("input"), required("other")], apply: is_same },
    Function {
        name: "scaled_dot_product_attention",
        parameters: &[
            required("query"),
            required("key"),
            required("value"),
            optional("attn_mask", Default::Absent),
            optional("dropout_p", Default::Float(0.0)),
            optional("is_causal", Default::Bool(false)),
            optional("scale", Default::Absent),
            optional("enable_gqa", Default::Bool(false)),
        ],
        apply: attention,
    },
];

/// For layers of the prelude, a mask whose truths say what is not seen, as numbers that are added to scores; one of numbers
/// is that already.
fn additive_mask(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let (_, mask) = e.described_argument(a, 0)?;
    if e.graph.dtype(mask) != DType::Bool {
        return Some(Value::Tensor(mask));
    }
    let numbers = e.build(a.span, |b| {
        let shape = b.shape(mask);
        let [hidden, seen] = [f64::NEG_INFINITY, 0.0].map(|number| {
            let number = ops::constant(b, number, DType::F32);
            ops::broadcast(b, number, &shape)
        });
        ops::select(b, mask, hidden, seen)
    });
    Some(Value::Tensor(numbers))
}

/// Whether two tensors are one value: what is computed of the one is computed of the other.
fn is_same(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    Some(Value::Bool(e.described_argument(a, 0)?.1 == e.described_argument(a, 1)?.1))
}

/// PyTorch's function; where nothing is trained, nothing is dropped.
fn attention(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let inputs = [e.described_argument(a, 0)?, e.described_argument(a, 1)?, e.described_argument(a, 2)?];
    let mask = if e.is_given(a, 3) { Some(e.described_argument(a, 3)?) } else { None };
    let causal = e.bool_argument(a, 5)?;
    if let Some(headline) = mismatch(e, a, &inputs, mask.is_some() && causal)? {
        e.report(e.about_operands(Problem::new(a.span, headline), Some(a.whole), &inputs));
        return None;
    }
    let (scale, group, p) = (scale(e, a, inputs[0])?, group(e, a, &inputs)?, dropped(e, a)?);
    let queries = e.graph.ty(inputs[0].1).shape.extents().to_vec();
    let length = e.graph.ty(inputs[2].1).shape.extents().last().cloned();
    let mut operands = Vec::new();
    for input in inputs {
        let extents = e.graph.ty(input.1).shape.extents().to_vec();
        operands.push(with_four_axes(e, a, input, &extents)?);
    }
    if let Some(mask) = mask {
        let mask = with_axes_of(e, a, mask, &queries)?;
        let extents = e.graph.ty(mask.1).shape.extents().to_vec();
        operands.push(with_four_axes(e, a, mask, &extents)?);
    }
    if p > 0.0 {
        operands.push((inputs[0].0, e.random_key(a.span)?));
    }
    let Value::Tensor(result) = e.op_on(a, "attention", attention_attributes(scale, causal, group, p), &operands)?
    else {
        return None;
    };
    let mut extents = queries;
    extents.pop();
    extents.extend(length);
    reshaped(e, a, (inputs[0].0, result), extents)
}

/// What is wrong with the operands before anything is computed of them; `None` inside if nothing is.
fn mismatch(
    e: &Elaborator<'_>,
    a: &Arguments<'_>,
    inputs: &[Operand<'_>; 3],
    mask_and_causal: bool,
) -> Option<Option<String>> {
    let name = a.function.name;
    let shapes = inputs.map(|(_, value)| e.graph.ty(value).shape.extents());
    let rank = shapes[0].len();
    if let Some(short) = shapes.iter().find(|shape| shape.len() != rank || rank < 2) {
        let (found, first) = (axes_counted(short.len()), axes_counted(rank));
        let headline = if rank < 2 {
            format!("takes at least 2 axes, not {first}")
        } else {
            format!("takes tensors with as many axes, not {first} and {found}")
        };
        return Some(Some(format!("{name}: {headline}")));
    }
    if mask_and_causal {
        return Some(Some(format!("{name}: takes `attn_mask` or `is_causal`, not both")));
    }
    let differ = |left: &Extent, right: &Extent| (left.clone() - right.clone()).known().is_some_and(|by| by != 0);
    let grouped = e.bool_argument(a, 7)?;
    for axis in 0..rank - 2 {
        let heads = axis + 3 == rank;
        let others = if heads && grouped { &shapes[..0] } else { &shapes[1..] };
        if others.iter().any(|other| differ(&shapes[0][axis], &other[axis])) {
            let hint = if heads { "; `enable_gqa = true` lets heads of queries share those of keys" } else { "" };
            return Some(Some(format!("{name}: extents differ on axis {axis}{hint}")));
        }
    }
    Some(None)
}

/// What scores are multiplied by.
fn scale(e: &Elaborator<'_>, a: &Arguments<'_>, queries: Operand<'_>) -> Option<f64> {
    if e.is_given(a, 6) {
        return e.float_argument(a, 6);
    }
    match e.graph.ty(queries.1).shape.extents().last().and_then(Extent::known) {
        Some(width) => Some(1.0 / (width as f64).sqrt()),
        None => {
            e.fail(a.span, format!("{}: the last extent is open, so `scale` must be given", a.function.name));
            None
        }
    }
}

/// How many heads of queries share a head of keys.
fn group(e: &Elaborator<'_>, a: &Arguments<'_>, inputs: &[Operand<'_>; 3]) -> Option<i64> {
    let heads = |at: usize| {
        let extents = e.graph.ty(inputs[at].1).shape.extents();
        extents.len().checked_sub(3).map(|axis| extents[axis].clone())
    };
    let (Some(queries), Some(keys), true) = (heads(0), heads(1), e.bool_argument(a, 7)?) else { return Some(1) };
    match (queries.known(), keys.known()) {
        _ if queries == keys => Some(1),
        (Some(heads), Some(shared)) if shared > 0 && heads % shared == 0 => Some(heads / shared),
        _ => {
            let headline = format!("{}: {keys} heads of keys do not divide {queries} of queries", a.function.name);
            e.report(e.about_operands(Problem::new(a.span, headline), Some(a.whole), inputs));
            None
        }
    }
}

/// The probability with which weights are left out here.
fn dropped(e: &Elaborator<'_>, a: &Arguments<'_>) -> Option<f64> {
    let p = e.float_argument(a, 4)?;
    if !(0.0..=1.0).contains(&p) {
        let name = a.function.name;
        e.fail(e.argument_span(a, 4), format!("{name}: `dropout_p` is a probability, not {p:?}"));
        return None;
    }
    Some(if e.frame().training { p } else { 0.0 })
}

/// A tensor with one axis of samples and one of heads in front of the last two.
fn with_four_axes<'e>(
    e: &mut Elaborator<'_>,
    a: &Arguments<'_>,
    (expr, value): Operand<'e>,
    extents: &[Extent],
) -> Option<Operand<'e>> {
    let one = Extent::from(1);
    let (front, matrix) = extents.split_at(extents.len() - 2);
    let (samples, heads) = match front {
        [] => (one.clone(), one),
        [samples] => (samples.clone(), one),
        [samples @ .., heads] => (samples.iter().cloned().fold(one, |product, extent| product * extent), heads.clone()),
    };
    let mut extents = vec![samples, heads];
    extents.extend_from_slice(matrix);
    match reshaped(e, a, (expr, value), extents)? {
        Value::Tensor(value) => Some((expr, value)),
        _ => None,
    }
}

/// A mask with as many axes as the queries have. Where several axes in front become one, it has all of them or none.
fn with_axes_of<'e>(
    e: &mut Elaborator<'_>,
    a: &Arguments<'_>,
    mask: Operand<'e>,
    queries: &[Extent],
) -> Option<Operand<'e>> {
    let one = Extent::from(1);
    let mut extents = e.graph.ty(mask.1).shape.extents().to_vec();
    if extents.len() > queries.len() || extents.len() < 2 {
        let (found, wanted) = (axes_counted(extents.len()), axes_counted(queries.len()));
        let headline = format!("{}: `attn_mask` has {found}, queries have {wanted}", a.function.name);
        e.report(e.about_operands(Problem::new(a.span, headline), Some(a.whole), &[mask]));
        return None;
    }
    extents.splice(0..0, std::iter::repeat_n(one.clone(), queries.len() - extents.len()));
    let Value::Tensor(mut value) = reshaped(e, a, mask, extents.clone())? else { return None };
    let joined = queries.len().saturating_sub(3);
    if joined > 1 && extents[..joined].iter().any(|extent| *extent != one) {
        extents.splice(..joined, queries[..joined].iter().cloned());
        value = repeated(e, a, (mask.0, value), extents)?;
    }
    Some((mask.0, value))
}

fn repeated(e: &mut Elaborator<'_>, a: &Arguments<'_>, input: Operand<'_>, extents: Vec<Extent>) -> Option<ValueId> {
    let attributes = Attributes::none().with("shape", Attribute::Shape(Shape::new(extents)));
    match e.op_on(a, "broadcast", attributes, &[input])? {
        Value::Tensor(value) => Some(value),
        _ => None,
    }
}
