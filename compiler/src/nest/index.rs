//! Positions: whole numbers computed from the axes of a nest (or the loops of a kernel).
//!
//! An [`Index`] is affine in its atoms; atoms are axes, quotients and remainders by constants, indices clamped to an axis,
//! and gathered elements.
//! Indices are kept in a normal form, so that a reshape that splits an axis and joins it again reads straight: terms are
//! sorted, what divides evenly leaves its quotient, quotients of quotients become one, and a quotient and a remainder that
//! belong together are joined to what they came from.

/// A position along one operand axis, or any whole number computed from the axes of a nest:
/// the sum of `coefficient * atom` over the terms, plus the offset.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Index {
    /// The terms, sorted by atom; no two have the same atom, none the coefficient 0.
    pub terms: Vec<Term>,
    /// What is added to the terms.
    pub offset: i64,
}

/// One summand of an [`Index`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term {
    /// What is multiplied.
    pub atom: Atom,
    /// The factor; never 0.
    pub coefficient: i64,
}

/// What an [`Index`] is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Atom {
    /// The position on an axis of the nest.
    Axis(usize),
    /// Floor division of an index that is never negative.
    Quotient(Box<Index>, i64),
    /// The remainder of that division.
    Remainder(Box<Index>, i64),
    /// The element that a read finds, clamped to `0..bound`; the read itself has no such atom.
    Gathered {
        /// Which read of the nest.
        read: usize,
        /// The extent of the axis that it indexes.
        bound: usize,
    },
    /// The number in `0..bound` that is nearest to an index. It serves guarded reads: the nest reads in bounds at every point
    /// and chooses in its body where the element counts.
    Clamped(Box<Index>, i64),
}

impl Index {
    /// The index that is always this number.
    pub fn constant(offset: i64) -> Index {
        Index { terms: Vec::new(), offset }
    }

    /// The position on an axis.
    pub fn axis(axis: usize) -> Index {
        Index::atom(Atom::Axis(axis))
    }

    /// The index that is one atom.
    pub fn atom(atom: Atom) -> Index {
        Index { terms: vec![Term { coefficient: 1, atom }], offset: 0 }
    }

    /// The sum of two indices.
    pub fn plus(mut self, other: &Index) -> Index {
        self.offset += other.offset;
        other.terms.iter().for_each(|term| self.add(term.coefficient, &term.atom));
        while let Some((quotient, remainder, joined)) = self.halves() {
            self.add(-quotient.coefficient, &quotient.atom);
            self.add(-remainder.coefficient, &remainder.atom);
            self.offset += joined.offset;
            joined.terms.iter().for_each(|term| self.add(term.coefficient, &term.atom));
        }
        self
    }

    /// The index times a number.
    pub fn times(mut self, factor: i64) -> Index {
        if factor == 0 {
            return Index::default();
        }
        self.offset *= factor;
        self.terms.iter_mut().for_each(|term| term.coefficient *= factor);
        self
    }

    /// The smallest and largest value over a rectangle of axes.
    pub fn range(&self, extents: &[usize]) -> (i64, i64) {
        let (mut low, mut high) = (self.offset, self.offset);
        for Term { coefficient, atom } in &self.terms {
            let (a, b) = atom.range(extents);
            let (a, b) = (a.saturating_mul(*coefficient), b.saturating_mul(*coefficient));
            low = low.saturating_add(a.min(b));
            high = high.saturating_add(a.max(b));
        }
        (low, high)
    }

    /// The value at a point, where `gathered` gives the elements that reads find.
    pub fn at(&self, axes: &[usize], gathered: &dyn Fn(usize) -> i64) -> i64 {
        self.terms.iter().map(|term| term.coefficient * term.atom.at(axes, gathered)).sum::<i64>() + self.offset
    }

    /// Floor division by a positive number of an index that is never negative.
    pub fn divided(&self, divisor: i64, extents: &[usize]) -> Index {
        let (even, rest) = self.split(divisor, extents);
        even.plus(&rest.quotient(divisor, extents))
    }

    /// The remainder of the division by a positive number of an index that is never negative.
    pub fn modulo(&self, divisor: i64, extents: &[usize]) -> Index {
        let (_, rest) = self.split(divisor, extents);
        rest.remainder(divisor, extents)
    }

    /// The nearest number in `0..bound`; the index itself where it never leaves that.
    pub fn clamped(&self, bound: i64, extents: &[usize]) -> Index {
        let most = (bound - 1).max(0);
        match self.range(extents) {
            (low, high) if low >= 0 && high <= most => self.clone(),
            (_, high) if high <= 0 => Index::default(),
            (low, _) if low >= most => Index::constant(most),
            _ => Index::atom(Atom::Clamped(Box::new(self.clone()), bound)),
        }
    }

    /// Replaces every axis by an index over other axes, whose extents are given; reads keep their numbers plus
    /// `first_read`.
    pub fn substitute(&self, axes: &[Index], extents: &[usize], first_read: usize) -> Index {
        let mut sum = Index::constant(self.offset);
        for Term { coefficient, atom } in &self.terms {
            let replaced = match atom {
                Atom::Axis(axis) => axes[*axis].clone(),
                Atom::Quotient(index, by) => index.substitute(axes, extents, first_read).divided(*by, extents),
                Atom::Remainder(index, by) => index.substitute(axes, extents, first_read).modulo(*by, extents),
                Atom::Clamped(index, bound) => index.substitute(axes, extents, first_read).clamped(*bound, extents),
                Atom::Gathered { read, bound } => {
                    Index::atom(Atom::Gathered { read: read + first_read, bound: *bound })
                }
            };
            sum = sum.plus(&replaced.times(*coefficient));
        }
        sum
    }

    /// The index with other numbers for the reads that it gathers.
    pub fn renumbered(&self, reads: &dyn Fn(usize) -> usize) -> Index {
        let mut sum = Index::constant(self.offset);
        for Term { coefficient, atom } in &self.terms {
            let atom = match atom {
                Atom::Axis(axis) => Atom::Axis(*axis),
                Atom::Quotient(inner, by) => Atom::Quotient(Box::new(inner.renumbered(reads)), *by),
                Atom::Remainder(inner, by) => Atom::Remainder(Box::new(inner.renumbered(reads)), *by),
                Atom::Clamped(inner, bound) => Atom::Clamped(Box::new(inner.renumbered(reads)), *bound),
                Atom::Gathered { read, bound } => Atom::Gathered { read: reads(*read), bound: *bound },
            };
            sum.add(*coefficient, &atom);
        }
        sum
    }

    /// Whether any part of the index holds such an atom.
    pub fn any(&self, test: &mut dyn FnMut(&Atom) -> bool) -> bool {
        self.terms.iter().any(|Term { atom, .. }| test(atom) || atom.inner().is_some_and(|inner| inner.any(test)))
    }

    /// Whether the position on this axis is part of the index, gathered elements aside.
    pub fn uses(&self, axis: usize) -> bool {
        self.any(&mut |atom| *atom == Atom::Axis(axis))
    }

    /// How much the index grows per step on an axis: 0 when the axis is no part of it, `None` when it depends.
    pub fn stride(&self, axis: usize) -> Option<i64> {
        let irregular = |atom: &Atom| atom.inner().is_some_and(|inner| inner.uses(axis));
        match self.terms.iter().any(|term| irregular(&term.atom)) {
            true => None,
            false => Some(self.coefficient(&Atom::Axis(axis))),
        }
    }

    /// The factor of an atom; 0 when it is no term.
    fn coefficient(&self, atom: &Atom) -> i64 {
        self.terms.iter().find(|term| term.atom == *atom).map_or(0, |term| term.coefficient)
    }

    fn add(&mut self, coefficient: i64, atom: &Atom) {
        match self.terms.binary_search_by(|term| term.atom.cmp(atom)) {
            Ok(at) => {
                self.terms[at].coefficient += coefficient;
                if self.terms[at].coefficient == 0 {
                    self.terms.remove(at);
                }
            }
            Err(at) => self.terms.insert(at, Term { coefficient, atom: atom.clone() }),
        }
    }

    /// A quotient and a remainder among the terms that came from one index, and that index with its factor.
    ///
    /// With `i = d * (i / d) + i % d`, the terms `k * d * (i / d)` and `k * (i % d)` are `k * i`. If the quotient is itself
    /// inside of a remainder, `k * d * ((i / d + e) % m)` and `k * (i % d)` are `k * ((i + d * e) % (d * m))`.
    fn halves(&self) -> Option<(Term, Term, Index)> {
        self.terms.iter().find_map(|low| {
            let Atom::Remainder(index, by) = &low.atom else { return None };
            let quotient = quotient_atom(index, *by)?;
            let high = self.terms.iter().find(|term| term.coefficient == low.coefficient * by && *term != low)?;
            let joined = if high.atom == quotient {
                (**index).clone()
            } else if let Atom::Remainder(inner, modulus) = &high.atom
                && inner.coefficient(&quotient) == 1
            {
                let even = (**inner).clone().plus(&Index::atom(quotient).times(-1));
                let whole = (**index).clone().plus(&even.times(*by));
                Index::atom(Atom::Remainder(Box::new(whole), by * modulus))
            } else {
                return None;
            };
            Some((high.clone(), low.clone(), joined.times(low.coefficient)))
        })
    }

    /// `self = divisor * even + rest`, with as much in `even` as term-wise division allows while `rest` is never negative.
    fn split(&self, divisor: i64, extents: &[usize]) -> (Index, Index) {
        let mut even = Index::constant(self.offset.div_euclid(divisor));
        let mut rest = Index::constant(self.offset.rem_euclid(divisor));
        for term in &self.terms {
            match term.coefficient % divisor {
                0 => even.add(term.coefficient / divisor, &term.atom),
                _ => rest.add(term.coefficient, &term.atom),
            }
        }
        let missing = (-rest.range(extents).0).max(0);
        let steps = (missing + divisor - 1) / divisor;
        even.offset -= steps;
        rest.offset += steps * divisor;
        (even, rest)
    }

    /// The parts `factor * high + low` of the index where `factor` divides the divisor and `low` is always below `factor`:
    /// only `high` takes part in the division.
    fn high_part(&self, divisor: i64, extents: &[usize]) -> Option<(i64, Index, Index)> {
        let mut factors: Vec<i64> = self.terms.iter().map(|term| gcd(term.coefficient, divisor)).collect();
        factors.sort_unstable();
        factors.dedup();
        factors.into_iter().rev().filter(|&factor| factor > 1).find_map(|factor| {
            let (high, low) = self.split(factor, extents);
            let (least, most) = low.range(extents);
            let narrow = least >= 0 && most < factor && high.range(extents).0 >= 0;
            narrow.then_some((factor, high, low))
        })
    }

    /// The quotient of an index of which nothing divides evenly any more.
    fn quotient(&self, divisor: i64, extents: &[usize]) -> Index {
        let (low, high) = self.range(extents);
        if low >= 0 && high < divisor {
            return Index::default();
        }
        match self.single() {
            Some(Atom::Quotient(inner, by)) => return inner.divided(by * divisor, extents),
            Some(Atom::Remainder(inner, by)) if by % divisor == 0 => {
                return inner.divided(divisor, extents).modulo(by / divisor, extents);
            }
            _ => {}
        }
        match self.high_part(divisor, extents) {
            Some((factor, high, _)) => high.divided(divisor / factor, extents),
            None => Index::atom(Atom::Quotient(Box::new(self.clone()), divisor)),
        }
    }

    /// The remainder of an index of which nothing divides evenly any more.
    fn remainder(&self, divisor: i64, extents: &[usize]) -> Index {
        let (low, high) = self.range(extents);
        if low >= 0 && high < divisor {
            return self.clone();
        }
        match self.single() {
            Some(Atom::Remainder(inner, by)) if by % divisor == 0 => return inner.modulo(divisor, extents),
            _ => {}
        }
        match self.high_part(divisor, extents) {
            Some((factor, high, low)) => high.modulo(divisor / factor, extents).times(factor).plus(&low),
            None => Index::atom(Atom::Remainder(Box::new(self.clone()), divisor)),
        }
    }

    /// The atom, if the index is nothing else.
    fn single(&self) -> Option<&Atom> {
        match self.terms.as_slice() {
            [Term { atom, coefficient: 1 }] if self.offset == 0 => Some(atom),
            _ => None,
        }
    }
}

impl Atom {
    /// The index that is divided or clamped.
    pub fn inner(&self) -> Option<&Index> {
        match self {
            Atom::Quotient(inner, _) | Atom::Remainder(inner, _) | Atom::Clamped(inner, _) => Some(inner),
            Atom::Axis(_) | Atom::Gathered { .. } => None,
        }
    }

    fn range(&self, extents: &[usize]) -> (i64, i64) {
        match self {
            Atom::Axis(axis) => (0, (extents[*axis] as i64 - 1).max(0)),
            Atom::Quotient(index, by) => {
                let (low, high) = index.range(extents);
                (low.div_euclid(*by), high.div_euclid(*by))
            }
            Atom::Remainder(_, by) => (0, by - 1),
            Atom::Clamped(index, bound) => {
                let (low, high) = index.range(extents);
                let most = (bound - 1).max(0);
                (low.clamp(0, most), high.clamp(0, most))
            }
            Atom::Gathered { bound, .. } => (0, (*bound as i64 - 1).max(0)),
        }
    }

    fn at(&self, axes: &[usize], gathered: &dyn Fn(usize) -> i64) -> i64 {
        match self {
            Atom::Axis(axis) => axes[*axis] as i64,
            Atom::Quotient(index, by) => index.at(axes, gathered).div_euclid(*by),
            Atom::Remainder(index, by) => index.at(axes, gathered).rem_euclid(*by),
            Atom::Clamped(index, bound) => index.at(axes, gathered).clamp(0, (bound - 1).max(0)),
            Atom::Gathered { read, bound } => gathered(*read).clamp(0, (*bound as i64 - 1).max(0)),
        }
    }
}

/// The atom that the normal form has for the quotient of an index whose remainder it keeps as it is; `None` when it takes
/// more than one.
fn quotient_atom(index: &Index, divisor: i64) -> Option<Atom> {
    match index.single() {
        Some(Atom::Quotient(inner, by)) => Some(Atom::Quotient(inner.clone(), by * divisor)),
        Some(Atom::Remainder(_, by)) if by % divisor == 0 => None,
        _ => Some(Atom::Quotient(Box::new(index.clone()), divisor)),
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

/// Row-major strides of an array of these extents.
pub fn strides(extents: &[usize]) -> Vec<i64> {
    let mut strides = vec![1; extents.len()];
    for axis in (1..extents.len()).rev() {
        strides[axis - 1] = strides[axis] * extents[axis] as i64;
    }
    strides
}

/// The position in a row-major array of these extents that one index per axis names.
pub fn flatten(index: &[Index], extents: &[usize]) -> Index {
    let mut flat = Index::default();
    for (index, stride) in index.iter().zip(strides(extents)) {
        flat = flat.plus(&index.clone().times(stride));
    }
    flat
}

/// One index per axis of these extents, from the position in the row-major array. `axes` are the extents of the axes that
/// the position is written in.
pub fn unflatten(flat: &Index, extents: &[usize], axes: &[usize]) -> Vec<Index> {
    let mut rest = flat.clone();
    let mut indices = vec![Index::default(); extents.len()];
    for (axis, &extent) in extents.iter().enumerate().rev() {
        let extent = (extent as i64).max(1);
        indices[axis] = if axis == 0 { rest.clone() } else { rest.modulo(extent, axes) };
        rest = rest.divided(extent, axes);
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_reshape_that_splits_an_axis_and_joins_it_again_reads_straight() {
        let axes = [6, 4];
        let flat = flatten(&[Index::axis(0), Index::axis(1)], &axes);
        let split = unflatten(&flat, &[2, 3, 4], &axes);
        let joined = unflatten(&flatten(&split, &[2, 3, 4]), &axes, &axes);
        assert_eq!(split[2], Index::axis(1));
        assert_eq!(joined, [Index::axis(0), Index::axis(1)]);
    }

    #[test]
    fn ranges_cover_negative_coefficients() {
        let index = Index::axis(0).times(-2).plus(&Index::constant(10));
        assert_eq!(index.range(&[6]), (0, 10));
        assert_eq!(index.modulo(16, &[6]), index);
    }

    #[test]
    fn quotients_of_quotients_are_one_quotient() {
        let axes = [100];
        let twice = Index::axis(0).divided(3, &axes).divided(5, &axes);
        assert_eq!(twice, Index::axis(0).divided(15, &axes));
        let inner = Index::axis(0).modulo(15, &axes);
        assert_eq!(inner.modulo(5, &axes), Index::axis(0).modulo(5, &axes));
    }

    #[test]
    fn clamping_leaves_what_is_within_and_cuts_the_rest() {
        let shifted = Index::axis(0).plus(&Index::constant(-2));
        let clamped = shifted.clamped(5, &[9]);
        assert_eq!(clamped, Index::atom(Atom::Clamped(Box::new(shifted.clone()), 5)));
        assert_eq!((clamped.range(&[9]), clamped.stride(0), clamped.stride(1)), ((0, 4), None, Some(0)));
        assert_eq!([0, 1, 2, 6, 8].map(|at| clamped.at(&[at], &|_| 0)), [0, 0, 0, 4, 4]);
        assert_eq!(shifted.clamped(5, &[3]), Index::constant(0));
        assert_eq!(Index::axis(0).plus(&Index::constant(4)).clamped(5, &[3]), Index::constant(4));
        // Over another axis that stays within, nothing is cut.
        assert_eq!(clamped.substitute(&[Index::axis(0).plus(&Index::constant(2))], &[5], 0), Index::axis(0));
    }

    #[test]
    fn a_narrow_low_part_leaves_the_division() {
        // Axis 1 fills the steps of axis 0, so only axis 0 decides the quotient.
        let axes = [6, 4];
        let index = Index::axis(0).times(4).plus(&Index::axis(1));
        assert_eq!(index.divided(8, &axes), Index::axis(0).divided(2, &axes));
        assert_eq!(index.divided(8, &axes).times(8).plus(&index.modulo(8, &axes)), index);
    }

    /// A reshape is an array of other extents with as many elements; a chain of them that ends where it began must read
    /// straight, whatever lies between.
    fn chain() -> impl Strategy<Value = (Vec<usize>, Vec<Vec<usize>>)> {
        let factors = prop::collection::vec(prop::sample::select(vec![1usize, 2, 3, 4, 5]), 1..5);
        (factors, prop::collection::vec((any::<u64>(), any::<u64>()), 1..4)).prop_map(|(factors, choices)| {
            let reshape = |(order, cuts): (u64, u64)| {
                let mut pool = factors.clone();
                let mut shape = vec![1];
                for step in 0..factors.len() {
                    let factor = pool.remove((order >> (4 * step)) as usize % pool.len());
                    match (cuts >> step) & 1 {
                        0 => *shape.last_mut().expect("a shape starts with one axis") *= factor,
                        _ => shape.push(factor),
                    }
                }
                shape
            };
            (factors.clone(), choices.into_iter().map(reshape).collect())
        })
    }

    proptest! {
        #[test]
        fn reshapes_keep_the_position((axes, shapes) in chain()) {
            let mut index: Vec<Index> = (0..axes.len()).map(Index::axis).collect();
            let mut extents = axes.clone();
            for shape in shapes {
                index = unflatten(&flatten(&index, &extents), &shape, &axes);
                extents = shape;
            }
            let flat = flatten(&index, &extents);
            let straight = flatten(&(0..axes.len()).map(Index::axis).collect::<Vec<_>>(), &axes);
            for position in 0..axes.iter().product::<usize>() {
                let point: Vec<usize> = unflatten(&Index::constant(position as i64), &axes, &[])
                    .iter()
                    .map(|index| index.offset as usize)
                    .collect();
                prop_assert_eq!(straight.at(&point, &|_| 0), position as i64);
                prop_assert_eq!(flat.at(&point, &|_| 0), position as i64);
            }
        }

        #[test]
        fn division_agrees_with_arithmetic(
            coefficients in prop::collection::vec(-6i64..12, 2),
            offset in 0i64..9,
            first in 1i64..9,
            second in 1i64..9,
        ) {
            let axes = [5, 7];
            let lowest: i64 = coefficients.iter().zip(axes).map(|(c, e)| (c * (e as i64 - 1)).min(0)).sum();
            let mut index = Index::constant(offset - lowest);
            for (axis, &coefficient) in coefficients.iter().enumerate() {
                index = index.plus(&Index::axis(axis).times(coefficient));
            }
            let (quotient, remainder) = (index.divided(first, &axes), index.modulo(first, &axes));
            let (again, rest) = (remainder.divided(second, &axes), quotient.modulo(second, &axes));
            let whole = quotient.clone().times(first).plus(&remainder);
            for a in 0..axes[0] {
                for b in 0..axes[1] {
                    let at = |index: &Index| index.at(&[a, b], &|_| 0);
                    let value = at(&index);
                    prop_assert_eq!(at(&quotient), value / first);
                    prop_assert_eq!(at(&remainder), value % first);
                    prop_assert_eq!(at(&again), value % first / second);
                    prop_assert_eq!(at(&rest), value / first % second);
                    prop_assert_eq!(at(&whole), value);
                }
            }
        }
    }
}
