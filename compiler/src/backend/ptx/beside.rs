//! Which elements lie side by side for the iterations that a thread has side by side.
//!
//! The counter of such iterations begins at a multiple of their number, so a position that moves with it by one, and is
//! otherwise a multiple of so many elements, is that of a vector in memory: arrays begin at multiples of 64 bytes, or, as slices
//! of others, at multiples of their own size. A position that does not move is that of one element for all of them.

use super::emitter::{Emitter, Together};
use crate::kernel::{Expression, ParameterId, Usage};
use crate::nest::{Atom, Index};

/// The most bytes that an instruction loads or stores for a thread.
const WIDEST: usize = 16;

/// How iterations find their elements, so many of them at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// Side by side, from a multiple of their size on.
    Vector(usize),
    /// In one place; 1 where they have nothing to do with each other.
    Same(usize),
}

impl Beside {
    pub(super) fn count(self) -> usize {
        match self {
            Beside::Vector(count) | Beside::Same(count) => count,
        }
    }
}

/// How an index moves along so many iterations side by side, the first of which is at a multiple of that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moves {
    /// By how much from one to the next.
    step: i64,
    /// What divides the index at the first one; a power of two, at most their number.
    by: i64,
}

impl Emitter<'_> {
    /// How the iterations that run together find the elements of an access.
    pub(super) fn beside(&self, parameter: ParameterId, index: &Index) -> Beside {
        let Some(Together { id, neighbours, .. }) = self.together() else { return Beside::Same(1) };
        let array = &self.kernel.parameters[parameter.0];
        let widest = neighbours.min(WIDEST / array.dtype.size());
        let moves = |count: usize| self.moves(index, id, count);
        let even = !matches!(array.usage, Usage::Read | Usage::Written) || array.elements.is_multiple_of(widest);
        match moves(widest) {
            Some(Moves { step: 1, by }) if widest > 1 && even && by == widest as i64 => Beside::Vector(widest),
            _ if neighbours > 1 && moves(neighbours).is_some_and(|moves| moves.step == 0) => Beside::Same(neighbours),
            _ => Beside::Same(1),
        }
    }
}

impl Emitter<'_> {
    /// Whether an expression is the same for all iterations side by side.
    pub(super) fn is_still(&self, expression: &Expression) -> bool {
        let Some(Together { id, neighbours, .. }) = self.together() else { return false };
        let stands = |index: &Index| self.moves(index, id, neighbours).is_some_and(|moves| moves.step == 0);
        match expression {
            Expression::Constant(..) | Expression::Combine(..) => true,
            Expression::Index(index) | Expression::Load { index, .. } => stands(index),
            Expression::Register(register) => self.kernel.registers[register.0].groups == 0,
            Expression::Apply(_, operands) => operands.iter().all(|var| !self.varying[var.0] || self.still[var.0]),
        }
    }

    fn moves(&self, index: &Index, id: usize, count: usize) -> Option<Moves> {
        moves(index, id, count as i64, &self.extents, &|var| self.varying[var] && !self.still[var])
    }
}

/// How an index moves; `None` where that is not known. Gathered elements of variables that vary may be anything.
fn moves(index: &Index, id: usize, count: i64, extents: &[usize], varies: &dyn Fn(usize) -> bool) -> Option<Moves> {
    let mut sum = Moves { step: 0, by: divides(index.offset, count) };
    for term in &index.terms {
        let Moves { step, by } = atom_moves(&term.atom, id, count, extents, varies)?;
        sum.step += term.coefficient * step;
        sum.by = sum.by.min(divides(term.coefficient * by, count));
    }
    Some(sum)
}

fn atom_moves(atom: &Atom, id: usize, count: i64, extents: &[usize], varies: &dyn Fn(usize) -> bool) -> Option<Moves> {
    let still = |by: i64| Some(Moves { step: 0, by });
    match atom {
        Atom::Axis(axis) if *axis == id => Some(Moves { step: 1, by: count }),
        Atom::Axis(axis) => still(if extents[*axis] == 1 { count } else { 1 }),
        Atom::Gathered { read, .. } => {
            if varies(*read) {
                None
            } else {
                still(1)
            }
        }
        Atom::Quotient(inner, by) => {
            let inner = moves(inner, id, count, extents, varies)?;
            let within = inner.step == 1 && inner.by == count && by % count == 0;
            if inner.step == 0 || within { still(1) } else { None }
        }
        Atom::Remainder(inner, by) => {
            let inner = moves(inner, id, count, extents, varies)?;
            let within = inner.step == 1 && inner.by == count && by % count == 0;
            let by = inner.by.min(divides(*by, count));
            if inner.step == 0 || within { Some(Moves { by, ..inner }) } else { None }
        }
        Atom::Clamped(inner, _) => {
            let inner = moves(inner, id, count, extents, varies)?;
            if inner.step == 0 { still(1) } else { None }
        }
    }
}

/// The largest power of two that divides a number, at most `most`, which is one.
fn divides(number: i64, most: i64) -> i64 {
    if number == 0 { most } else { (number & -number).min(most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENTS: [usize; 3] = [64, 1000, 7];

    /// The counter of the lanes loop is axis 1.
    fn moves(index: &Index) -> Option<Moves> {
        super::moves(index, 1, 4, &EXTENTS, &|_| true)
    }

    #[test]
    fn rows_of_whole_vectors_are_vectors() {
        let (row, lane) = (Index::axis(0), Index::axis(1));
        assert_eq!(moves(&row.clone().times(1000).plus(&lane)), Some(Moves { step: 1, by: 4 }));
        assert_eq!(moves(&row.clone().times(1001).plus(&lane)), Some(Moves { step: 1, by: 1 }));
        assert_eq!(
            moves(&row.clone().times(1000).plus(&lane).plus(&Index::constant(2))),
            Some(Moves { step: 1, by: 2 })
        );
        assert_eq!(moves(&row.plus(&lane.times(3))), Some(Moves { step: 3, by: 1 }));
    }

    /// By a number that the vectors do not divide, a vector may reach over the end.
    #[test]
    fn quotients_stand_still_and_remainders_move_within_what_vectors_divide() {
        let number = Index::axis(0).times(1000).plus(&Index::axis(1));
        assert_eq!(moves(&number.divided(48, &EXTENTS)), Some(Moves { step: 0, by: 1 }));
        assert_eq!(moves(&number.modulo(48, &EXTENTS)), Some(Moves { step: 1, by: 4 }));
        assert_eq!(moves(&number.modulo(50, &EXTENTS)), None);
        assert_eq!(moves(&number.divided(50, &EXTENTS)), None);
        assert_eq!(moves(&number.clamped(900, &EXTENTS)), None);
    }

    /// What is gathered may be anywhere.
    #[test]
    fn what_is_gathered_is_apart() {
        let row = Index::atom(Atom::Gathered { read: 0, bound: 10 });
        assert_eq!(moves(&row), None);
        let known = |index: &Index| super::moves(index, 1, 4, &EXTENTS, &|_| false);
        assert_eq!(known(&row.clone().times(8).plus(&Index::axis(1))), Some(Moves { step: 1, by: 4 }));
        assert_eq!(known(&row.plus(&Index::axis(1))), Some(Moves { step: 1, by: 1 }));
    }
}
