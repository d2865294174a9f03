//! Machine code in executable memory.
//!
//! The bytes of all kernels of a step lie in one piece of memory that is writable until it becomes executable and is freed
//! with the step. Pointers into it never leave this module.

use crate::error::Error;
use cranelift_codegen::isa::TargetIsa;
use cranelift_jit::{ArenaMemoryProvider, BranchProtection, JITMemoryKind, JITMemoryProvider};
use tapeless_compiler::backend::cranelift::Code as Bytes;

/// The machine signature of every kernel: one pointer to one pointer per parameter.
#[cfg(target_arch = "x86_64")]
type Entry = unsafe extern "sysv64" fn(*const *mut u8);
#[cfg(not(target_arch = "x86_64"))]
type Entry = unsafe extern "C" fn(*const *mut u8);

/// The kernels of a step, ready to run.
pub(crate) struct Code {
    entries: Vec<Entry>,
    memory: ArenaMemoryProvider,
}

impl Code {
    /// Puts the code of kernels into executable memory.
    pub(crate) fn load(kernels: &[Bytes], isa: &dyn TargetIsa) -> Result<Code, Error> {
        let (offsets, bytes) = offsets(kernels);
        let mut memory = reserve(bytes)?;
        let alignment = kernels.iter().map(|code| code.alignment).max().unwrap_or(1);
        let start =
            memory.allocate(bytes, alignment, JITMemoryKind::Executable).map_err(|_| Error::OutOfMemory { bytes })?;
        let mut entries = Vec::with_capacity(kernels.len());
        for (code, offset) in kernels.iter().zip(offsets) {
            // SAFETY: `offsets` places every kernel inside of the allocation, which is still writable, and apart from the
            // others; the bytes are the whole function and need no relocation, so what begins there is a function with the
            // signature that the back end promises.
            let entry = unsafe {
                let place = start.add(offset);
                std::ptr::copy_nonoverlapping(code.bytes.as_ptr(), place, code.bytes.len());
                std::mem::transmute::<*mut u8, Entry>(place)
            };
            entries.push(entry);
        }
        memory.finalize(branch_protection(isa)).map_err(|error| Error::Machine { reason: error.to_string() })?;
        Ok(Code { entries, memory })
    }

    /// Runs a kernel.
    ///
    /// # Safety
    /// There is one argument per parameter of the kernel, in order; each points to as many elements of the parameter's type
    /// as the parameter has, valid for reads, and for writes where the kernel writes; nothing else accesses what is written.
    pub(crate) unsafe fn run(&self, kernel: usize, arguments: &[*mut u8]) {
        // SAFETY: the caller vouches for the arguments; the kernel proves to the compiler's verifier that it stays in bounds.
        unsafe { self.entries[kernel](arguments.as_ptr()) }
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: the entries die with `self`, and no kernel is running, since running one borrows it.
        unsafe { self.memory.free_memory() }
    }
}

/// Where each kernel begins, and how many bytes all take; at least one, since memory of no bytes cannot be reserved.
fn offsets(kernels: &[Bytes]) -> (Vec<usize>, usize) {
    let mut end = 0;
    let mut offsets = Vec::with_capacity(kernels.len());
    for code in kernels {
        let alignment = usize::try_from(code.alignment).expect("kernels are aligned to a few bytes");
        let start = usize::next_multiple_of(end, alignment);
        offsets.push(start);
        end = start + code.bytes.len();
    }
    (offsets, end.max(1))
}

fn reserve(bytes: usize) -> Result<ArenaMemoryProvider, Error> {
    ArenaMemoryProvider::new_with_size(bytes).map_err(|_| Error::OutOfMemory { bytes })
}

/// The protection that code for this machine was compiled for.
fn branch_protection(isa: &dyn TargetIsa) -> BranchProtection {
    match isa.is_branch_protection_enabled() {
        true => BranchProtection::BTI,
        false => BranchProtection::None,
    }
}
