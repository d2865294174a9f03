//! Sums of products that an equation names.
//!
//! Each operand comes with a label per axis. First every operand is brought to labels that differ and that someone else
//! needs: diagonals are taken, what only one operand has and the result lacks is summed. Then two operands at a time are
//! contracted; which two, their extents decide where they are known.

use super::collections::Operand;
use super::shapes::{permuted, reshaped};
use super::{Arguments, Default, Function, Parameter, axes_attribute, axes_counted, required};
use crate::graph::{Attribute, Attributes};
use crate::ops;
use crate::shape::Extent;
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[Function {
    name: "einsum",
    parameters: &[required("equation"), Parameter { name: "operands", default: Default::Rest }],
    apply: einsum,
}];

/// An operand with a label per axis.
#[derive(Clone)]
struct Factor<'e> {
    operand: Operand<'e>,
    labels: Vec<char>,
}

fn einsum(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let text = e.text_argument(a, 0)?;
    let operands = e.tensors_argument(a, 1)?;
    let (labels, result) = match read(&text) {
        Ok(read) => read,
        Err(problem) => {
            e.fail(e.argument_span(a, 0), format!("einsum: {problem}"));
            return None;
        }
    };
    fit(e, a, &text, &labels, &operands)?;
    let mut factors: Vec<Factor<'_>> =
        operands.into_iter().zip(labels).map(|(operand, labels)| Factor { operand, labels }).collect();
    for at in 0..factors.len() {
        factors[at] = without_ones(e, a, &factors, at)?;
        factors[at] = without_doubles(e, a, factors[at].clone());
    }
    for at in 0..factors.len() {
        factors[at] = summed(e, a, &factors, at, &result)?;
    }
    while factors.len() > 1 {
        let (first, second) = next_pair(e, &factors);
        // The second stands behind the first, which so keeps its place.
        let right = factors.remove(second);
        let left = factors.remove(first);
        let joined = contracted(e, a, [left, right], &factors, &result)?;
        factors.insert(first, joined);
    }
    let Factor { operand, labels } = factors.pop().expect("there is at least one operand");
    let place = |label: &char| labels.iter().position(|other| other == label).expect("the result's labels are kept");
    permuted(e, a, operand, &result.iter().map(place).collect::<Vec<_>>())
}

/// The labels of each operand and those of the result. Without `->`, the result has the labels that occur once, in
/// alphabetical order.
fn read(text: &str) -> Result<(Vec<Vec<char>>, Vec<char>), String> {
    let equation: String = text.chars().filter(|sign| !sign.is_whitespace()).collect();
    let (operands, result) = match equation.split_once("->") {
        Some((operands, result)) => (operands, Some(result)),
        None => (equation.as_str(), None),
    };
    let operands: Vec<Vec<char>> = operands.split(',').map(|labels| labels.chars().collect()).collect();
    let all: Vec<char> = operands.concat();
    let result: Vec<char> = match result {
        Some(result) => result.chars().collect(),
        None => {
            let mut once: Vec<char> = all.clone();
            once.retain(|label| all.iter().filter(|other| *other == label).count() == 1);
            once.sort_unstable();
            once
        }
    };
    if let Some(sign) = all.iter().chain(&result).find(|label| !label.is_ascii_alphabetic()) {
        return Err(format!("`{sign}` in `{text}` is no label; labels are letters"));
    }
    for (at, label) in result.iter().enumerate() {
        if !all.contains(label) {
            return Err(format!("the result of `{text}` has {label}, which no operand has"));
        }
        if result[..at].contains(label) {
            return Err(format!("the result of `{text}` has {label} twice"));
        }
    }
    Ok((operands, result))
}

/// Whether the operands have the axes that the equation says, and extents that agree as far as they are known.
fn fit(
    e: &Elaborator<'_>,
    a: &Arguments<'_>,
    text: &str,
    labels: &[Vec<char>],
    operands: &[Operand<'_>],
) -> Option<()> {
    let report = |headline: String, operands: &[Operand<'_>]| {
        e.report(e.about_operands(Problem::new(a.span, format!("einsum: {headline}")), Some(a.whole), operands));
        None
    };
    if labels.len() != operands.len() {
        return report(format!("`{text}` is about {} tensors, not {}", labels.len(), operands.len()), operands);
    }
    let extents = |at: usize| e.graph.ty(operands[at].1).shape.extents();
    for (at, labels) in labels.iter().enumerate() {
        if labels.len() != extents(at).len() {
            let word: String = labels.iter().collect();
            return report(format!("`{word}` does not fit {}", axes_counted(extents(at).len())), &operands[at..=at]);
        }
    }
    let axes = || (0..operands.len()).flat_map(|at| labels[at].iter().zip(extents(at)).map(move |axis| (at, axis)));
    for (at, (label, extent)) in axes() {
        let one = Extent::from(1);
        let differs = |other: &Extent| (other.clone() - extent.clone()).known().is_some_and(|d| d != 0);
        let other = axes().find(|(other, (same, second))| {
            *same == label && differs(second) && (*other == at || (*extent != one && **second != one))
        });
        if let Some((other, _)) = other {
            let pair = [operands[at], operands[other]];
            return report(format!("extents differ on {label}"), if at == other { &pair[..1] } else { &pair });
        }
    }
    Some(())
}

/// The factor without the axes of extent 1 that another one has longer: products repeat along them anyway.
fn without_ones<'e>(
    e: &mut Elaborator<'_>,
    a: &Arguments<'_>,
    factors: &[Factor<'e>],
    at: usize,
) -> Option<Factor<'e>> {
    let one = Extent::from(1);
    let longer = |factor: &Factor<'_>, label: char| {
        let extents = e.graph.ty(factor.operand.1).shape.extents();
        factor.labels.iter().zip(extents).any(|(&other, extent)| other == label && *extent != one)
    };
    let Factor { operand, labels } = &factors[at];
    let extents = e.graph.ty(operand.1).shape.extents();
    let kept = labels.iter().copied().zip(extents.iter().cloned());
    let kept = kept.filter(|(label, extent)| *extent != one || !factors.iter().any(|factor| longer(factor, *label)));
    let (labels, extents): (Vec<char>, Vec<Extent>) = kept.unzip();
    match reshaped(e, a, *operand, extents)? {
        Value::Tensor(value) => Some(Factor { operand: (operand.0, value), labels }),
        _ => None,
    }
}

/// The factor with the diagonal for every label that it has twice.
fn without_doubles<'e>(e: &mut Elaborator<'_>, a: &Arguments<'_>, mut factor: Factor<'e>) -> Factor<'e> {
    loop {
        let labels = factor.labels.iter().enumerate();
        let double = labels.rev().find_map(|(second, label)| {
            factor.labels[..second].iter().position(|other| other == label).map(|first| (first, second))
        });
        let Some((first, second)) = double else { return factor };
        let label = factor.labels.remove(second);
        factor.labels.remove(first);
        factor.labels.push(label);
        factor.operand.1 = e.build(a.span, |b| ops::diagonal(b, factor.operand.1, [first, second]));
    }
}

/// The factor summed over what neither the result nor another factor has.
fn summed<'e>(
    e: &mut Elaborator<'_>,
    a: &Arguments<'_>,
    factors: &[Factor<'e>],
    at: usize,
    result: &[char],
) -> Option<Factor<'e>> {
    let Factor { operand, labels } = &factors[at];
    let others = || factors.iter().enumerate().filter(|(other, _)| *other != at);
    let needed = |label: &char| result.contains(label) || others().any(|(_, factor)| factor.labels.contains(label));
    let axes: Vec<usize> = (0..labels.len()).filter(|&axis| !needed(&labels[axis])).collect();
    if axes.is_empty() {
        return Some(factors[at].clone());
    }
    let labels = labels.iter().copied().filter(needed).collect();
    match e.op_on(a, "sum", Attributes::none().with("axes", axes_attribute(&axes)), &[*operand])? {
        Value::Tensor(value) => Some(Factor { operand: (operand.0, value), labels }),
        _ => None,
    }
}

/// The two factors whose product has the fewest points; the first two where extents are open.
fn next_pair(e: &Elaborator<'_>, factors: &[Factor<'_>]) -> (usize, usize) {
    let shape = |at: usize| e.graph.ty(factors[at].operand.1).shape.known();
    let Some(shapes) = (0..factors.len()).map(shape).collect::<Option<Vec<_>>>() else { return (0, 1) };
    let points = |first: usize, second: usize| {
        let left = factors[first].labels.iter().zip(&shapes[first]);
        let right = factors[second].labels.iter().zip(&shapes[second]);
        let alone = right.filter(|(label, _)| !factors[first].labels.contains(label));
        left.chain(alone).fold(1.0, |product, (_, &extent)| product * extent as f64)
    };
    let pairs = (1..factors.len()).flat_map(|second| (0..second).map(move |first| (first, second)));
    let cheapest = pairs.min_by(|&(a, b), &(c, d)| points(a, b).total_cmp(&points(c, d)));
    cheapest.expect("there are two factors at least")
}

/// The product of two factors, summed over what neither the result nor one of the others has.
fn contracted<'e>(
    e: &mut Elaborator<'_>,
    a: &Arguments<'_>,
    [left, right]: [Factor<'e>; 2],
    others: &[Factor<'e>],
    result: &[char],
) -> Option<Factor<'e>> {
    let needed = |label: &char| result.contains(label) || others.iter().any(|factor| factor.labels.contains(label));
    let labels: Vec<char> = match others.is_empty() {
        true => result.to_vec(),
        false => {
            let alone = right.labels.iter().filter(|label| !left.labels.contains(label));
            left.labels.iter().chain(alone).copied().filter(needed).collect()
        }
    };
    let word = |labels: &[char]| labels.iter().collect::<String>();
    let equation = format!("{},{}->{}", word(&left.labels), word(&right.labels), word(&labels));
    let attributes = Attributes::none().with("equation", Attribute::Word(equation));
    match e.op_on(a, "contract", attributes, &[left.operand, right.operand])? {
        Value::Tensor(value) => Some(Factor { operand: (left.operand.0, value), labels }),
        _ => None,
    }
}
