//! Memory that copies go between: that of a device, and pinned memory of the host.
//!
//! Invariants: both begin at a multiple of 64 bytes and are whole lines of 64 bytes long, all of them initialised.

use super::Cuda;
use crate::error::Error;
use crate::memory::{ALIGNMENT, Memory, lines};
use cudarc::driver::{CudaStream, result, sys};
use std::ffi::c_void;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

/// Memory of a device.
#[derive(Debug)]
pub(super) struct Buffer {
    cuda: Arc<Cuda>,
    start: sys::CUdeviceptr,
    bytes: usize,
}

impl Buffer {
    /// Memory for this many bytes, all zero.
    pub(super) fn zeroed(cuda: &Arc<Cuda>, bytes: usize) -> Result<Buffer, Error> {
        let bytes = lines(bytes)?.size();
        cuda.bind()?;
        // SAFETY: the context is that of this thread; what is allocated is initialised below.
        let start = unsafe { result::malloc_sync(bytes) }.map_err(|error| cuda.failed_to_allocate(bytes, error))?;
        let buffer = Buffer { cuda: cuda.clone(), start, bytes };
        assert!(buffer.address(0).addr().is_multiple_of(ALIGNMENT), "the driver aligns to 256 bytes");
        // SAFETY: the range is the whole allocation, which nothing else knows yet.
        unsafe { result::memset_d8_async(start, 0, bytes, cuda.stream.cu_stream()) }
            .map_err(|error| cuda.failed("cuMemsetD8Async", error))?;
        cuda.wait(&cuda.stream)?;
        Ok(buffer)
    }

    /// The device.
    pub(super) fn cuda(&self) -> &Arc<Cuda> {
        &self.cuda
    }

    /// Where it begins, for copies.
    pub(super) fn start(&self) -> sys::CUdeviceptr {
        self.start
    }

    /// How many bytes there are.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where the array that begins at this offset lies, for kernels. It is no address of the host.
    pub(super) fn address(&self, offset: usize) -> *mut u8 {
        assert!(offset <= self.bytes, "an array begins inside of its memory");
        let address = usize::try_from(self.start).expect("addresses have 64 bits on hosts of such devices");
        std::ptr::without_provenance_mut(address + offset)
    }

    /// Copies these bytes of the memory to here.
    pub(super) fn upload(&self, memory: &Memory, bytes: Range<usize>) -> Result<(), Error> {
        let bytes = bytes.start..bytes.end.min(self.bytes);
        self.cuda.bind()?;
        // SAFETY: the copy is waited for below.
        let copied = unsafe { self.enqueue_upload(memory, bytes, &self.cuda.stream) };
        let waited = self.cuda.wait(&self.cuda.stream);
        copied.and(waited)
    }

    /// Copies everything here to the memory.
    pub(super) fn download(&self, memory: &mut Memory) -> Result<(), Error> {
        self.cuda.bind()?;
        // SAFETY: the copy is waited for below.
        let copied = unsafe { self.enqueue_download(memory, 0, 0..self.bytes, &self.cuda.stream) };
        let waited = self.cuda.wait(&self.cuda.stream);
        copied.and(waited)
    }

    /// Puts a copy of these bytes of the memory to here into a stream.
    ///
    /// # Safety
    /// Until the stream has run it, the memory stays and nothing writes it, and nothing else uses these bytes here.
    pub(super) unsafe fn enqueue_upload(
        &self,
        memory: &Memory,
        bytes: Range<usize>,
        stream: &CudaStream,
    ) -> Result<(), Error> {
        let from = memory.slice::<u8>(bytes.start, bytes.len());
        assert!(bytes.end <= self.bytes, "a copy ends inside of its memory");
        // SAFETY: both ranges lie inside of their memory; the caller vouches for the time until the copy has run.
        unsafe { result::memcpy_htod_async(self.start + bytes.start as u64, from, stream.cu_stream()) }
            .map_err(|error| self.cuda.failed("cuMemcpyHtoDAsync", error))
    }

    /// Puts a copy of these bytes of here, to an offset in the memory, into a stream.
    ///
    /// # Safety
    /// Until the stream has run it, the memory stays and nothing else uses it, and nothing writes these bytes here that is
    /// not in the stream too.
    pub(super) unsafe fn enqueue_download(
        &self,
        memory: &mut Memory,
        offset: usize,
        bytes: Range<usize>,
        stream: &CudaStream,
    ) -> Result<(), Error> {
        let to = memory.slice_mut::<u8>(offset, bytes.len());
        assert!(bytes.end <= self.bytes, "a copy ends inside of its memory");
        // SAFETY: as in `enqueue_upload`.
        unsafe { result::memcpy_dtoh_async(to, self.start + bytes.start as u64, stream.cu_stream()) }
            .map_err(|error| self.cuda.failed("cuMemcpyDtoHAsync", error))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // A context that cannot be used any more has no memory either.
        if self.cuda.bind().is_ok() {
            // SAFETY: the memory was allocated in this context and is freed once; whatever used it has been waited for. An
            // error would say that the context is gone.
            let _ = unsafe { result::free_sync(self.start) };
        }
    }
}

/// Memory of the host that the device copies to and from without help.
pub(super) fn pinned(cuda: &Arc<Cuda>, bytes: usize) -> Result<Memory, Error> {
    let size = lines(bytes)?.size();
    cuda.bind()?;
    // SAFETY: the context is that of this thread; what is allocated is initialised below.
    let start = unsafe { result::malloc_host(size, 0) }.map_err(|error| match error.0 {
        sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => Error::OutOfMemory { bytes: size },
        _ => cuda.failed("cuMemHostAlloc", error),
    })?;
    let start = NonNull::new(start).ok_or(Error::OutOfMemory { bytes: size })?;
    let owner = Box::new(Pinned { cuda: cuda.clone(), start });
    assert!(start.addr().get().is_multiple_of(ALIGNMENT), "pinned memory begins at a page");
    // SAFETY: there are `size` bytes, which are initialised here, are nobody else's, and stay until the owner is dropped.
    unsafe {
        start.cast::<u8>().write_bytes(0, size);
        Memory::of_owner(start.cast(), bytes, owner)
    }
}

/// What frees pinned memory.
#[derive(Debug)]
struct Pinned {
    cuda: Arc<Cuda>,
    start: NonNull<c_void>,
}

// SAFETY: it is a name of memory that it never looks into.
unsafe impl Send for Pinned {}
// SAFETY: as above.
unsafe impl Sync for Pinned {}

impl Drop for Pinned {
    fn drop(&mut self) {
        if self.cuda.bind().is_ok() {
            // SAFETY: the memory came from `malloc_host` and is freed once; copies with it have been waited for.
            let _ = unsafe { result::free_host(self.start.as_ptr()) };
        }
    }
}
