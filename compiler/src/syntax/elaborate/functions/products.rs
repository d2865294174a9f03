//! Matrix products.

use super::collections::Operand;
use super::shapes::reshaped;
use super::{Arguments, BINARY, Function};
use crate::graph::{Attribute, Attributes};
use crate::shape::Extent;
use crate::syntax::elaborate::Elaborator;
use crate::syntax::elaborate::report::Problem;
use crate::syntax::elaborate::value::Value;

/// The functions of this file.
pub static FUNCTIONS: &[Function] = &[Function { name: "matmul", parameters: BINARY, apply: matmul }];

/// One side of a product: a label per axis.
struct Side<'e> {
    operand: Operand<'e>,
    labels: Vec<char>,
}

/// PyTorch's rule: the last two axes are contracted as matrices, axes before them are broadcast, vectors lose their axis.
/// Nothing is repeated for that: an axis that one side lacks, or has with extent 1, is an axis of the other side alone.
fn matmul(e: &mut Elaborator<'_>, a: &Arguments<'_>) -> Option<Value> {
    let pair = [e.described_argument(a, 0)?, e.described_argument(a, 1)?];
    let shapes = pair.map(|(_, value)| e.graph.ty(value).shape.extents().to_vec());
    if let Some(headline) = mismatch(e, &pair, &shapes) {
        e.report(e.about_operands(Problem::new(a.span, headline), Some(a.whole), &pair));
        return None;
    }
    let batch = shapes.iter().map(Vec::len).max().unwrap_or(0).saturating_sub(2);
    let batch: Vec<char> = ('l'..='z').chain('A'..='Z').take(batch).collect();
    let left = side(e, a, pair[0], "ik", &batch, &shapes[1])?;
    let right = side(e, a, pair[1], "kj", &batch, &shapes[0])?;
    let mut labels = batch;
    labels.extend(left.labels.iter().filter(|&&label| label == 'i'));
    labels.extend(right.labels.iter().filter(|&&label| label == 'j'));
    let word = |labels: &[char]| labels.iter().collect::<String>();
    let equation = format!("{},{}->{}", word(&left.labels), word(&right.labels), word(&labels));
    let attributes = Attributes::none().with("equation", Attribute::Word(equation));
    e.op_on(a, "contract", attributes, &[left.operand, right.operand])
}

/// What makes the product impossible, as far as the extents are known.
fn mismatch(e: &Elaborator<'_>, pair: &[Operand<'_>; 2], [left, right]: &[Vec<Extent>; 2]) -> Option<String> {
    if left.is_empty() || right.is_empty() {
        return Some("matmul: a scalar has no axis to contract".to_string());
    }
    if e.graph.dtype(pair[0].1) != e.graph.dtype(pair[1].1) {
        return Some("matmul: element types differ".to_string());
    }
    let differ = |a: &Extent, b: &Extent| (a.clone() - b.clone()).known().is_some_and(|difference| difference != 0);
    if differ(&left[left.len() - 1], &right[right.len().saturating_sub(2)]) {
        return Some("matmul: extents differ".to_string());
    }
    let one = Extent::from(1);
    let rank = left.len().max(right.len());
    let axis =
        (0..rank.saturating_sub(2)).find(|&axis| match (aligned(left, axis, rank), aligned(right, axis, rank)) {
            (Some(a), Some(b)) => *a != one && *b != one && differ(a, b),
            _ => false,
        })?;
    Some(format!("matmul: extents differ on axis {axis}"))
}

/// The extent of the axis in front of the matrix that is this one of the result, if the operand has it.
fn aligned(extents: &[Extent], axis: usize, rank: usize) -> Option<&Extent> {
    let at = (axis + extents.len()).checked_sub(rank)?;
    extents[..extents.len().saturating_sub(2)].get(at)
}

/// A side with labels, without the axes that it would repeat along.
fn side<'e>(
    e: &mut Elaborator<'_>,
    a: &Arguments<'_>,
    operand: Operand<'e>,
    matrix: &str,
    batch: &[char],
    other: &[Extent],
) -> Option<Side<'e>> {
    let one = Extent::from(1);
    let own = e.graph.ty(operand.1).shape.extents().to_vec();
    let rank = batch.len() + 2;
    let (mut labels, mut extents) = (Vec::new(), Vec::new());
    for (axis, &label) in batch.iter().enumerate() {
        let Some(extent) = aligned(&own, axis, rank) else { continue };
        if *extent == one && aligned(other, axis, rank).is_some_and(|other| *other != one) {
            continue;
        }
        labels.push(label);
        extents.push(extent.clone());
    }
    let vector = own.len() == 1;
    labels.extend(matrix.chars().filter(|&label| label == 'k' || !vector));
    extents.extend(own[own.len().saturating_sub(2)..].iter().cloned());
    let Value::Tensor(value) = reshaped(e, a, operand, extents)? else { return None };
    Some(Side { operand: (operand.0, value), labels })
}
