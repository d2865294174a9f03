//! Launches kernels through the driver of whatever GPU there is, be it one that a program plays.

use crate::bytes::{decode, encode};
use cudarc::driver::{CudaContext, result, sys};
use std::ffi::{CString, c_void};
use std::sync::Arc;
use tapeless_compiler::backend::ptx::{Code, emit};
use tapeless_compiler::kernel::{Kernel, Usage, approximate, interpret};

/// How far sums of tensor cores may be from those of the interpreter, relative to the largest result.
const SUMMED: f64 = 2e-6;

/// A GPU.
pub struct Gpu {
    context: Arc<CudaContext>,
}

/// A module that was loaded.
struct Module(sys::CUmodule);

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the module was loaded and nothing of it runs: every launch was waited for.
        let _ = unsafe { result::module::unload(self.0) };
    }
}

/// Memory of the GPU.
struct Memory {
    address: sys::CUdeviceptr,
    bytes: usize,
}

impl Memory {
    fn new(content: &[u8]) -> Memory {
        // SAFETY: the memory has as many bytes as are copied, and at least one.
        unsafe {
            let address = result::malloc_sync(content.len().max(1)).expect("the GPU has memory");
            if !content.is_empty() {
                result::memcpy_htod_sync(address, content).expect("memory can be copied");
            }
            Memory { address, bytes: content.len() }
        }
    }

    fn content(&self) -> Vec<u8> {
        let mut content = vec![0; self.bytes];
        if self.bytes > 0 {
            // SAFETY: as many bytes as were allocated.
            unsafe { result::memcpy_dtoh_sync(&mut content, self.address) }.expect("memory can be copied");
        }
        content
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was allocated and is freed once.
        let _ = unsafe { result::free_sync(self.address) };
    }
}

impl Gpu {
    /// The first GPU; `None`, with a message, where there is no driver.
    pub fn find() -> Option<Gpu> {
        // SAFETY: it looks for a library and calls nothing in it.
        if !unsafe { sys::is_culib_present() } {
            eprintln!("skipped: there is no CUDA driver");
            return None;
        }
        match CudaContext::new(0) {
            Ok(context) => Some(Gpu { context }),
            Err(error) => {
                eprintln!("skipped: there is no GPU: {error}");
                None
            }
        }
    }

    /// Holds the results of a kernel against those of the interpreter, bit by bit; where tensor cores sum up in an order of
    /// their own, to so much of the largest result. Arrays of the same number are one array.
    pub fn hold(&self, kernel: &Kernel, arrays: &[Vec<f64>], numbers: &[usize]) -> Result<Vec<Vec<f64>>, String> {
        let mut expected = arrays.to_vec();
        interpret(&approximate(kernel), &mut expected, 1);
        let code = emit(kernel).map_err(|error| format!("{error}\n{kernel}"))?;
        let found =
            self.run(kernel, &code, arrays, numbers).map_err(|error| format!("{error}\n{kernel}\n{}", code.text))?;
        for (at, parameter) in kernel.parameters.iter().take(arrays.len()).enumerate() {
            if parameter.usage != Usage::Written {
                continue;
            }
            let largest = expected[at].iter().fold(0f64, |largest, number| largest.max(number.abs()));
            let room = if kernel.fragments.is_empty() { 0.0 } else { SUMMED * largest };
            for (position, (found, expected)) in found[at].iter().zip(&expected[at]).enumerate() {
                let same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
                let near = room > 0.0 && (found - expected).abs() <= room;
                if !(same || near) {
                    let what = format!("p{at}[{position}] is {found:?} and not {expected:?}");
                    return Err(format!("{what}\n{kernel}\n{}", code.text));
                }
            }
        }
        Ok(expected)
    }

    fn run(
        &self,
        kernel: &Kernel,
        code: &Code,
        arrays: &[Vec<f64>],
        numbers: &[usize],
    ) -> Result<Vec<Vec<f64>>, String> {
        self.context.bind_to_thread().map_err(|error| error.to_string())?;
        let module = load(&code.text)?;
        let mut memory: Vec<Arc<Memory>> = Vec::new();
        for (at, parameter) in kernel.arguments().enumerate() {
            let first = numbers.iter().position(|number| Some(number) == numbers.get(at));
            memory.push(match (first, arrays.get(at)) {
                (Some(first), Some(_)) if first < at => memory[first].clone(),
                (_, Some(elements)) => Arc::new(Memory::new(&encode(parameter.dtype, elements))),
                _ => Arc::new(Memory::new(&vec![0xa5; parameter.elements * parameter.dtype.size()])),
            });
        }
        let mut addresses: Vec<sys::CUdeviceptr> = memory.iter().map(|memory| memory.address).collect();
        for entry in &code.entries {
            let name = CString::new(entry.name.clone()).map_err(|error| error.to_string())?;
            let mut arguments: Vec<*mut c_void> =
                addresses.iter_mut().map(|address| std::ptr::from_mut(address).cast()).collect();
            let stream = self.context.default_stream();
            // SAFETY: the entry takes one address per argument of the kernel, and each is that of so much memory.
            let launched = unsafe {
                result::module::get_function(module.0, name).and_then(|function| {
                    let attribute = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
                    result::function::set_function_attribute(function, attribute, entry.shared_bytes as i32)?;
                    let (grid, block) = ((entry.blocks as u32, 1, 1), (entry.threads as u32, 1, 1));
                    result::launch_kernel(
                        function,
                        grid,
                        block,
                        entry.shared_bytes as u32,
                        stream.cu_stream(),
                        &mut arguments,
                    )
                })
            };
            launched.and_then(|()| stream.synchronize()).map_err(|error| format!("{}: {error}", entry.name))?;
        }
        let found = memory.iter().zip(kernel.arguments());
        Ok(found.map(|(memory, parameter)| decode(parameter.dtype, &memory.content())).collect())
    }
}

/// Loads a module; the message of the assembler if it refuses.
fn load(text: &str) -> Result<Module, String> {
    use sys::CUjit_option_enum::{CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    let text = CString::new(text).map_err(|error| error.to_string())?;
    let mut log = vec![0u8; 4096];
    let mut options = [CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    let mut values = [log.as_mut_ptr().cast::<c_void>(), std::ptr::without_provenance_mut(log.len())];
    let mut module = std::ptr::null_mut();
    // SAFETY: the text ends with a zero, and the log has as many bytes as its size says.
    let loaded = unsafe {
        let (options, values) = (options.as_mut_ptr(), values.as_mut_ptr());
        sys::cuModuleLoadDataEx(&mut module, text.as_ptr().cast(), 2, options, values)
    };
    let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    loaded.result().map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&log[..end])))?;
    Ok(Module(module))
}
