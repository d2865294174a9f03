//! Offsets: where buffers that are alive for a while lie in one piece of memory.
//!
//! The largest is placed first; each goes into the smallest gap that is free for all its life, or behind everything that is
//! in the way.

/// All offsets and sizes are multiples of this many bytes.
pub const ALIGNMENT: usize = 64;

/// When a buffer is needed, and how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LiveRange {
    /// The launch that writes it.
    pub first: usize,
    /// The last launch that reads it.
    pub last: usize,
    /// Its size, a multiple of [`ALIGNMENT`].
    pub bytes: usize,
}

impl LiveRange {
    fn meets(&self, other: &LiveRange) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// The size that a buffer takes.
pub(super) fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT)
}

/// One offset per range, and the size of the whole.
pub(super) fn place(ranges: &[LiveRange]) -> (Vec<usize>, usize) {
    let mut by_size: Vec<usize> = (0..ranges.len()).collect();
    by_size.sort_by_key(|&at| (std::cmp::Reverse(ranges[at].bytes), at));
    let mut offsets = vec![0; ranges.len()];
    let mut placed: Vec<usize> = Vec::new();
    for at in by_size {
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&other| ranges[other].meets(&ranges[at]))
            .map(|&other| (offsets[other], offsets[other] + ranges[other].bytes))
            .collect();
        taken.sort();
        offsets[at] = best_gap(&taken, ranges[at].bytes);
        placed.push(at);
    }
    let end = ranges.iter().zip(&offsets).map(|(range, offset)| offset + range.bytes).max().unwrap_or(0);
    (offsets, end)
}

/// The start of the smallest gap between taken pieces that holds so many bytes; behind the last one if none does.
fn best_gap(taken: &[(usize, usize)], bytes: usize) -> usize {
    let mut end = 0;
    let mut best: Option<(usize, usize)> = None;
    for &(start, stop) in taken {
        let gap = start.saturating_sub(end);
        if gap >= bytes && best.is_none_or(|(smallest, _)| gap < smallest) {
            best = Some((gap, end));
        }
        end = end.max(stop);
    }
    best.map_or(end, |(_, start)| start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: usize, last: usize, bytes: usize) -> LiveRange {
        LiveRange { first, last, bytes }
    }

    #[test]
    fn a_chain_needs_two_buffers_only() {
        let chain: Vec<LiveRange> = (0..10).map(|at| range(at, at + 1, 128)).collect();
        let (offsets, bytes) = place(&chain);
        assert_eq!(bytes, 256);
        assert!(offsets.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn the_smallest_gap_is_taken() {
        assert_eq!(best_gap(&[(64, 128), (320, 384), (448, 512)], 64), 0);
        assert_eq!(best_gap(&[(0, 128), (320, 384), (448, 512)], 64), 384);
        assert_eq!(best_gap(&[(0, 128), (320, 384), (448, 512)], 128), 128);
        assert_eq!(best_gap(&[(0, 128), (320, 384), (448, 512)], 256), 512);
    }

    #[test]
    fn buffers_that_live_together_lie_apart() {
        let ranges = [range(0, 9, 64), range(1, 2, 192), range(2, 5, 128), range(4, 6, 192), range(6, 9, 320)];
        let (offsets, bytes) = place(&ranges);
        for (a, x) in ranges.iter().enumerate() {
            for (b, y) in ranges.iter().enumerate().take(a) {
                let apart = offsets[a] + x.bytes <= offsets[b] || offsets[b] + y.bytes <= offsets[a];
                assert!(apart || !x.meets(y), "{a} and {b} at {offsets:?}");
            }
        }
        // The two that are alive at launch 6, and the first one: nothing less would do.
        assert_eq!(bytes, 64 + 192 + 320);
    }
}
