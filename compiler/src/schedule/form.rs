//! Forms of nests: sums that need not run point by point.
//!
//! A flat nest enters; what leaves says whether its sum is one of two that are written as a choice at every point. Where only
//! the points count at which a value names the position, each value is added to one element. Where the points up to the
//! position count, each sum is the one before it and one value more. Both add the same numbers in the same order as the
//! nest: what they leave out are zeros.

use super::flat::Flat;
use super::tiles::Tiles;
use crate::nest::{Atom, Body, Index, Reducer, Scalar, ScalarId, Term};
use crate::scalar::ScalarOp;

/// How the elements of a nest come about.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// Each from all points of the reduction axes.
    Points,
    /// All begin as zero, and each point of the other axes adds to one of them.
    Scattered(Scattered),
    /// Along an axis, each from the one before.
    Running(Running),
    /// Tile by tile, from products of two factors.
    Tiled(Tiles),
}

/// The sum of `value` over the points whose `position` is the one on the axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Scattered {
    /// The output axis; nothing else depends on it.
    pub axis: usize,
    /// Where on the axis a value is added, as u32; past the end it is not.
    pub position: Body,
    /// What is added.
    pub value: Body,
}

/// The sum of `value` over the only reduction axis up to a position on an output axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// The output axis; the value does not depend on it.
    pub axis: usize,
    /// The position on it from the reduction axis: the same one, or counted from the end.
    pub position: Index,
    /// What is added.
    pub value: Body,
}

/// The fewest elements along an axis for which scattering is faster than a sum for each.
const SCATTERED_FROM: usize = 8;

/// The form of a nest.
pub fn form(flat: &Flat) -> Form {
    if flat.reducer != Some(Reducer::Sum) || flat.extents.contains(&0) {
        return Form::Points;
    }
    let Some((condition, value)) = chosen(flat) else { return Form::Points };
    match &flat.body.scalars[condition.0] {
        Scalar::Apply(ScalarOp::Eq, sides) => scattered(flat, [sides[0], sides[1]], value)
            .or_else(|| scattered(flat, [sides[1], sides[0]], value))
            .map_or(Form::Points, Form::Scattered),
        Scalar::Apply(ScalarOp::Le, sides) => {
            running(flat, [sides[0], sides[1]], value).map_or(Form::Points, Form::Running)
        }
        _ => Form::Points,
    }
}

/// The condition and the value of a body that ends in a choice between a value and 0.
fn chosen(flat: &Flat) -> Option<(ScalarId, ScalarId)> {
    let Some(Scalar::Apply(ScalarOp::Select, operands)) = flat.body.scalars.last() else { return None };
    let zero = matches!(flat.body.scalars[operands[2].0], Scalar::Constant(_, number) if number == 0.0);
    zero.then_some((operands[0], operands[1]))
}

fn scattered(flat: &Flat, [position, axis]: [ScalarId; 2], value: ScalarId) -> Option<Scattered> {
    let Scalar::Index(index) = &flat.body.scalars[axis.0] else { return None };
    let axis = flat.output_axes().find(|&axis| *index == Index::axis(axis))?;
    let (position, value) = (flat.body.part(position), flat.body.part(value));
    let moves = flat.write.stride(axis).is_some();
    let free = [&position, &value].iter().all(|body| !flat.body_depends(body, axis));
    let pays = flat.extents[axis] >= SCATTERED_FROM && flat.epilogue.is_none();
    // Half precision is summed up in f32 and rounded once.
    let whole = flat.dtype().computed() == flat.dtype();
    (moves && free && pays && whole).then_some(Scattered { axis, position, value })
}

fn running(flat: &Flat, [at, end]: [ScalarId; 2], value: ScalarId) -> Option<Running> {
    let mut reductions = flat.reduction_axes();
    let (Some(reduction), None) = (reductions.next(), reductions.next()) else { return None };
    let (Scalar::Index(at), Scalar::Index(end)) = (&flat.body.scalars[at.0], &flat.body.scalars[end.0]) else {
        return None;
    };
    let [Term { atom: Atom::Axis(axis), coefficient }] = end.terms.as_slice() else { return None };
    let (axis, last) = (*axis, flat.extents[reduction] as i64 - 1);
    let position = match (coefficient, end.offset) {
        (1, 0) => Index::axis(reduction),
        (-1, offset) if offset == last => Index::axis(reduction).times(-1).plus(&Index::constant(last)),
        _ => return None,
    };
    let value = flat.body.part(value);
    let whole = flat.output_axes().contains(&axis) && flat.extents[axis] == flat.extents[reduction];
    let fits = *at == Index::axis(reduction) && whole && !flat.body_depends(&value, axis);
    fits.then_some(Running { axis, position, value })
}
