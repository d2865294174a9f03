//! The proof that a kernel loads from scratch only what it has stored before.
//!
//! Enters, loop by loop in the order of the kernel: the stores into one scratch array. Where those of a loop that do not
//! depend on the loops around it are shown to be as many different elements as lie between the first and the last of them,
//! all of these are there from then on.

use super::LoopId;
use super::writers::{Site, disjoint, runs};

/// What is known of a scratch array at a place in a kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct Filled {
    /// First and last position of each row of elements that have been stored; no two touch.
    rows: Vec<(i64, i64)>,
    /// The loads in the lanes loop or the parallel loop around the place.
    pub(super) loads: Vec<Site>,
}

impl Filled {
    /// Whether all elements of a row have been stored.
    pub(super) fn holds(&self, low: i64, high: i64) -> bool {
        self.rows.iter().any(|&(first, last)| first <= low && high <= last)
    }

    /// Notes what a loop has stored that is now left; `loops` are those around it.
    pub(super) fn fill(&mut self, loops: &[(LoopId, usize)], stores: &[Site], extents: &[usize]) {
        let inner = |site: &Site| Site { index: site.index.clone(), loops: site.loops[loops.len()..].to_vec() };
        let free = |site: &&Site| !loops.iter().any(|(id, _)| site.index.uses(id.0));
        let sites: Vec<Site> = stores.iter().filter(free).map(inner).collect();
        if !self.insert(&sites, extents) && sites.len() > 1 {
            sites.chunks(1).for_each(|site| {
                self.insert(site, extents);
            });
        }
    }

    /// Whether the stores fill a row of elements, which is then noted.
    fn insert(&mut self, sites: &[Site], extents: &[usize]) -> bool {
        let ranges = || sites.iter().map(|site| site.index.range(extents));
        let (Some(low), Some(high)) = (ranges().map(|range| range.0).min(), ranges().map(|range| range.1).max()) else {
            return false;
        };
        let elements = sites.iter().map(runs).sum::<usize>() as i64;
        if self.holds(low, high) {
            return true;
        }
        if high - low + 1 != elements || !disjoint(sites) {
            return false;
        }
        let mut row = (low, high);
        self.rows.retain(|&(first, last)| {
            let apart = last + 1 < row.0 || row.1 + 1 < first;
            if !apart {
                row = (row.0.min(first), row.1.max(last));
            }
            apart
        });
        self.rows.push(row);
        true
    }

    /// Whether no iteration of a loop that is now left stores what another one stores, or loads from the given load on.
    pub(super) fn keeps_apart(&self, id: LoopId, stores: &[Site], from: usize) -> bool {
        let others = || stores.iter().chain(&self.loads[from..]);
        stores.iter().all(|store| others().all(|other| store.apart_along(other, id)))
    }
}
