//! The proof that a kernel stores each element at most once.
//!
//! Enters: the stores of one kernel with the loops around them. Two runs of stores meet where the difference of their
//! positions is 0, so the proof is that a linear equation over bounded whole numbers has no solution. The search is exact and
//! short for positions in an array: large coefficients leave few choices for the small ones. It gives up after a budget, and
//! then the proof fails.

use super::LoopId;
use crate::nest::{Atom, Index};

/// A store as the proof sees it.
#[derive(Clone, Debug)]
pub struct Site {
    /// The position.
    pub index: Index,
    /// The loops around the store with their extents, outermost first; none is empty.
    pub loops: Vec<(LoopId, usize)>,
}

/// Whether two accesses to one array, each with the loops around it, are shown to be of different elements always.
pub fn never_meet(first: (&Index, &[(LoopId, usize)]), second: (&Index, &[(LoopId, usize)])) -> bool {
    let site = |(index, loops): (&Index, &[(LoopId, usize)])| Site { index: index.clone(), loops: loops.to_vec() };
    site(first).apart(&site(second))
}

/// How often a store runs.
pub(super) fn runs(site: &Site) -> usize {
    site.loops.iter().map(|&(_, extent)| extent).product()
}

/// Whether no two runs of these stores, all into one array, are shown to meet nowhere.
pub(super) fn disjoint(sites: &[Site]) -> bool {
    let sites = neighbours(sites);
    let each = sites.iter().all(Site::injective);
    each && sites.iter().enumerate().all(|(at, first)| sites[..at].iter().all(|second| first.apart(second)))
}

/// The same stores, where those that follow each other in place as in order are one in a loop of their own.
fn neighbours(sites: &[Site]) -> Vec<Site> {
    let follows = |one: &Site, next: &Site| {
        next.index.offset == one.index.offset + 1 && next.index.terms == one.index.terms && next.loops == one.loops
    };
    let joined = |stores: &[Site]| {
        let mut site = stores[0].clone();
        if stores.len() > 1 {
            // No loop of a kernel has this number.
            site.index = site.index.plus(&Index::axis(usize::MAX));
            site.loops.push((LoopId(usize::MAX), stores.len()));
        }
        site
    };
    sites.chunk_by(follows).map(joined).collect()
}

/// A summand `coefficient * x` where x is a whole number from `low` to `high`.
#[derive(Clone, Copy, Debug)]
struct Summand {
    coefficient: i64,
    low: i64,
    high: i64,
}

impl Site {
    /// The factor of each loop in the position; `None` when the position is more than a sum of loop counters.
    fn coefficients(&self) -> Option<Vec<i64>> {
        let plain = self.index.terms.iter().all(|term| matches!(term.atom, Atom::Axis(_)));
        plain.then(|| self.loops.iter().filter_map(|(id, _)| self.index.stride(id.0)).collect())
    }

    /// Whether no two iterations of the loops around the store have the same position.
    fn injective(&self) -> bool {
        let Some(coefficients) = self.coefficients() else { return false };
        (0..self.loops.len()).all(|differs| {
            let summand = |(at, &(_, extent)): (usize, &(LoopId, usize))| {
                let high = extent as i64 - 1;
                Summand { coefficient: coefficients[at], low: if at == differs { 1 } else { -high }, high }
            };
            // Counters that come before `differs` are free as well: what matters is that this one differs.
            self.loops[differs].1 < 2 || unsolvable(self.loops.iter().enumerate().map(summand).collect(), 0)
        })
    }

    /// Whether no two different iterations of a loop around both, given by its digits, have the same position, whatever the
    /// loops inside do.
    pub(super) fn apart_along(&self, other: &Site, digits: &[(LoopId, usize)]) -> bool {
        let (Some(mine), Some(theirs)) = (self.coefficients(), other.coefficients()) else {
            return digits.len() == 1 && self.parted_along(other, digits[0].0);
        };
        let target = other.index.offset - self.index.offset;
        let first = digits[0].0;
        let at = self.loops.iter().position(|&(id, _)| id == first).expect("the loop is around both");
        let end = at + digits.len();
        if mine[..end] != theirs[..end] {
            return false;
        }
        let inner = |site: &Site, coefficients: &[i64], sign: i64| -> Vec<Summand> {
            let inner = site.loops.iter().zip(coefficients).skip(end);
            inner.map(|(&(_, extent), c)| Summand { coefficient: sign * c, low: 0, high: extent as i64 - 1 }).collect()
        };
        // The loops outside of it are at the same place, and the distance of some digit is at least 1, either way.
        (at..end).filter(|&differs| self.loops[differs].1 > 1).all(|differs| {
            [1, -1].into_iter().all(|sign| {
                let mut summands = inner(self, &mine, 1);
                summands.extend(inner(other, &theirs, -1));
                summands.extend((at..end).map(|digit| {
                    let high = self.loops[digit].1 as i64 - 1;
                    let low = if digit == differs { 1 } else { -high };
                    Summand { coefficient: sign * mine[digit], low, high }
                }));
                unsolvable(summands, target)
            })
        })
    }

    /// Whether each iteration of the outermost loop, which is around both, has a part of the array for itself.
    fn parted_along(&self, other: &Site, along: LoopId) -> bool {
        let outermost = self.loops.first().is_some_and(|&(id, _)| id == along);
        let strides = (self.index.stride(along.0), other.index.stride(along.0));
        let (true, (Some(stride), Some(same))) = (outermost, strides) else { return false };
        let place = |site: &Site| {
            let mut extents = vec![1; site.loops.iter().map(|(id, _)| id.0 + 1).max().unwrap_or(0)];
            site.loops.iter().for_each(|&(id, extent)| extents[id.0] = extent);
            site.index.clone().plus(&Index::axis(along.0).times(-stride)).range(&extents)
        };
        let (mine, theirs) = (place(self), place(other));
        stride == same && mine.1.max(theirs.1) - mine.0.min(theirs.0) < stride.abs()
    }

    /// Whether no run of one store meets a run of the other.
    fn apart(&self, other: &Site) -> bool {
        let (Some(mine), Some(theirs)) = (self.coefficients(), other.coefficients()) else { return false };
        let mut summands = Vec::new();
        for (&(_, extent), coefficient) in self.loops.iter().zip(mine) {
            summands.push(Summand { coefficient, low: 0, high: extent as i64 - 1 });
        }
        for (&(_, extent), coefficient) in other.loops.iter().zip(theirs) {
            summands.push(Summand { coefficient, low: 1 - extent as i64, high: 0 });
        }
        unsolvable(summands, other.index.offset - self.index.offset)
    }
}

/// Whether the summands never add up to the target.
fn unsolvable(summands: Vec<Summand>, target: i64) -> bool {
    let mut merged: Vec<Summand> = Vec::new();
    for mut summand in summands {
        if summand.coefficient < 0 {
            summand = Summand { coefficient: -summand.coefficient, low: -summand.high, high: -summand.low };
        }
        match merged.iter_mut().find(|other| other.coefficient == summand.coefficient) {
            Some(other) => {
                other.low += summand.low;
                other.high += summand.high;
            }
            None => merged.push(summand),
        }
    }
    merged.retain(|summand| summand.coefficient != 0);
    merged.sort_unstable_by_key(|summand| -summand.coefficient);
    let mut budget = 10_000;
    search(&merged, target, &mut budget) == Some(false)
}

/// Whether the summands, largest coefficient first, can add up to the target; `None` when the budget is spent.
fn search(summands: &[Summand], target: i64, budget: &mut usize) -> Option<bool> {
    let Some((first, rest)) = summands.split_first() else { return Some(target == 0) };
    let low: i64 = rest.iter().map(|summand| summand.coefficient * summand.low).sum();
    let high: i64 = rest.iter().map(|summand| summand.coefficient * summand.high).sum();
    let divisor = first.coefficient;
    let least = first.low.max((target - high + divisor - 1).div_euclid(divisor));
    let most = first.high.min((target - low).div_euclid(divisor));
    for choice in least..=most {
        *budget = budget.checked_sub(1)?;
        if search(rest, target - divisor * choice, budget)? {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(terms: &[(i64, usize)], offset: i64) -> Site {
        let mut index = Index::constant(offset);
        for (id, &(coefficient, _)) in terms.iter().enumerate() {
            index = index.plus(&Index::axis(id).times(coefficient));
        }
        Site { index, loops: terms.iter().enumerate().map(|(id, &(_, extent))| (LoopId(id), extent)).collect() }
    }

    #[test]
    fn row_major_positions_are_distinct() {
        assert!(disjoint(&[site(&[(12, 5), (4, 3), (1, 4)], 0)]));
        assert!(!disjoint(&[site(&[(11, 5), (4, 3), (1, 4)], 0)]));
        assert!(!disjoint(&[site(&[(4, 3), (0, 2)], 0)]));
        assert!(disjoint(&[site(&[(4, 3), (0, 1)], 0)]));
    }

    #[test]
    fn unrolled_copies_and_leftovers_are_apart() {
        // Rows 2i, 2i + 1 and the last row of 7, with 5 columns.
        let sites = [site(&[(10, 3), (1, 5)], 0), site(&[(10, 3), (1, 5)], 5), site(&[(0, 1), (1, 5)], 30)];
        assert!(disjoint(&sites));
        assert!(!disjoint(&[site(&[(10, 4), (1, 5)], 0), site(&[(0, 1), (1, 5)], 30)]));
        assert!(!disjoint(&[site(&[(2, 3)], 0), site(&[(2, 3)], 2)]));
        assert!(disjoint(&[site(&[(2, 3)], 0), site(&[(2, 3)], 1)]));
    }

    #[test]
    fn copies_side_by_side_are_one_store() {
        let copies = |count: i64| (0..count).map(|offset| site(&[(4, 3)], offset)).collect::<Vec<Site>>();
        assert!(disjoint(&copies(4)));
        assert!(!disjoint(&copies(5)));
        assert_eq!(neighbours(&copies(4)).len(), 1);
        assert!(disjoint(&[copies(2), vec![site(&[(4, 3)], 2)]].concat()));
        assert!(!disjoint(&[copies(2), vec![site(&[(4, 3)], 1)]].concat()));
    }
}
