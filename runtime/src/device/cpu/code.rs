//! Machine code in executable memory.
//!
//! The bytes of all kernels of a step lie in one piece of memory that is writable until it becomes executable and is freed
//! with the step. Pointers into it never leave this module.

use super::Session;
use crate::error::Error;
use crate::memory::{ALIGNMENT, Memory, padded};
use cranelift_codegen::isa::TargetIsa;
use cranelift_jit::{ArenaMemoryProvider, BranchProtection, JITMemoryKind, JITMemoryProvider};
use tapeless_compiler::backend::cranelift::{Code as Bytes, Machine};

/// The machine signature of every phase of a kernel: one pointer to one pointer per argument, one to local memory, the first
/// iteration to run and the one after the last.
#[cfg(target_arch = "x86_64")]
type Entry = unsafe extern "sysv64" fn(*const *mut u8, *mut u8, usize, usize);
#[cfg(not(target_arch = "x86_64"))]
type Entry = unsafe extern "C" fn(*const *mut u8, *mut u8, usize, usize);

/// The kernels of a step, ready to run.
pub(crate) struct Code {
    /// The phases of each kernel.
    kernels: Vec<Vec<Phase>>,
    memory: ArenaMemoryProvider,
}

/// A phase of a kernel.
struct Phase {
    entry: Entry,
    /// How many iterations its parallel loop has.
    parallel: Option<usize>,
}

/// Local memory: a piece for each thread.
pub(crate) struct Local {
    memory: Memory,
    /// How many bytes each thread has.
    bytes: usize,
}

impl Local {
    /// So many bytes for each of so many threads.
    pub(crate) fn new(bytes: usize, threads: usize) -> Result<Local, Error> {
        // Another line between two threads, so that the same offset of each lies in another set of the cache.
        let bytes = padded(bytes) + ALIGNMENT;
        let all = bytes.checked_mul(threads).ok_or(Error::OutOfMemory { bytes })?;
        Ok(Local { memory: Memory::zeroed(all)?, bytes })
    }
}

/// A list of arguments that threads share while they run a kernel.
struct Shared<'a>(&'a [*mut u8]);

// SAFETY: threads only read the list; what it points to is accessed by kernels, whose iterations are proved to keep apart.
unsafe impl Sync for Shared<'_> {}

impl Code {
    /// Puts the code of kernels into executable memory.
    pub(crate) fn load(kernels: &[Bytes], isa: &dyn TargetIsa) -> Result<Code, Error> {
        let functions: Vec<&Machine> = kernels.iter().flat_map(|code| &code.functions).collect();
        let (offsets, bytes) = offsets(&functions);
        let mut memory = reserve(bytes)?;
        let alignment = functions.iter().map(|code| code.alignment).max().unwrap_or(1);
        let start =
            memory.allocate(bytes, alignment, JITMemoryKind::Executable).map_err(|_| Error::OutOfMemory { bytes })?;
        let mut phases = functions.iter().zip(offsets).map(|(code, offset)| {
            // SAFETY: `offsets` places every function inside of the allocation, which is still writable, and apart from the
            // others; the bytes are the whole function and need no relocation, so what begins there is a function with the
            // signature that the back end promises.
            let entry = unsafe {
                let place = start.add(offset);
                std::ptr::copy_nonoverlapping(code.bytes.as_ptr(), place, code.bytes.len());
                std::mem::transmute::<*mut u8, Entry>(place)
            };
            Phase { entry, parallel: code.parallel }
        });
        let kernels = kernels.iter().map(|code| phases.by_ref().take(code.functions.len()).collect()).collect();
        memory.finalize(branch_protection(isa)).map_err(|error| Error::Machine { reason: error.to_string() })?;
        Ok(Code { kernels, memory })
    }

    /// Whether any kernel has work for several threads.
    pub(crate) fn is_parallel(&self) -> bool {
        self.kernels.iter().flatten().any(|phase| phase.parallel.is_some_and(|extent| extent > 1))
    }

    /// Runs a kernel, phase by phase.
    ///
    /// # Safety
    /// There is one argument per parameter of the kernel that is not local, in order; each points to as many elements of the
    /// parameter's type as the parameter has, valid for reads, and for writes where the kernel writes; nothing else accesses
    /// what is written. Local memory has as many bytes as the kernel takes, for each thread of the session.
    pub(crate) unsafe fn run(&self, kernel: usize, arguments: &[*mut u8], local: &mut Local, session: &Session<'_>) {
        let (arguments, local) = (Shared(arguments), &*local);
        for Phase { entry, parallel } in &self.kernels[kernel] {
            session.run(parallel.unwrap_or(1), &|thread, pieces| {
                let arguments = &arguments;
                // SAFETY: the caller vouches for arguments and memory, of which each thread has its own piece; the kernel
                // proves to the compiler's verifier that it stays in bounds and that iterations at once keep apart.
                unsafe {
                    let local = local.memory.pointer(thread * local.bytes);
                    entry(arguments.0.as_ptr(), local, pieces.start, pieces.end);
                }
            });
        }
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: the entries die with `self`, and no kernel is running, since running one borrows it.
        unsafe { self.memory.free_memory() }
    }
}

/// Where each function begins, and how many bytes all take; at least one, since memory of no bytes cannot be reserved.
fn offsets(functions: &[&Machine]) -> (Vec<usize>, usize) {
    let mut end = 0;
    let mut offsets = Vec::with_capacity(functions.len());
    for code in functions {
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
