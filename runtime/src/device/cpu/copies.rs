//! How fast the processor copies within its memory.

use super::threads;
use crate::error::Error;
use crate::memory::Memory;
use std::thread;
use std::time::Instant;

/// A thread copies at least so many bytes: fewer take no longer than to start it.
const LEAST: usize = 1 << 22;

/// How many seconds each of so many copies took of an array of so many bytes to another one, after one that does not count.
/// As many threads share a copy as there are processors.
pub(in crate::device) fn time_copies(bytes: usize, copies: usize) -> Result<Vec<f64>, Error> {
    let [mut from, mut to] = [Memory::zeroed(bytes)?, Memory::zeroed(bytes)?];
    // Memory that nobody has written may be one page of zeros.
    from.slice_mut::<u8>(0, bytes).fill(1);
    let piece = bytes.div_ceil(threads(0).min(bytes / LEAST).max(1)).max(1);
    let mut time = || {
        let start = Instant::now();
        let pieces = from.slice::<u8>(0, bytes).chunks(piece).zip(to.slice_mut::<u8>(0, bytes).chunks_mut(piece));
        thread::scope(|scope| {
            let mut pieces = pieces;
            let own = pieces.next();
            pieces.for_each(|(from, to)| drop(scope.spawn(|| to.copy_from_slice(from))));
            own.into_iter().for_each(|(from, to)| to.copy_from_slice(from));
        });
        start.elapsed().as_secs_f64()
    };
    time();
    Ok((0..copies).map(|_| time()).collect())
}
