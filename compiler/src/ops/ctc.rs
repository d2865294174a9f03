//! The loss of connectionist temporal classification: how improbable it is that a class per turn, without repetitions and
//! blanks, reads as the labels.
//!
//! Graves et al., "Connectionist temporal classification", 2006. A scan over the turns carries the logarithms of the
//! probabilities of all beginnings that end in a blank behind so many labels, and of those that end in a label. What is
//! impossible has a finite logarithm that is far below every other, so that nothing infinite meets its like.

use super::losses::{REDUCTIONS, Reduction};
use super::{
    Turns, add, broadcast, broadcast_over, cast, constant, constant_like, detach, div, exp, gather, iota, log, lt,
    maximum, ne, neg, pad, reshape, scan, select, slice, sub, unsqueeze,
};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId, Vjp,
};
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Ctc;

/// The logarithm of what is impossible.
const NOTHING: f64 = -1e30;

/// Turns, samples, classes and labels.
fn extents(logarithms: &Type, targets: &Type) -> [Extent; 4] {
    let extent = |ty: &Type, axis: usize| ty.shape.extents()[axis].clone();
    [extent(logarithms, 0), extent(logarithms, 1), extent(logarithms, 2), extent(targets, 1)]
}

fn numbers(b: &mut Builder<'_>, number: f64, dtype: DType, extents: &[&Extent]) -> ValueId {
    let number = constant(b, number, dtype);
    broadcast(b, number, &Shape::new(extents.iter().map(|&extent| extent.clone()).collect()))
}

/// The logarithms of the probabilities of the blank and of each label in every turn.
fn emissions(b: &mut Builder<'_>, call: &Call) -> [ValueId; 2] {
    let [turns, samples, _, labels] = extents(&call.operand_types[0], &call.operand_types[1]);
    let blank = call.attributes.int("blank");
    let blanks = slice(b, call.operands[0], 2, Extent::from(blank), Extent::from(blank + 1));
    let classes = broadcast(b, call.operands[1], &Shape::new(vec![turns, samples, labels]));
    let labels = gather(b, call.operands[0], classes, 2);
    [blanks, labels].map(|logarithms| {
        let wide = cast(b, logarithms, call.operand_types[0].dtype.computed());
        let least = constant_like(b, NOTHING, wide);
        maximum(b, wide, least)
    })
}

/// The logarithm of a sum of powers, of values that are not infinite.
fn logarithm_of_sum(b: &mut Builder<'_>, terms: &[ValueId]) -> ValueId {
    let mut largest = terms[0];
    for &term in &terms[1..] {
        largest = maximum(b, largest, term);
    }
    // It is taken off and added again, so the gradient does not depend on it.
    let largest = detach(b, largest);
    let mut total = None;
    for &term in terms {
        let below = sub(b, term, largest);
        let power = exp(b, below);
        total = Some(total.map_or(power, |total| add(b, total, power)));
    }
    let total = log(b, total.expect("there are terms"));
    add(b, largest, total)
}

/// One turn: the beginnings that end in blanks, and those that end in labels, with one class more.
fn turn(b: &mut Builder<'_>, leaves: &[ValueId]) -> Vec<ValueId> {
    let &[blanks, labels, of_blank, of_labels, position, lengths, differ] = leaves else {
        unreachable!("a turn has two carries, three slices and two invariants")
    };
    let one = Extent::from(1);
    let behind = pad(b, labels, 1, one.clone(), Extent::from(0), NOTHING);
    let to_blanks = logarithm_of_sum(b, &[blanks, behind]);
    let before = pad(b, labels, 1, one.clone(), -one.clone(), NOTHING);
    let nothing = constant_like(b, NOTHING, before);
    let skipping = select(b, differ, before, nothing);
    let count = b.shape(labels).extents()[1].clone();
    let in_front = slice(b, blanks, 1, Extent::from(0), count);
    let to_labels = logarithm_of_sum(b, &[labels, in_front, skipping]);
    let shape = b.shape(lengths);
    let position = broadcast(b, position, &shape);
    let runs = lt(b, position, lengths);
    let mut next = |old: ValueId, sums: ValueId, emitted: ValueId| {
        let shape = b.shape(old);
        let emitted = broadcast(b, emitted, &shape);
        let new = add(b, sums, emitted);
        let runs = broadcast_over(b, runs, &[1], &shape);
        select(b, runs, new, old)
    };
    vec![next(blanks, to_blanks, of_blank), next(labels, to_labels, of_labels)]
}

/// The logarithms of the probabilities of all beginnings, after the last turn of each sample.
fn beginnings(b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
    let [count, samples, _, length] = extents(&call.operand_types[0], &call.operand_types[1]);
    let (dtype, one) = (call.operand_types[0].dtype.computed(), Extent::from(1));
    let [of_blank, of_labels] = emissions(b, call);
    let start = numbers(b, 0.0, dtype, &[&samples, &one]);
    let blanks = pad(b, start, 1, Extent::from(0), length.clone(), NOTHING);
    let labels = numbers(b, NOTHING, dtype, &[&samples, &length]);
    let before = pad(b, call.operands[1], 1, one.clone(), -one, 0.0);
    let differ = ne(b, call.operands[1], before);
    let positions = iota(b, count.clone(), Extent::from(0), 1, DType::U32);
    let operands = [blanks, labels, of_blank, of_labels, positions, call.operands[2], differ];
    let types: Vec<Type> = operands.iter().map(|&operand| b.ty(operand).clone()).collect();
    let argument = |(at, ty): (usize, &Type)| match at {
        2..5 => Type::new(ty.dtype, Shape::new(ty.shape.extents()[1..].to_vec())),
        _ => ty.clone(),
    };
    let arguments: Vec<Type> = types.iter().enumerate().map(argument).collect();
    let body = b.region(&arguments, turn);
    scan(b, &Turns { body, carries: 2, slices: 3, count, reverse: false }, &operands)
}

/// The loss of each sample.
fn losses(b: &mut Builder<'_>, call: &Call) -> ValueId {
    let made = beginnings(b, call);
    let lengths = unsqueeze(b, call.operands[3], &[1]);
    let behind = pad(b, made[1], 1, Extent::from(1), Extent::from(0), NOTHING);
    let ends = [made[0], behind].map(|beginnings| {
        let end = gather(b, beginnings, lengths, 1);
        let shape = b.shape(call.operands[3]);
        reshape(b, end, &shape)
    });
    let total = logarithm_of_sum(b, &ends);
    let loss = neg(b, total);
    let least = constant_like(b, NOTHING / 2.0, total);
    let possible = lt(b, least, total);
    let infinity = if call.attributes.bool("zero_infinity") { 0.0 } else { f64::INFINITY };
    let infinity = constant_like(b, infinity, loss);
    select(b, possible, loss, infinity)
}

impl Op for Ctc {
    fn name(&self) -> &'static str {
        "ctc"
    }

    fn doc(&self) -> &'static str {
        "ctc {blank, reduction, zero_infinity} (x: F<T, N, C>, labels: u32<N, S>, turns: u32<N>, lengths: u32<N>) -> F, or F<N> without reduction: for each sample the negative logarithm of the sum of exp(sum(x[t, c[t]])) over all choices of a class c[t] for each of the first turns t that, without repetitions and then without blanks, are the first lengths labels; where there is none it is infinite, or 0 with zero_infinity, and no gradient flows; the mean divides each by the number of its labels, or by 1 if it has none, and then by N"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [logarithms, targets, turns, lengths] = infer.operands()?;
        infer.float(logarithms)?;
        if logarithms.rank() != 3 {
            return infer.error(format!("takes logarithms of probabilities <T, N, C>, not {logarithms}"));
        }
        if targets.dtype != DType::U32 || targets.rank() != 2 {
            return infer
                .error(format!("takes labels u32<N, S>, a row for each sample and all as long, not {targets}"));
        }
        let [count, samples, classes, _] = extents(logarithms, targets);
        infer.same_extent(&targets.shape.extents()[0], &samples, "there is a row of labels for each sample")?;
        for ty in [turns, lengths] {
            if ty.dtype != DType::U32 || ty.rank() != 1 {
                return infer.error(format!("takes lengths u32<N>, not {ty}"));
            }
            infer.same_extent(&ty.shape.extents()[0], &samples, "there is a length for each sample")?;
        }
        infer.at_most(&Extent::from(1), &count, "there are no turns")?;
        let blank = infer.attributes.int("blank");
        if blank < 0 {
            return infer.error(format!("blank is a class, not {blank}"));
        }
        infer.at_most(&Extent::from(blank + 1), &classes, format_args!("the blank {blank} is none of the classes"))?;
        let losses = Shape::new(vec![samples]);
        Ok(vec![Type::new(logarithms.dtype, Reduction::infer(infer, REDUCTIONS)?.shape(losses))])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        if cotangents[0].is_some() { Vjp::Expand } else { Vjp::none(call) }
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let mut losses = losses(b, call);
        let reduction = Reduction::of(&call.attributes);
        if reduction == Reduction::Mean {
            let dtype = b.dtype(losses);
            let lengths = cast(b, call.operands[3], dtype);
            let one = constant_like(b, 1.0, lengths);
            let lengths = maximum(b, lengths, one);
            losses = div(b, losses, lengths);
        }
        let result = reduction.apply(b, losses);
        vec![cast(b, result, call.result_types[0].dtype)]
    }

    fn index_bound(&self, call: &Call) -> Option<(usize, usize)> {
        Some((1, call.operand_shape(0)[2]))
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let reduction = Reduction::of(&call.attributes);
        let losses = Array::build(operands[0].dtype, &operands[2].shape, |point| {
            let loss = reference_loss(call, operands, point[0]);
            match reduction {
                Reduction::Mean => loss / operands[3].at(point).max(1.0),
                _ => loss,
            }
        });
        vec![reduction.reference(losses)]
    }

    fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for (at, &reduction) in REDUCTIONS.iter().enumerate() {
            for zero_infinity in [true, false] {
                samples.push(sample([6, 3, 4, 2], reduction, at as i64, zero_infinity));
                samples.push(sample([7, 2, 3, 3], reduction, 0, zero_infinity));
                samples.push(sample([1, 1, 2, 1], reduction, 1, zero_infinity));
                samples.push(sample([3, 2, 3, 0], reduction, 2, zero_infinity));
            }
        }
        samples.extend([sample([3, 0, 3, 2], "sum", 0, true), sample([9, 5, 2, 4], "none", 0, true)]);
        samples
    }
}

/// The loss of a sample: beginnings by how many of blank, label, blank, … they have.
fn reference_loss(call: &Call, operands: &[&Array], n: usize) -> f64 {
    let (x, labels) = (operands[0], operands[1]);
    let blank = call.attributes.int("blank") as usize;
    let length = (operands[3].at(&[n]) as usize).min(labels.shape[1]);
    let classes: Vec<usize> = (0..2 * length + 1)
        .map(|s| if s % 2 == 0 { blank } else { (labels.at(&[n, s / 2]) as usize).min(x.shape[2] - 1) })
        .collect();
    // Before the first turn nothing is begun, and the first blank and the first label may follow.
    let mut sums = vec![0.0; classes.len()];
    let turns = (operands[2].at(&[n]) as usize).min(x.shape[0]);
    for t in 0..turns {
        let before = sums.clone();
        for s in 0..classes.len() {
            let begun = |back: usize| if s >= back { before[s - back] } else { 0.0 };
            let skips = s >= 2 && s % 2 == 1 && labels.at(&[n, s / 2]) != labels.at(&[n, s / 2 - 1]);
            let ways = match t {
                0 => f64::from(u8::from(s < 2)),
                _ => begun(0) + begun(1) + if skips { begun(2) } else { 0.0 },
            };
            sums[s] = ways * x.at(&[t, n, classes[s]]).exp();
        }
    }
    let total: f64 = match turns {
        0 => f64::from(u8::from(length == 0)),
        _ => sums.iter().rev().take(2).sum(),
    };
    match total > 0.0 {
        true => -total.ln(),
        false if call.attributes.bool("zero_infinity") => 0.0,
        false => f64::INFINITY,
    }
}

/// So many turns, samples, classes and labels. Losses may be infinite only where that counts as 0: else all are of nothing.
fn sample([turns, samples, classes, labels]: [usize; 4], reduction: &str, blank: i64, zero_infinity: bool) -> Sample {
    let below = |shape: &[usize], bound: usize| SampleOperand {
        ty: Type::new(DType::U32, Shape::from_known(shape)),
        fill: Fill::Below(bound as u32),
    };
    let longest = if zero_infinity { labels } else { 0 };
    let attributes = Reduction::attribute(reduction).with("blank", Attribute::Int(blank));
    Sample {
        attributes: attributes.with("zero_infinity", Attribute::Bool(zero_infinity)),
        operands: vec![
            SampleOperand::numbers(DType::F32, &[turns, samples, classes], Fill::Between(-3.0, 0.0)),
            below(&[samples, labels], classes),
            below(&[samples], turns + 1),
            below(&[samples], longest + 1),
        ],
    }
}
