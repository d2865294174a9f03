//! Loops whose counters are taken apart by division.
//!
//! A kernel enters; which loops fall into digits leaves. Where positions name quotients and remainders of a counter by numbers
//! that divide each other and the extent, the counter is a number of several digits, each of which is as good as a loop of
//! its own: positions are then sums again, which is what proofs are about.

use super::writers::Site;
use super::{Expression, Kernel, LoopId, Statement, Usage};
use crate::nest::{Atom, Index};

/// The loops of a kernel by digits.
#[derive(Clone, Debug)]
pub struct Digits {
    /// What each counter is made of.
    counters: Vec<Index>,
    /// The digits of each loop with their extents, the one that counts most first.
    loops: Vec<Vec<(LoopId, usize)>>,
    /// The extents of all loops and all digits.
    extents: Vec<usize>,
    /// What is known to be below a bound, with the bound and the loop that stands for it.
    bounded: Vec<(Index, usize, LoopId)>,
}

impl Digits {
    /// The digits of a kernel's loops; a loop that does not fall apart is its own digit.
    pub fn new(kernel: &Kernel) -> Digits {
        let mut extents = vec![1; kernel.loops];
        let mut divisors: Vec<Vec<i64>> = vec![Vec::new(); kernel.loops];
        collect(kernel, &kernel.body, &mut extents, &mut divisors);
        let (counters, loops, bounded) = (Vec::new(), Vec::new(), Vec::new());
        let mut digits = Digits { counters, loops, extents: extents.clone(), bounded };
        for (id, divisors) in divisors.into_iter().enumerate() {
            digits.split(LoopId(id), extents[id], divisors);
        }
        digits
    }

    /// The extents of loops and digits.
    pub fn extents(&self) -> &[usize] {
        &self.extents
    }

    /// A position in digits.
    pub fn index(&self, index: &Index) -> Index {
        index.substitute(&self.counters, &self.extents, 0)
    }

    /// The digits of a loop with their extents.
    pub fn of(&self, id: LoopId) -> &[(LoopId, usize)] {
        &self.loops[id.0]
    }

    /// The digits of several loops.
    pub fn of_all(&self, loops: &[(LoopId, usize)]) -> Vec<(LoopId, usize)> {
        loops.iter().flat_map(|(id, _)| self.of(*id)).copied().collect()
    }

    /// One more loop, which no statement runs.
    pub fn further(&mut self, extent: usize) -> LoopId {
        self.extents.push(extent);
        LoopId(self.extents.len() - 1)
    }

    /// A position in digits, with the loops around it, where some indices are below their bounds. Where the digits of such an
    /// index count to it one by one, they are as good as one loop up to the bound, in whose place the position has them.
    pub fn within(&mut self, position: &Index, loops: &[(LoopId, usize)], bounds: &[(Index, usize)]) -> Site {
        let mut site = Site { index: self.index(position), loops: self.of_all(loops) };
        for (index, below) in bounds {
            let index = self.index(index);
            let Some(digits) = counting(&index, &site.loops) else { continue };
            let known = self.bounded.iter().find(|(other, bound, _)| (other, bound) == (&index, below));
            let id = match known {
                Some(&(_, _, id)) => id,
                None => {
                    let id = self.further(*below);
                    self.bounded.push((index.clone(), *below, id));
                    id
                }
            };
            let first = digits.first().and_then(|digit| site.index.stride(digit.0)).unwrap_or(0);
            let replaced = site.index.clone().plus(&index.times(-first)).plus(&Index::axis(id.0).times(first));
            if digits.iter().all(|digit| !replaced.uses(digit.0)) {
                site.index = replaced;
                site.loops.retain(|(id, _)| !digits.contains(id));
                site.loops.push((id, *below));
            }
        }
        site
    }

    fn split(&mut self, id: LoopId, extent: usize, mut divisors: Vec<i64>) {
        divisors.extend([1, extent as i64]);
        divisors.sort_unstable();
        divisors.dedup();
        if extent < 2 || divisors.len() < 3 || divisors.windows(2).any(|pair| pair[1] % pair[0] != 0) {
            self.counters.push(Index::axis(id.0));
            self.loops.push(vec![(id, extent)]);
            return;
        }
        let (mut counter, mut digits) = (Index::default(), Vec::new());
        for pair in divisors.windows(2).rev() {
            let digit = LoopId(self.extents.len());
            self.extents.push((pair[1] / pair[0]) as usize);
            counter = counter.plus(&Index::axis(digit.0).times(pair[0]));
            digits.push((digit, (pair[1] / pair[0]) as usize));
        }
        self.counters.push(counter);
        self.loops.push(digits);
    }
}

/// Finds the extents of loops, and what their counters are divided by in positions that anything is stored to.
fn collect(kernel: &Kernel, statements: &[Statement], extents: &mut [usize], divisors: &mut [Vec<i64>]) {
    for statement in statements {
        match statement {
            Statement::Loop { id, extent, body, .. } => {
                if let Some(known) = extents.get_mut(id.0) {
                    *known = *extent;
                }
                collect(kernel, body, extents, divisors);
            }
            Statement::Let(_, Expression::Load { parameter, .. })
                if kernel.parameters.get(parameter.0).is_none_or(|loaded| loaded.usage == Usage::Read) => {}
            Statement::Let(_, Expression::Load { index, .. })
            | Statement::Store { index, .. }
            | Statement::Accumulate { index, .. } => index.terms.iter().for_each(|term| divide(&term.atom, divisors)),
            Statement::Within { index, body, .. } => {
                index.terms.iter().for_each(|term| divide(&term.atom, divisors));
                collect(kernel, body, extents, divisors);
            }
            Statement::Copy(copy) => copy.index.terms.iter().for_each(|term| divide(&term.atom, divisors)),
            _ => {}
        }
    }
}

/// The loops that an index counts through one by one, from zero, the one that counts least first.
fn counting(index: &Index, loops: &[(LoopId, usize)]) -> Option<Vec<LoopId>> {
    let mut digits: Vec<(i64, LoopId, usize)> = Vec::new();
    for term in &index.terms {
        let Atom::Axis(id) = term.atom else { return None };
        let &(id, extent) = loops.iter().find(|(other, _)| other.0 == id)?;
        digits.push((term.coefficient, id, extent));
    }
    digits.sort_unstable_by_key(|&(coefficient, ..)| coefficient);
    let mut count = 1;
    for &(coefficient, _, extent) in &digits {
        if coefficient != count {
            return None;
        }
        count *= extent as i64;
    }
    (index.offset == 0).then(|| digits.into_iter().map(|(_, id, _)| id).collect())
}

fn divide(atom: &Atom, divisors: &mut [Vec<i64>]) {
    let (Atom::Quotient(inner, by) | Atom::Remainder(inner, by)) = atom else { return };
    let (id, found) = match whole(inner) {
        Some(Atom::Axis(id)) => (*id, vec![*by]),
        Some(Atom::Quotient(inner, first)) => match whole(inner) {
            Some(Atom::Axis(id)) => (*id, vec![*first, first * by]),
            _ => return,
        },
        _ => return,
    };
    if let Some(known) = divisors.get_mut(id) {
        known.extend(found);
    }
}

/// The atom that an index is, if it is nothing else.
fn whole(index: &Index) -> Option<&Atom> {
    match index.terms.as_slice() {
        [term] if term.coefficient == 1 && index.offset == 0 => Some(&term.atom),
        _ => None,
    }
}
