//! Storage on a CUDA device with a copy on the host.
//!
//! The device's side is what counts while the device works. The copy is taken when the host asks for it, of all arrays at once,
//! and goes stale when a step writes. Its last state is kept: it is what there is when the device is lost, and it is all of
//! one moment.

use super::Cuda;
use super::buffer::Buffer;
use crate::error::Error;
use crate::memory::Memory;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Arrays on a device, and what the host knows of them.
#[derive(Debug)]
pub(crate) struct Mirror {
    buffer: Buffer,
    /// A copy of what the device has.
    copy: OnceLock<Memory>,
    /// The last copy before a step wrote, if there is none that is newer.
    last: Option<Memory>,
}

impl Mirror {
    /// Arrays that begin as the memory.
    pub(crate) fn new(cuda: &Arc<Cuda>, memory: Memory) -> Result<Mirror, Error> {
        let buffer = Buffer::zeroed(cuda, memory.bytes())?;
        buffer.upload(&memory, 0..memory.bytes())?;
        Ok(Mirror { buffer, copy: OnceLock::from(memory), last: None })
    }

    /// The arrays as the device has them, or had them if it is lost.
    pub(crate) fn read(&self) -> Result<&Memory, Error> {
        if let Some(copy) = self.copy.get() {
            return Ok(copy);
        }
        match (self.downloaded(), &self.last) {
            (Ok(copy), _) => Ok(self.copy.get_or_init(|| copy)),
            (Err(_), Some(last)) if self.buffer.cuda().is_lost() => Ok(last),
            (Err(error), _) => Err(error),
        }
    }

    /// Changes these bytes on both sides; on an error nothing changes on the host.
    pub(crate) fn change(&mut self, bytes: Range<usize>, change: impl FnOnce(&mut Memory)) -> Result<(), Error> {
        self.buffer.cuda().bind()?;
        let mut copy = match self.copy.take() {
            Some(copy) => copy,
            None => self.downloaded()?,
        };
        let before = copy.slice::<u8>(bytes.start, bytes.len()).to_vec();
        change(&mut copy);
        let uploaded = self.buffer.upload(&copy, bytes.clone());
        if uploaded.is_err() {
            copy.slice_mut(bytes.start, bytes.len()).copy_from_slice(&before);
        }
        self.copy = OnceLock::from(copy);
        uploaded
    }

    /// Where the array that begins at this offset lies on the device.
    pub(crate) fn address(&self, offset: usize) -> *mut u8 {
        self.buffer.address(offset)
    }

    /// Says that a step writes on the device.
    pub(crate) fn is_written(&mut self) {
        if let Some(copy) = self.copy.take() {
            self.last = Some(copy);
        }
    }

    /// The device.
    #[cfg(test)]
    pub(super) fn device(&self) -> &Arc<Cuda> {
        self.buffer.cuda()
    }

    /// The memory on the device.
    #[cfg(test)]
    pub(super) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    fn downloaded(&self) -> Result<Memory, Error> {
        let mut memory = Memory::zeroed(self.buffer.bytes())?;
        self.buffer.download(&mut memory)?;
        Ok(memory)
    }
}
