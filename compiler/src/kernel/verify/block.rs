//! Blocks of threads: a kernel for threads enters; it is refused if no block can run it.

use super::VerifyError;
use crate::kernel::{Kernel, MOST_SHARED_BYTES, MOST_THREADS, SHARED_BYTES, WARP};

/// Whether there are blocks of so many threads, with memory for the local arrays.
pub(super) fn fits(kernel: &Kernel) -> Result<(), VerifyError> {
    let Some(threads) = kernel.threads else { return Ok(()) };
    let local = kernel.local_offsets().1;
    let most = if kernel.fragments.is_empty() { SHARED_BYTES } else { MOST_SHARED_BYTES };
    match threads.is_power_of_two() && (WARP..=MOST_THREADS).contains(&threads) {
        false => Err(VerifyError::Threads(threads)),
        true if local > most => Err(VerifyError::Shared(local)),
        true => Ok(()),
    }
}
