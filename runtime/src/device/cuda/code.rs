//! The code of kernels on a device: modules that the driver compiles, and launches of what is in them.

use super::{Cuda, described};
use crate::device::Emitted;
use crate::error::Error;
use cudarc::driver::result::DriverError;
use cudarc::driver::sys::{self, CUfunction_attribute, CUjit_option};
use cudarc::driver::{CudaStream, result};
use std::ffi::{CString, c_void};
use std::sync::Arc;
use tapeless_compiler::backend::ptx::{Code, Entry};

/// How many bytes of its log the driver's compiler may write.
const LOG: usize = 1 << 13;

/// The code of a kernel on a device.
#[derive(Debug)]
pub(super) struct Module {
    cuda: Arc<Cuda>,
    kernel: String,
    module: sys::CUmodule,
    functions: Vec<Function>,
}

/// A function of a module, and how it is launched.
#[derive(Debug)]
struct Function {
    function: sys::CUfunction,
    blocks: u32,
    threads: u32,
    shared_bytes: u32,
}

/// Room for the parameters of a launch, a pointer to each address.
#[derive(Default)]
pub(super) struct Parameters(Vec<*mut c_void>);

// SAFETY: the pointers are only followed during a launch, which fills them in anew.
unsafe impl Send for Parameters {}

// SAFETY: the handles belong to a context that any thread may use, and the driver's functions on them may be called by any.
unsafe impl Send for Module {}

impl Module {
    /// Has the driver compile the code of a kernel of a step.
    pub(super) fn load(cuda: &Arc<Cuda>, step: &str, kernel: &str, code: &Code) -> Result<Module, Error> {
        cuda.bind()?;
        let refused = |reason: String| {
            let (step, kernel, device) = (step.to_string(), kernel.to_string(), cuda.to_string());
            Error::Module { step, kernel, device, reason }
        };
        let module = compile(&code.text).map_err(refused)?;
        let mut loaded = Module { cuda: cuda.clone(), kernel: kernel.to_string(), module, functions: Vec::new() };
        for entry in &code.entries {
            let function = loaded.function(entry).map_err(|error| refused(described(error)))?;
            loaded.functions.push(function);
        }
        Ok(loaded)
    }

    /// The name of the kernel.
    pub(super) fn kernel(&self) -> &str {
        &self.kernel
    }

    /// Puts a launch of the kernel into a stream.
    ///
    /// # Safety
    /// There is one address of the device per argument of the kernel, of as many elements as it takes; what is there stays
    /// until the stream has run the launch, and nothing else accesses what is written.
    pub(super) unsafe fn launch(
        &self,
        stream: &CudaStream,
        arguments: &[*mut u8],
        Parameters(parameters): &mut Parameters,
    ) -> Result<(), DriverError> {
        parameters.clear();
        parameters.extend(arguments.iter().map(|argument| std::ptr::from_ref(argument).cast_mut().cast::<c_void>()));
        for Function { function, blocks, threads, shared_bytes } in &self.functions {
            let (grid, block) = ((*blocks, 1, 1), (*threads, 1, 1));
            // SAFETY: the function takes one address per argument, which the driver reads during the call; the caller
            // vouches for what they point to, and the kernel proves to the compiler's verifier that it stays in bounds.
            unsafe {
                let stream = stream.cu_stream();
                result::launch_kernel(*function, grid, block, *shared_bytes, stream, parameters)?;
            }
        }
        Ok(())
    }

    /// What is to say about the code.
    pub(super) fn emitted(&self) -> Emitted {
        let lanes = self.functions.iter().map(|function| function.threads).max().unwrap_or(1);
        let spilled = |function: &Function| {
            let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES;
            // SAFETY: the function belongs to the module, which is loaded.
            unsafe { result::function::get_function_attribute(function.function, attribute) }.unwrap_or(0)
        };
        let bytes: i32 = self.functions.iter().map(spilled).sum();
        let pieces = self.functions.iter().map(|function| function.blocks as usize).filter(|&blocks| blocks > 1);
        Emitted {
            lanes: lanes as usize,
            spills: usize::try_from(bytes).unwrap_or(0) / size_of::<u32>(),
            refusal: None,
            pieces: pieces.collect(),
        }
    }

    fn function(&self, entry: &Entry) -> Result<Function, DriverError> {
        let invalid = |_| DriverError(sys::CUresult::CUDA_ERROR_INVALID_VALUE);
        let name = CString::new(entry.name.as_str()).map_err(|_| DriverError(sys::CUresult::CUDA_ERROR_NOT_FOUND))?;
        // SAFETY: the module is loaded.
        let function = unsafe { result::module::get_function(self.module, name) }?;
        if entry.shared_bytes > 0 {
            let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: the function belongs to the module, which is loaded.
            unsafe {
                let bytes = entry.shared_bytes.try_into().map_err(invalid)?;
                result::function::set_function_attribute(function, attribute, bytes)?;
            }
        }
        Ok(Function {
            function,
            blocks: entry.blocks.try_into().map_err(invalid)?,
            threads: entry.threads.try_into().map_err(invalid)?,
            shared_bytes: entry.shared_bytes.try_into().map_err(invalid)?,
        })
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if self.cuda.bind().is_ok() {
            // SAFETY: the module is loaded and is unloaded once; launches have been waited for.
            let _ = unsafe { result::module::unload(self.module) };
        }
    }
}

/// Loads a module, or says why not, with the log of the driver's compiler.
fn compile(text: &str) -> Result<sys::CUmodule, String> {
    let text = CString::new(text).map_err(|error| error.to_string())?;
    let mut log = vec![0u8; LOG];
    let mut options = [CUjit_option::CU_JIT_ERROR_LOG_BUFFER, CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    let mut values = [log.as_mut_ptr().cast::<c_void>(), std::ptr::without_provenance_mut(LOG)];
    let mut module = std::ptr::null_mut();
    // SAFETY: the text ends with a zero; there are as many values as options, the first one a buffer of as many bytes as the
    // second one says. All of it outlives the call.
    let loaded = unsafe {
        let (options, values) = (options.as_mut_ptr(), values.as_mut_ptr());
        sys::cuModuleLoadDataEx(&mut module, text.as_ptr().cast(), 2, options, values).result()
    };
    let written = log.iter().position(|&byte| byte == 0).unwrap_or(LOG);
    match loaded {
        Ok(()) => Ok(module),
        Err(error) => {
            let reason = format!("{}\n{}", described(error), String::from_utf8_lossy(&log[..written]));
            Err(reason.trim_end().to_string())
        }
    }
}
