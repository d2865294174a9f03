//! The inputs of a step on their way to a device: collected in pinned memory, copied at once.

use super::Cuda;
use super::buffer::{Buffer, pinned};
use crate::elements::Elements;
use crate::error::Error;
use crate::memory::{Memory, padded};
use cudarc::driver::CudaStream;
use std::sync::Arc;
use tapeless_compiler::graph::Leaf;
use tapeless_compiler::plan::Plan;

/// Places of the inputs on both sides.
pub(super) struct Staged {
    /// The first byte of each leaf, if it is an input.
    offsets: Vec<Option<usize>>,
    bytes: usize,
    host: Memory,
    device: Buffer,
}

impl Staged {
    /// Places for the inputs of a plan.
    pub(super) fn new(cuda: &Arc<Cuda>, plan: &Plan) -> Result<Staged, Error> {
        let (mut offsets, mut bytes) = (vec![None; plan.leaves.len()], 0);
        for (offset, planned) in offsets.iter_mut().zip(&plan.leaves) {
            if matches!(planned.leaf, Leaf::User { .. }) {
                *offset = Some(bytes);
                bytes += padded(planned.shape.iter().product::<usize>() * planned.dtype.size());
            }
        }
        Ok(Staged { offsets, bytes, host: pinned(cuda, bytes)?, device: Buffer::zeroed(cuda, bytes)? })
    }

    /// Every input: its leaf, and where it lies on the device.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, *mut u8)> {
        let place = |(leaf, offset): (usize, &Option<usize>)| Some((leaf, self.device.address((*offset)?)));
        self.offsets.iter().enumerate().filter_map(place)
    }

    /// Takes the elements of an input.
    pub(super) fn set(&mut self, leaf: usize, elements: Elements<'_>) {
        let offset = self.offsets[leaf].expect("only inputs are set");
        elements.store(&mut self.host, offset);
    }

    /// Puts a copy of all inputs to the device into a stream.
    ///
    /// # Safety
    /// Until the stream has run it, no input is set, and no launch outside of the stream uses the inputs.
    pub(super) unsafe fn enqueue(&self, stream: &CudaStream) -> Result<(), Error> {
        if self.bytes == 0 {
            return Ok(());
        }
        // SAFETY: the caller vouches for it, and both sides belong to `self`.
        unsafe { self.device.enqueue_upload(&self.host, 0..self.bytes, stream) }
    }
}
