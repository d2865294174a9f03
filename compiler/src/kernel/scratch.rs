//! The proof that a kernel loads from scratch only what it has stored before.
//!
//! Enters, loop by loop in the order of the kernel: the stores into one scratch array. Where those of a loop that do not
//! depend on the loops around it are shown to be as many different elements as lie between the first and the last of them,
//! all of these are there from then on.

use super::LoopId;
use super::writers::{Site, disjoint, runs};
use crate::nest::Index;

/// What is known of a scratch array at a place in a kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct Filled {
    /// Rows of elements that have been stored; no two with the same stride touch.
    rows: Vec<Row>,
    /// The loads in the lanes loop or the parallel loop around the place.
    pub(super) loads: Vec<Site>,
}

/// Neighbouring elements, counted from where an iteration of the parallel loop around them has its part of the array.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// How far the parts of two neighbouring iterations are apart; 0 if there are no parts.
    stride: i64,
    first: i64,
    last: i64,
}

impl Filled {
    /// Whether all elements that an index may name have been stored.
    pub(super) fn holds(&self, index: &Index, parallel: Option<LoopId>, extents: &[usize]) -> bool {
        let (stride, inner) = in_part(index, parallel);
        let whole = [(0, index.range(extents)), (stride, inner.range(extents))];
        whole.into_iter().any(|(stride, (first, last))| self.has(Row { stride, first, last }))
    }

    fn has(&self, row: Row) -> bool {
        let around = |known: &Row| known.stride == row.stride && known.first <= row.first && row.last <= known.last;
        self.rows.iter().any(around)
    }

    /// Whether all of so many elements have been stored.
    pub(super) fn is_full(&self, elements: usize) -> bool {
        self.has(Row { stride: 0, first: 0, last: elements as i64 - 1 })
    }

    /// Notes that all of so many elements have been stored.
    pub(super) fn store_all(&mut self, elements: usize) {
        self.rows = vec![Row { stride: 0, first: 0, last: elements as i64 - 1 }];
    }

    /// At the end of a parallel loop, the parts of its iterations are no parts any more.
    pub(super) fn forget_parts(&mut self) {
        self.rows.retain(|row| row.stride == 0);
    }

    /// Notes what a loop has stored that is now left; `loops` are those around it, with the parallel one if it is among them.
    pub(super) fn fill(
        &mut self,
        loops: &[(LoopId, usize)],
        stores: &[Site],
        parallel: Option<LoopId>,
        extents: &[usize],
    ) {
        let inner = |site: &Site| {
            let (stride, index) = in_part(&site.index, parallel);
            (stride, Site { index, loops: site.loops[loops.len()..].to_vec() })
        };
        let mut sites: Vec<(i64, Site)> = stores.iter().map(inner).collect();
        sites.retain(|(_, site)| !loops.iter().any(|(id, _)| site.index.uses(id.0)));
        sites.sort_by_key(|&(stride, _)| stride);
        for together in sites.chunk_by(|one, other| one.0 == other.0) {
            let (stride, sites) = (together[0].0, together.iter().map(|(_, site)| site.clone()).collect::<Vec<_>>());
            if !self.insert(stride, &sites, extents) && sites.len() > 1 {
                sites.chunks(1).for_each(|site| {
                    self.insert(stride, site, extents);
                });
            }
        }
    }

    /// Whether the stores fill a row of elements, which is then noted.
    fn insert(&mut self, stride: i64, sites: &[Site], extents: &[usize]) -> bool {
        let ranges = || sites.iter().map(|site| site.index.range(extents));
        let (Some(low), Some(high)) = (ranges().map(|range| range.0).min(), ranges().map(|range| range.1).max()) else {
            return false;
        };
        let elements = sites.iter().map(runs).sum::<usize>() as i64;
        let mut row = Row { stride, first: low, last: high };
        if self.has(row) {
            return true;
        }
        if high - low + 1 != elements || !disjoint(sites) {
            return false;
        }
        self.rows.retain(|known| {
            let apart = known.stride != stride || known.last + 1 < row.first || row.last + 1 < known.first;
            if !apart {
                row = Row { stride, first: row.first.min(known.first), last: row.last.max(known.last) };
            }
            apart
        });
        self.rows.push(row);
        true
    }

    /// Whether no iteration of a loop that is now left, given by its digits, stores what another one stores, or loads from the
    /// given load on.
    pub(super) fn keeps_apart(&self, digits: &[(LoopId, usize)], stores: &[Site], from: usize) -> bool {
        let others = || stores.iter().chain(&self.loads[from..]);
        stores.iter().all(|store| others().all(|other| store.apart_along(other, digits)))
    }
}

/// The place in the part of an array that an iteration of a parallel loop has for itself, and how far such parts are apart.
fn in_part(index: &Index, parallel: Option<LoopId>) -> (i64, Index) {
    match parallel.and_then(|id| Some((id, index.stride(id.0)?))) {
        Some((id, stride)) => (stride, index.clone().plus(&Index::axis(id.0).times(-stride))),
        None => (0, index.clone()),
    }
}
