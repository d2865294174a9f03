//! Contractions: sums over products of two factors that share the axes they are summed along.
//!
//! A flat nest enters; what leaves says which axes each factor moves along. What the factors are made of is open: a read, or
//! a read with something elementwise around it. So is what is done with the sum.

use super::flat::{Flat, FlatRead};
use crate::dtype::DType;
use crate::nest::{Atom, Index, Reducer, Scalar, ScalarId};
use crate::scalar::ScalarOp;

/// A nest that sums up products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contraction {
    /// The factors, by their scalars in the body.
    pub factors: [ScalarId; 2],
    /// For each factor, the output axes along which it moves and the other one does not.
    pub own: [Vec<usize>; 2],
    /// The output axes along which both move, or none.
    pub shared: Vec<usize>,
}

/// What a nest contracts; `None` if it is no contraction of f32.
///
/// Both factors move along every axis that is summed along: else the sum is one of a factor alone, times the other.
pub fn contraction(flat: &Flat) -> Option<Contraction> {
    products(flat, DType::F32)
}

/// The same of products of some type, which are summed up in f32.
pub(super) fn products(flat: &Flat, dtype: DType) -> Option<Contraction> {
    let Some(Scalar::Apply(ScalarOp::Mul, factors)) = flat.body.scalars.last() else { return None };
    let sums = flat.reducer == Some(Reducer::Sum) && flat.body.dtype(&|read| flat.reads[read].dtype) == dtype;
    // An axis of extent 1 is none: what is left is a product and no sum.
    let empty = flat.reduction_axes().is_empty() || flat.extents.contains(&0);
    if !sums || factors[0] == factors[1] || empty {
        return None;
    }
    let parts = [flat.body.part(factors[0]), flat.body.part(factors[1])];
    let moves = |axis: usize| [flat.body_depends(&parts[0], axis), flat.body_depends(&parts[1], axis)];
    if flat.reduction_axes().any(|axis| moves(axis) != [true, true]) {
        return None;
    }
    let along = |wanted: [bool; 2]| flat.output_axes().filter(move |&axis| moves(axis) == wanted);
    Some(Contraction {
        factors: [factors[0], factors[1]],
        own: [along([true, false]).collect(), along([false, true]).collect()],
        shared: flat.output_axes().filter(|&axis| moves(axis)[0] == moves(axis)[1]).collect(),
    })
}

/// The position that a factor reads in its operand; `None` if the factor is more than one f32, which is read straight along
/// all that is summed along.
pub fn in_place(flat: &Flat, factor: ScalarId) -> Option<&Index> {
    let Scalar::Read(read) = flat.body.scalars[factor.0] else { return None };
    let FlatRead { dtype, position, .. } = &flat.reads[read];
    let straight = flat.reduction_axes().all(|axis| position.stride(axis).is_some());
    let gathers = position.any(&mut |atom| matches!(atom, Atom::Gathered { .. }));
    (*dtype == DType::F32 && straight && !gathers).then_some(position)
}
