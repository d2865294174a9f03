//! Axes of a contraction that are better for tiles as one.
//!
//! A flat nest enters; the same nest may leave with other output axes. A convolution moves along rows and columns of pixels,
//! and along channels and the positions of a window: each of these is short, and a tile that runs along one of them only is
//! not filled, or its panel is packed for few rows. Joined they take divisions, but only where factors are packed and once
//! for each tile.

use super::contraction::contraction;
use super::flat::Flat;
use super::tiles::{cheapest, columns};
use crate::target::Target;

/// The nest with joined axes, if its tiles are cheaper so.
pub(super) fn joined(flat: &Flat, target: &Target) -> Option<Flat> {
    let contraction = contraction(flat).filter(|_| !target.gpu)?;
    let chains = contraction.own.map(|own| (chain(flat, &own), own));
    let lists = |lists: [&[usize]; 2]| -> Vec<Vec<usize>> {
        lists.into_iter().filter(|list| list.len() > 1).map(<[usize]>::to_vec).collect()
    };
    let [first, second] = &chains;
    let mut candidates = vec![(lists([&first.0, &second.0]), None)];
    for ((chain, own), (other, _)) in [(first, second), (second, first)] {
        // Where a tile holds whole runs of what is written side by side, its lanes may go on in another place.
        let elements: usize = chain.iter().map(|&axis| flat.extents[axis]).product();
        if own.len() > chain.len() && !chain.is_empty() && columns(target).is_multiple_of(elements) {
            let longer = &own[own.len() - chain.len() - 1..];
            let lists = lists([other, longer]);
            candidates.push((lists, Some(())));
        }
    }
    let mut best = (cheapest(flat, target).0, None);
    for (lists, last) in candidates.into_iter().filter(|(lists, _)| !lists.is_empty()) {
        let joined = flat.joining(&lists);
        let (cost, tiles) = cheapest(&joined, target);
        let legal = tiles.is_some_and(|tiles| last.is_none() || tiles.axis + 1 == joined.outputs);
        if legal && cost < best.0 {
            best = (cost, Some(joined));
        }
    }
    best.1
}

/// The last of these axes along which results are written one after the other, as if they were one.
fn chain(flat: &Flat, own: &[usize]) -> Vec<usize> {
    let mut first = own.len().saturating_sub(1);
    let follows = |at: usize| {
        let inner = flat.write.stride(own[at]).map(|stride| stride * flat.extents[own[at]] as i64);
        inner.is_some() && flat.write.stride(own[at - 1]) == inner
    };
    while first > 0 && follows(first) {
        first -= 1;
    }
    own[first..].to_vec()
}
