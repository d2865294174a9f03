//! The results of a step on their way from a device: what every run shows is copied into pinned memory with the launches,
//! gradients when someone asks for them.

use super::Cuda;
use super::buffer::{Buffer, pinned};
use crate::device::arguments::result_offsets;
use crate::error::Error;
use crate::memory::{Memory, padded};
use cudarc::driver::CudaStream;
use std::sync::{Arc, OnceLock};
use tapeless_compiler::graph::Role;
use tapeless_compiler::plan::Plan;

/// Where results lie on both sides.
pub(super) struct Results {
    copies: Vec<Copy>,
    /// What every run shows.
    shown: Memory,
    /// The gradients of the last run, if someone asked.
    gradients: OnceLock<Memory>,
    gradient_bytes: usize,
}

/// A result.
struct Copy {
    is_gradient: bool,
    /// The first byte in the workspace.
    from: usize,
    /// The first byte among the results that are shown, or among the gradients.
    to: usize,
    bytes: usize,
}

impl Results {
    /// Places for the results of a plan, or what is wrong with the plan.
    pub(super) fn new(cuda: &Arc<Cuda>, plan: &Plan) -> Result<Result<Results, String>, Error> {
        let offsets = match result_offsets(plan) {
            Ok(offsets) => offsets,
            Err(reason) => return Ok(Err(reason)),
        };
        let (mut copies, mut shown, mut gradients) = (Vec::new(), 0, 0);
        for (result, from) in plan.results.iter().zip(offsets) {
            let buffer = &plan.buffers[result.buffer.0];
            let is_gradient = matches!(result.role, Role::Gradient { .. });
            let end = if is_gradient { &mut gradients } else { &mut shown };
            let bytes = buffer.elements * buffer.dtype.size();
            copies.push(Copy { is_gradient, from, to: *end, bytes });
            *end += padded(bytes);
        }
        let shown = pinned(cuda, shown)?;
        Ok(Ok(Results { copies, shown, gradients: OnceLock::new(), gradient_bytes: gradients }))
    }

    /// Where a result begins.
    pub(super) fn offset(&self, result: usize) -> usize {
        self.copies[result].to
    }

    /// What the last run shows.
    pub(super) fn shown(&self) -> &Memory {
        &self.shown
    }

    /// Puts copies of what every run shows into a stream.
    ///
    /// # Safety
    /// The results are not looked at until the stream has run the copies, and the workspace stays so long.
    pub(super) unsafe fn enqueue(&mut self, workspace: &Buffer, stream: &CudaStream) -> Result<(), Error> {
        for copy in self.copies.iter().filter(|copy| !copy.is_gradient && copy.bytes > 0) {
            // SAFETY: the caller vouches for it; the pinned memory belongs to `self`.
            unsafe { workspace.enqueue_download(&mut self.shown, copy.to, copy.from..copy.from + copy.bytes, stream)? }
        }
        Ok(())
    }

    /// Forgets the gradients of the last run.
    pub(super) fn forget(&mut self) {
        self.gradients.take();
    }

    /// The gradients of the last run, which has ended.
    pub(super) fn gradients(&self, workspace: &Buffer) -> Result<&Memory, Error> {
        if let Some(gradients) = self.gradients.get() {
            return Ok(gradients);
        }
        let cuda = workspace.cuda();
        cuda.bind()?;
        let mut gradients = Memory::zeroed(self.gradient_bytes)?;
        let mut copied = Ok(());
        for copy in self.copies.iter().filter(|copy| copy.is_gradient && copy.bytes > 0) {
            let bytes = copy.from..copy.from + copy.bytes;
            // SAFETY: the copies are waited for below, whatever fails.
            copied = copied
                .and_then(|()| unsafe { workspace.enqueue_download(&mut gradients, copy.to, bytes, &cuda.stream) });
        }
        let waited = cuda.wait(&cuda.stream);
        copied.and(waited)?;
        Ok(self.gradients.get_or_init(|| gradients))
    }
}
