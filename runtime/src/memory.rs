//! Memory of stores and steps: aligned to cache lines, zeroed at first, of fixed size.
//!
//! Invariants: a [`Memory`] starts at a multiple of 64 bytes and is a whole number of 64-byte lines long, so a kernel may
//! read and write the padding behind an array that ends inside of one. It never moves while it lives.

use crate::error::Error;
use half::{bf16, f16};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fmt;
use std::ptr::NonNull;

/// What every allocation and every array in one is aligned to, in bytes.
pub(crate) const ALIGNMENT: usize = 64;

/// The number of bytes that an array takes, padding included.
pub(crate) fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT)
}

/// An element type of which every bit pattern is a value.
///
/// # Safety
/// The type has no padding and no invalid bit patterns, and is aligned to at most 64 bytes.
pub unsafe trait Plain: Copy {}

// SAFETY: numbers have neither padding nor invalid bit patterns.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for f16 {}
// SAFETY: as above.
unsafe impl Plain for bf16 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}
// SAFETY: as above.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for i64 {}

/// An owned piece of memory.
#[derive(Debug)]
pub(crate) struct Memory {
    start: NonNull<u8>,
    layout: Layout,
    /// What frees it when it is dropped, where that is not the allocator.
    owner: Option<Owner>,
}

/// What memory belongs to that does not come from the allocator; dropping it frees the memory.
pub(crate) type Owner = Box<dyn fmt::Debug + Send + Sync>;

// SAFETY: a memory is owned, and all access through safe functions follows the borrow of it.
unsafe impl Send for Memory {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for Memory {}

impl Memory {
    /// Memory for this many bytes, all zero.
    pub(crate) fn zeroed(bytes: usize) -> Result<Memory, Error> {
        let layout = lines(bytes)?;
        // SAFETY: the layout has at least one line.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(Error::OutOfMemory { bytes })?;
        Ok(Memory { start, layout, owner: None })
    }

    /// Memory for this many bytes that something else frees.
    ///
    /// # Safety
    /// There are as many bytes as [`lines`] says, all of them initialised, at a multiple of 64; nothing else accesses them,
    /// and they stay until the owner is dropped.
    pub(crate) unsafe fn of_owner(start: NonNull<u8>, bytes: usize, owner: Owner) -> Result<Memory, Error> {
        Ok(Memory { start, layout: lines(bytes)?, owner: Some(owner) })
    }

    /// How many bytes there are, padding included.
    pub(crate) fn bytes(&self) -> usize {
        self.layout.size()
    }

    /// Where an array that begins at this offset lies. Kernels get such pointers.
    pub(crate) fn pointer(&self, offset: usize) -> *mut u8 {
        assert!(offset <= self.bytes(), "an array begins inside of its memory");
        // SAFETY: the offset is within the allocation.
        unsafe { self.start.as_ptr().add(offset) }
    }

    /// The array at an offset.
    pub(crate) fn slice<T: Plain>(&self, offset: usize, elements: usize) -> &[T] {
        let start = self.array::<T>(offset, elements);
        // SAFETY: `array` proves bounds and alignment, the bytes were initialised, every bit pattern is a value, and nothing
        // writes while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(start, elements) }
    }

    /// The array at an offset, to change.
    pub(crate) fn slice_mut<T: Plain>(&mut self, offset: usize, elements: usize) -> &mut [T] {
        let start = self.array::<T>(offset, elements);
        // SAFETY: as in `slice`, and the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(start, elements) }
    }

    fn array<T: Plain>(&self, offset: usize, elements: usize) -> *mut T {
        let bytes = elements.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(offset));
        assert!(bytes.is_some_and(|end| end <= self.bytes()), "an array ends inside of its memory");
        assert!(offset.is_multiple_of(align_of::<T>()), "an array is aligned to its elements");
        self.pointer(offset).cast()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.owner.is_none() {
            // SAFETY: the memory was allocated with this layout and is freed once.
            unsafe { dealloc(self.start.as_ptr(), self.layout) }
        }
    }
}

/// The whole lines that this many bytes take, at least one.
pub(crate) fn lines(bytes: usize) -> Result<Layout, Error> {
    bytes
        .max(1)
        .checked_next_multiple_of(ALIGNMENT)
        .and_then(|size| Layout::from_size_align(size, ALIGNMENT).ok())
        .ok_or(Error::OutOfMemory { bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_aligned_zeroed_and_padded() {
        let mut memory = Memory::zeroed(70).expect("70 bytes");
        assert_eq!((memory.bytes(), memory.pointer(0) as usize % ALIGNMENT), (128, 0));
        assert!(memory.slice::<u8>(0, 128).iter().all(|&byte| byte == 0));
        memory.slice_mut::<f32>(64, 2).copy_from_slice(&[1.0, 2.0]);
        assert_eq!(memory.slice::<f32>(60, 3), [0.0, 1.0, 2.0]);
    }

    #[test]
    fn no_bytes_are_a_place_too() {
        assert!(Memory::zeroed(0).expect("nothing").slice::<f32>(0, 0).is_empty());
    }

    #[test]
    fn more_than_there_is_is_an_error() {
        assert!(matches!(Memory::zeroed(usize::MAX - 5), Err(Error::OutOfMemory { .. })));
        assert!(matches!(Memory::zeroed(isize::MAX as usize / 2), Err(Error::OutOfMemory { .. })));
    }

    #[test]
    #[should_panic(expected = "ends inside")]
    fn arrays_do_not_leave_their_memory() {
        Memory::zeroed(64).expect("64 bytes").slice::<f32>(32, 9);
    }
}
