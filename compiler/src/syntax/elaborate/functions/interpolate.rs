//! Images of another size: the nearest element, or what lies between neighbours.

use super::collections::Operand;
use super::{Arguments, Default, Function, optional, required};
use crate::dtype::DType;
use crate::graph::{Attribute, Attributes, Builder, ValueId};
use crate::ops;
use crate::shape::{Extent, Shape};
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[Function {
    name: "interpolate",
    parameters: &[
        required("input"),
        optional("size", Default::Absent),
        optional("scale_factor", Default::Absent),
        optional("mode", Default::Word(&["nearest", "linear", "bilinear"])),
        optional("align_corners", Default::Bool(false)),
    ],
    apply: interpolate,
}];

/// How the positions along one axis are mapped.
struct Mapping {
    axis: usize,
    extent: Extent,
    /// How many positions there will be.
    wanted: Extent,
    /// How many there will be for each one, where the call says so.
    factor: Option<f64>,
}

impl Mapping {
    /// How far positions of the input are apart for neighbours of the result, as PyTorch rounds it.
    fn step(&self, b: &mut Builder<'_>, aligned: bool) -> ValueId {
        let one = Extent::from(1);
        match (self.factor, aligned) {
            (Some(factor), false) => ops::constant(b, 1.0 / factor, DType::F32),
            (_, false) => ratio(b, &self.extent, &self.wanted),
            // A single result is the first element.
            (_, true) if self.wanted == one => ops::constant(b, 0.0, DType::F32),
            (_, true) => ratio(b, &(self.extent.clone() - one.clone()), &(self.wanted.clone() - one)),
        }
    }

    /// The position of the input, a number between two, for each of the result: steps from the first one on, or, from the
    /// middle of one element to the middle of another.
    fn positions(&self, b: &mut Builder<'_>, middle: bool, aligned: bool) -> ValueId {
        let numbers = ops::iota(b, self.wanted.clone(), Extent::from(0), 1, DType::F32);
        let step = self.step(b, aligned);
        let shape = b.shape(numbers);
        let step = ops::broadcast(b, step, &shape);
        if !middle {
            return ops::mul(b, numbers, step);
        }
        let half = ops::constant_like(b, 0.5, numbers);
        let from = ops::add(b, numbers, half);
        let to = ops::mul(b, from, step);
        let position = ops::sub(b, to, half);
        let none = ops::constant_like(b, 0.0, numbers);
        ops::maximum(b, position, none)
    }

    /// The number of the last element of the input, for each position of the result.
    fn last(&self, b: &mut Builder<'_>, like: ValueId) -> ValueId {
        let last = ops::extent(b, self.extent.clone() - Extent::from(1), DType::F32);
        let shape = b.shape(like);
        ops::broadcast(b, last, &shape)
    }
}

fn ratio(b: &mut Builder<'_>, above: &Extent, below: &Extent) -> ValueId {
    let (above, below) = (ops::extent(b, above.clone(), DType::F32), ops::extent(b, below.clone(), DType::F32));
    ops::div(b, above, below)
}

fn interpolate(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let input = e.described_argument(a, 0)?;
    let shape = e.graph.ty(input.1).shape.clone();
    let mode = e.word_argument(a, 3)?;
    let aligned = e.bool_argument(a, 4)?;
    let rank = shape.rank().saturating_sub(2);
    let fits = match mode.as_str() {
        "linear" => rank == 1,
        "bilinear" => rank == 2,
        _ => rank >= 1,
    };
    if !fits {
        let headline = format!("interpolate: `{mode}` does not take {rank} spatial axes");
        e.report(e.about_operands(Problem::new(a.span, headline), None, &[input]));
        return None;
    }
    if !e.graph.dtype(input.1).is_float() {
        let headline = "interpolate: takes floats".to_string();
        e.report(e.about_operands(Problem::new(a.span, headline), None, &[input]));
        return None;
    }
    let mut value = input.1;
    for mapping in mappings(e, a, &shape, rank)? {
        value = match (mode.as_str(), mapping.factor.filter(|factor| factor.fract() == 0.0)) {
            ("nearest", Some(factor)) => repeated(e, a, value, &mapping, factor as i64),
            ("nearest", None) => nearest(e, a, (input.0, value), &mapping)?,
            _ => between(e, a, value, &mapping, aligned),
        };
    }
    Some(Value::Tensor(value))
}

/// How each spatial axis is mapped: `size` or `scale_factor` says it, never both.
fn mappings(e: &mut Elaborator<'_>, a: &Arguments<'_>, shape: &Shape, rank: usize) -> Option<Vec<Mapping>> {
    if e.is_given(a, 1) == e.is_given(a, 2) {
        let problem = Problem::new(a.span, "interpolate: takes `size` or `scale_factor`, one of them");
        e.report(problem.detail(a.function.to_string()));
        return None;
    }
    let axes = (2..2 + rank).map(|axis| (axis, shape.extents()[axis].clone()));
    if e.is_given(a, 1) {
        let sizes = e.extents_argument(a, 1)?;
        let sizes = if let [one] = &sizes[..] { vec![one.clone(); rank] } else { sizes };
        if sizes.len() != rank || sizes.iter().any(|size| size.known().is_some_and(|size| size < 1)) {
            e.refuse_spatial(a, 1, &format!("one size or {rank} in a list, none less than 1"));
            return None;
        }
        let mapping = |((axis, extent), wanted)| Mapping { axis, extent, wanted, factor: None };
        return Some(axes.zip(sizes).map(mapping).collect());
    }
    let (given, _) = a.values[2].as_ref().expect("just tested");
    let factors: Option<Vec<f64>> = match given.number() {
        Some(factor) => Some(vec![factor; rank]),
        None => given.elements().and_then(|values| values.iter().map(Value::number).collect()),
    };
    let Some(factors) = factors.filter(|all| all.len() == rank && all.iter().all(|&factor| factor > 0.0)) else {
        e.refuse_spatial(a, 2, &format!("one number or {rank} in a tuple, all more than 0"));
        return None;
    };
    let mut mappings = Vec::new();
    for ((axis, extent), factor) in axes.zip(factors) {
        let wanted = match extent.known() {
            _ if factor.fract() == 0.0 => extent.clone() * Extent::from(factor as i64),
            Some(known) => Extent::from((known as f64 * factor).floor() as i64),
            None => {
                e.refuse_spatial(a, 2, &format!("a whole number for the open extent {extent}"));
                return None;
            }
        };
        mappings.push(Mapping { axis, extent, wanted, factor: Some(factor) });
    }
    Some(mappings)
}

/// Every element so many times.
fn repeated(e: &mut Elaborator<'_>, a: &Arguments<'_>, value: ValueId, mapping: &Mapping, times: i64) -> ValueId {
    let mut extents = e.graph.ty(value).shape.extents().to_vec();
    extents.insert(mapping.axis + 1, Extent::from(times));
    let apart = Shape::new(extents.clone());
    extents.remove(mapping.axis + 1);
    extents[mapping.axis] = mapping.wanted.clone();
    e.build(a.span, |b| {
        let single = ops::unsqueeze(b, value, &[mapping.axis + 1]);
        let repeated = ops::broadcast(b, single, &apart);
        ops::reshape(b, repeated, &Shape::new(extents))
    })
}

fn nearest(e: &mut Elaborator<'_>, a: &Arguments<'_>, input: Operand<'_>, mapping: &Mapping) -> Option<ValueId> {
    let index = e.build(a.span, |b| {
        let position = mapping.positions(b, false, false);
        let whole = ops::floor(b, position);
        let last = mapping.last(b, whole);
        let inside = ops::minimum(b, whole, last);
        ops::cast(b, inside, DType::U32)
    });
    let along = Attributes::none().with("axis", Attribute::Int(mapping.axis as i64));
    match e.op_on(a, "take", along, &[input, (input.0, index)])? {
        Value::Tensor(taken) => Some(taken),
        _ => None,
    }
}

/// A product with the matrix that has for each result what each element counts: one less its distance, or nothing.
fn between(e: &mut Elaborator<'_>, a: &Arguments<'_>, value: ValueId, mapping: &Mapping, aligned: bool) -> ValueId {
    e.build(a.span, |b| {
        let position = mapping.positions(b, !aligned, aligned);
        let last = mapping.last(b, position);
        let position = ops::minimum(b, position, last);
        let matrix = Shape::new(vec![mapping.wanted.clone(), mapping.extent.clone()]);
        let position = ops::unsqueeze(b, position, &[1]);
        let position = ops::broadcast(b, position, &matrix);
        let element = ops::iota(b, mapping.extent.clone(), Extent::from(0), 1, DType::F32);
        let element = ops::broadcast(b, element, &matrix);
        let apart = ops::sub(b, position, element);
        let apart = ops::abs(b, apart);
        let one = ops::constant_like(b, 1.0, apart);
        let near = ops::sub(b, one, apart);
        let weight = ops::relu(b, near);
        mapped(b, value, mapping.axis, weight)
    })
}

/// The value with other elements along an axis: each row of the matrix says what they are made of.
pub(super) fn mapped(b: &mut Builder<'_>, value: ValueId, axis: usize, matrix: ValueId) -> ValueId {
    let (rank, dtype) = (b.shape(value).rank(), b.dtype(value));
    let matrix = if dtype == DType::F32 { matrix } else { ops::cast(b, matrix, dtype) };
    let labels: String = ('a'..).take(rank).collect();
    let summed = labels.as_bytes()[axis] as char;
    let result = labels.replace(summed, "z");
    ops::contract(b, value, matrix, &format!("{labels},z{summed}->{result}"))
}
