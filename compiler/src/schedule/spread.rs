//! Spreading work over threads: how many neighbouring positions of an axis are one piece of work.
//!
//! Pieces depend on the work and on nothing else, so that a kernel computes the same however many threads there are. Work is
//! counted in cycles, roughly.

use crate::kernel;
use crate::target::Target;

/// The most pieces.
const PIECES: f64 = 64.0;

/// The most blocks of a GPU that share work.
const BLOCKS: f64 = 512.0;

/// Whether an axis has enough points for lanes, be it those of a part. Threads of a GPU without a point wait, which costs
/// nothing.
pub(super) fn fills(extent: usize, target: &Target) -> bool {
    extent >= if target.gpu { 2 } else { kernel::PART }
}

/// How many steps a lanes loop takes: whole vectors, parts, and single iterations.
pub(super) fn steps(extent: usize, target: &Target) -> [usize; 3] {
    if target.gpu { [extent.div_ceil(target.lanes), 0, 0] } else { kernel::steps(extent, target.lanes) }
}

/// Whether so much work is spread over threads.
pub(super) fn is_worth_it(work: f64, target: &Target) -> bool {
    work >= 2.0 * target.piece as f64
}

/// The size of the pieces that an axis falls into, a multiple of `step`; the last one may be smaller. `None` if all of it is
/// one piece.
pub(super) fn piece(extent: usize, step: usize, work: f64, target: &Target) -> Option<usize> {
    if !is_worth_it(work, target) {
        return None;
    }
    let most = if target.gpu { BLOCKS } else { PIECES };
    let pieces = (work / target.piece as f64).clamp(2.0, most) as usize;
    let largest = (extent / pieces / step).max(1) * step;
    let even = (largest / 2 / step + 1..=largest / step).rev().map(|steps| steps * step);
    let size = even.into_iter().find(|size| extent.is_multiple_of(*size)).unwrap_or(largest);
    (size < extent).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(extent: usize, step: usize, work: f64) -> Option<usize> {
        super::piece(extent, step, work, &Target { piece: 15_000, ..Target::default() })
    }

    #[test]
    fn pieces_are_even_where_they_can_be() {
        assert_eq!(piece(4096, 1, 1e7), Some(64));
        assert_eq!(piece(4100, 1, 1e7), Some(50));
        assert_eq!(piece(4099, 1, 1e7), Some(64));
        assert_eq!(piece(1000, 32, 1e7), Some(32));
    }

    #[test]
    fn little_work_is_one_piece() {
        assert_eq!(piece(4096, 1, 1e4), None);
        assert_eq!(piece(1, 1, 1e9), None);
        assert_eq!(piece(16, 32, 1e9), None);
        assert_eq!(piece(100, 1, 45_000.0), Some(25));
    }
}
