//! Storage of a store's arrays, on the device that the store belongs to.
//!
//! The program reads and writes on the host; steps read and write where the arrays lie. On the processor both are one memory;
//! on another device the storage keeps track of which side is newer and copies when the other one asks.

use super::cuda::{Cuda, Mirror};
use crate::error::Error;
use crate::memory::Memory;
use std::ops::Range;
use std::sync::Arc;

/// The memory of arrays that a store holds.
#[derive(Debug)]
pub(crate) struct Storage(Place);

#[derive(Debug)]
enum Place {
    Host(Memory),
    Cuda(Mirror),
}

impl Storage {
    /// Storage on the host.
    pub(crate) fn host(memory: Memory) -> Storage {
        Storage(Place::Host(memory))
    }

    /// Storage on a CUDA device that begins as the memory.
    pub(crate) fn mirrored(cuda: &Arc<Cuda>, memory: Memory) -> Result<Storage, Error> {
        Ok(Storage(Place::Cuda(Mirror::new(cuda, memory)?)))
    }

    /// The arrays as they are. Of a device that is lost, as they were when they were last read or changed here.
    pub(crate) fn read(&self) -> Result<&Memory, Error> {
        match &self.0 {
            Place::Host(memory) => Ok(memory),
            Place::Cuda(mirror) => mirror.read(),
        }
    }

    /// Changes these bytes of the arrays; on an error nothing changes.
    pub(crate) fn change(&mut self, bytes: Range<usize>, change: impl FnOnce(&mut Memory)) -> Result<(), Error> {
        match &mut self.0 {
            Place::Host(memory) => {
                change(memory);
                Ok(())
            }
            Place::Cuda(mirror) => mirror.change(bytes, change),
        }
    }

    /// Where the array that begins at this offset lies for a step on the device.
    pub(crate) fn address(&self, offset: usize) -> *mut u8 {
        match &self.0 {
            Place::Host(memory) => memory.pointer(offset),
            Place::Cuda(mirror) => mirror.address(offset),
        }
    }

    /// Says that a step writes to it.
    pub(crate) fn is_written(&mut self) {
        match &mut self.0 {
            Place::Host(_) => {}
            Place::Cuda(mirror) => mirror.is_written(),
        }
    }
}
