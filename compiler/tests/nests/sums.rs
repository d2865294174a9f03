//! Sums that are written as a choice at every point: elements added where an index says, and sums up to each position.

use super::{Case, axes, case, read};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::nest::{Body, Index, Nest, Read, Reducer, Scalar};
use tapeless_compiler::scalar::ScalarOp;

/// The extents around the axis that is summed.
const AROUND: [usize; 5] = [1, 3, 5, 8, 21];

/// All cases for an extent.
pub fn cases(extent: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for inner in AROUND {
        cases.extend([scatter(1, 9, extent, inner, 1), scatter(2, extent, 11, inner, 1)]);
        cases.extend([
            scatter(3, 10, extent, inner, 3),
            running(2, extent, inner, false),
            running(2, extent, inner, true),
        ]);
    }
    cases.extend([counts(extent), placed(extent)]);
    cases
}

/// The sum over `m` of `g[a, m, b]` where the index is the position on an axis of `count`: the index has the last so many of
/// the axes a, m, b, or of m alone if that is one.
pub fn scatter(outer: usize, count: usize, indices: usize, inner: usize, rank: usize) -> Case {
    let mut body = Body::default();
    let (index, value) = (body.push(Scalar::Read(0)), body.push(Scalar::Read(1)));
    let position = body.push(Scalar::Index(Index::axis(1)));
    let found = body.apply(ScalarOp::Eq, &[index, position]);
    let zero = body.constant(DType::F32, 0.0);
    body.apply(ScalarOp::Select, &[found, value, zero]);
    let (own, shape) = match rank {
        1 => (axes(&[3]), vec![indices]),
        _ => (axes(&[0, 3, 2]), vec![outer, indices, inner]),
    };
    let reads = vec![read(0, DType::U32, own), read(1, DType::F32, axes(&[0, 3, 2]))];
    let nest = summed(&[outer, count, inner], indices, reads, body, DType::F32);
    let name = format!("scatter {rank} [{outer}, {count}, {inner}] from {indices}");
    case(name, nest, &[&shape, &[outer, indices, inner]])
}

/// How often each number below 10 is in a list.
fn counts(extent: usize) -> Case {
    let mut body = Body::default();
    let position = body.push(Scalar::Index(Index::axis(0)));
    let index = body.push(Scalar::Read(0));
    let found = body.apply(ScalarOp::Eq, &[position, index]);
    let (one, zero) = (body.constant(DType::U32, 1.0), body.constant(DType::U32, 0.0));
    body.apply(ScalarOp::Select, &[found, one, zero]);
    let nest = summed(&[10], extent, vec![read(0, DType::U32, axes(&[1]))], body, DType::U32);
    case(format!("counts [10] of {extent}"), nest, &[&[extent]])
}

/// Numbers at every third position of 20, those that fit.
fn placed(extent: usize) -> Case {
    let mut body = Body::default();
    let place = body.push(Scalar::Index(Index::axis(2).times(3)));
    let position = body.push(Scalar::Index(Index::axis(0)));
    let found = body.apply(ScalarOp::Eq, &[place, position]);
    let (value, zero) = (body.push(Scalar::Read(0)), body.constant(DType::I32, 0.0));
    body.apply(ScalarOp::Select, &[found, value, zero]);
    let nest = summed(&[20, 6], extent, vec![read(0, DType::I32, axes(&[2, 1]))], body, DType::I32);
    case(format!("placed [20, 6] from {extent}"), nest, &[&[extent, 6]])
}

/// Sums up to each position on the middle axis, from its start or from its end.
pub fn running(outer: usize, extent: usize, inner: usize, reverse: bool) -> Case {
    let last = Index::constant(extent.max(1) as i64 - 1);
    let counted = |axis: usize| if reverse { Index::axis(axis).times(-1).plus(&last) } else { Index::axis(axis) };
    let mut body = Body::default();
    let at = body.push(Scalar::Index(Index::axis(3)));
    let end = body.push(Scalar::Index(counted(1)));
    let within = body.apply(ScalarOp::Le, &[at, end]);
    let (value, zero) = (body.push(Scalar::Read(0)), body.constant(DType::F32, 0.0));
    body.apply(ScalarOp::Select, &[within, value, zero]);
    let reads = vec![read(0, DType::F32, vec![Index::axis(0), counted(3), Index::axis(2)])];
    let nest = summed(&[outer, extent, inner], extent, reads, body, DType::F32);
    case(format!("running [{outer}, {extent}, {inner}] {reverse}"), nest, &[&[outer, extent, inner]])
}

fn summed(outputs: &[usize], reduced: usize, reads: Vec<Read>, body: Body, dtype: DType) -> Nest {
    Nest {
        extents: [outputs, &[reduced]].concat(),
        outputs: outputs.len(),
        reads,
        body,
        reducer: Some(Reducer::Sum),
        epilogue: None,
        dtype,
    }
}
