//! How much memory a thread takes at most.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// What the thread has asked for and not given back, and the most that this ever was.
    static TAKEN: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// The most that the thread takes while something runs, beyond what it had before, in bytes.
pub fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let (before, _) = TAKEN.get();
    TAKEN.set((before, before));
    let result = run();
    (result, (TAKEN.get().1 - before) as usize)
}

fn count(bytes: isize) {
    let (taken, peak) = TAKEN.get();
    TAKEN.set((taken + bytes, peak.max(taken + bytes)));
}

/// The system's allocator, counting bytes.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged. What is not defined here is made of these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
