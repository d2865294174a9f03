//! Which drafts may run over axes that they share, and which axes of theirs these are.

use super::cluster::is_contraction;
use crate::nest::{Index, Nest, Read, Reducer};

/// How many sums over rows a block of threads has.
const MOST_COLUMNS: usize = 4096;

/// What drafts of a cluster share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The leading axes.
    Rows,
    /// All axes.
    Siblings,
}

/// Whether the leading positions are those of the axes.
pub(super) fn straight(index: &[Index], axes: &[usize]) -> bool {
    index.len() >= axes.len() && axes.iter().zip(index).all(|(&axis, index)| *index == Index::axis(axis))
}

/// Which axes of a nest the shared ones may be, and whether it then sums up along them.
pub(super) fn mappings(nest: &Nest, shared: &[usize], kind: Kind) -> Vec<(Vec<usize>, bool)> {
    if nest.extents.contains(&0) || is_contraction(nest) || nest.reducer == Some(Reducer::ArgMax) {
        return Vec::new();
    }
    let leading = shared.len() <= nest.outputs && nest.extents[..shared.len()] == *shared;
    if kind == Kind::Siblings {
        let whole = nest.reducer.is_none() && nest.extents == shared;
        return whole.then(|| ((0..shared.len()).collect(), false)).into_iter().collect();
    }
    let own = (leading && !reduces_across(nest, shared.len())).then(|| ((0..shared.len()).collect(), false));
    own.into_iter().chain(summed(nest, shared).map(|axes| (axes, true))).collect()
}

/// Whether a block of threads runs over the rows of a nest: in a row it has elements or one value, and sums over rows have a
/// column for each element that is read of a row, all of which registers hold.
pub(super) fn fits_a_block(nest: &Nest, axes: &[usize], sums: bool) -> bool {
    let own = |range: std::ops::Range<usize>| -> usize {
        range.filter(|axis| !axes.contains(axis)).map(|axis| nest.extents[axis]).product()
    };
    let (outputs, reductions) = (own(0..nest.outputs), own(nest.outputs..nest.extents.len()));
    let row = |read: &Read| -> usize {
        let used = |axis: &usize| !axes.contains(axis) && read.index.iter().any(|index| index.uses(*axis));
        (0..nest.extents.len()).filter(used).map(|axis| nest.extents[axis]).product()
    };
    let rows = || nest.reads.iter().filter(|read| read.index.len() > axes.len());
    let columns = || rows().all(|read| straight(&read.index, axes)) && rows().any(|read| row(read) >= outputs);
    outputs.min(reductions) <= 1 && (!sums || outputs == 1 || outputs <= MOST_COLUMNS && columns())
}

/// Whether there is anything to do within one turn of the shared axes but a single value.
pub(super) fn has_rows(nest: &Nest, shared: &[usize]) -> bool {
    nest.extents.iter().product::<usize>() > shared.iter().product()
}

/// Whether what a nest reduces lies side by side along the shared axes and apart along its own: one turn after the other, it
/// would read a whole line for each value. In lanes along the shared axes it reads each line once.
fn reduces_across(nest: &Nest, shared: usize) -> bool {
    let uses =
        |index: &Index, mut axes: std::ops::Range<usize>| axes.any(|axis| nest.extents[axis] > 1 && index.uses(axis));
    let all = nest.extents.len();
    nest.reads.iter().any(|read| match read.index.split_last() {
        Some((last, others)) => {
            uses(last, 0..shared)
                && !uses(last, shared..all)
                && others.iter().any(|index| uses(index, nest.outputs..all))
        }
        None => false,
    })
}

/// The reduction axes that stand first wherever the nest reads something that begins with the shared extents.
fn summed(nest: &Nest, shared: &[usize]) -> Option<Vec<usize>> {
    let plain = nest.reducer == Some(Reducer::Sum) && nest.epilogue.is_none() && nest.dtype.computed() == nest.dtype;
    let axes = nest.reads.iter().find_map(|read| {
        let axis = |(index, &extent): (&Index, &usize)| {
            (nest.outputs..nest.extents.len()).find(|&axis| nest.extents[axis] == extent && *index == Index::axis(axis))
        };
        let axes: Option<Vec<usize>> = read.index.iter().zip(shared).map(axis).collect();
        axes.filter(|axes| axes.len() == shared.len())
    });
    axes.filter(|_| plain)
}
