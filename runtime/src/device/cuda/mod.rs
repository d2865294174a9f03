//! CUDA devices: NVIDIA's driver, loaded when a program asks for such a device, and how steps and stores use it.
//!
//! Every step has a stream of its own and waits for it before a run returns; copies of stores go through a stream of the
//! device and are waited for too. So whatever begins on the device finds there what came before it.
//!
//! A kernel that fails while it runs takes the driver's context with it: from then on every call fails. The device remembers
//! that, so that stores hand out what they had last.

mod buffer;
mod code;
mod executable;
mod mirror;
mod properties;
mod results;
mod staged;

pub(super) use executable::load;
pub(super) use mirror::Mirror;
pub use properties::CudaProperties;

use super::Roof;
use crate::error::Error;
use cudarc::driver::result::DriverError;
use cudarc::driver::sys::{self, CUdevice_attribute as Attribute, CUresult};
use cudarc::driver::{CudaContext, CudaStream};
use std::fmt;
use std::sync::{Arc, OnceLock};
use tapeless_compiler::target::Target;

/// How many threads there are in a thread block.
const THREADS: usize = 256;

/// What code is made for at least.
const CAPABILITY: (i32, i32) = (8, 0);

/// A CUDA device.
pub(crate) struct Cuda {
    context: Arc<CudaContext>,
    /// For copies of stores.
    stream: Arc<CudaStream>,
    name: String,
    capability: (i32, i32),
    /// What failed, once the context is of no use any more.
    lost: OnceLock<String>,
}

impl Cuda {
    /// The device of this number.
    pub(crate) fn new(ordinal: usize) -> Result<Cuda, Error> {
        // SAFETY: the driver's library may be loaded at any time, and loading it again changes nothing.
        if !unsafe { sys::is_culib_present() } {
            return Err(Error::NoDriver);
        }
        let failed = |call| {
            move |error| Error::Driver { device: format!("CUDA device {ordinal}"), call, error: described(error) }
        };
        let count = match CudaContext::device_count() {
            Err(DriverError(CUresult::CUDA_ERROR_NO_DEVICE)) => 0,
            count => usize::try_from(count.map_err(failed("cuInit"))?).unwrap_or(0),
        };
        if ordinal >= count {
            return Err(Error::NoSuchDevice { ordinal, count });
        }
        let context = CudaContext::new(ordinal).map_err(failed("cuDevicePrimaryCtxRetain"))?;
        // SAFETY: what it would track is memory of the crate's own type, and there is none.
        unsafe { context.disable_event_tracking() };
        let name = context.name().map_err(failed("cuDeviceGetName"))?;
        let capability = context.compute_capability().map_err(failed("cuDeviceGetAttribute"))?;
        let stream = context.new_stream().map_err(failed("cuStreamCreate"))?;
        let cuda = Cuda { context, stream, name, capability, lost: OnceLock::new() };
        match capability < CAPABILITY {
            true => Err(Error::OldDevice { device: cuda.to_string(), capability }),
            false => Ok(cuda),
        }
    }

    /// The driver's number of the device.
    pub(super) fn ordinal(&self) -> usize {
        self.context.ordinal()
    }

    /// What schedules are made for.
    pub(super) fn target(&self) -> Target {
        Target::gpu(THREADS)
    }

    /// Makes the device that of this thread's calls, unless it is lost.
    fn bind(&self) -> Result<(), Error> {
        if let Some(error) = self.lost.get() {
            return Err(Error::DeviceLost { device: self.to_string(), error: error.clone() });
        }
        self.context.bind_to_thread().map_err(|error| self.failed("cuCtxSetCurrent", error))
    }

    /// A stream of launches and copies that run one after the other.
    fn new_stream(&self) -> Result<Arc<CudaStream>, Error> {
        self.context.new_stream().map_err(|error| self.failed("cuStreamCreate", error))
    }

    /// Waits for everything that was put into a stream.
    fn wait(&self, stream: &CudaStream) -> Result<(), Error> {
        stream.synchronize().map_err(|error| self.failed("cuStreamSynchronize", error))
    }

    /// A call failed.
    fn failed(&self, call: &'static str, error: DriverError) -> Error {
        self.remember(error);
        Error::Driver { device: self.to_string(), call, error: described(error) }
    }

    /// A call failed that asks for device memory.
    fn failed_to_allocate(&self, bytes: usize, error: DriverError) -> Error {
        match error.0 {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                let free = self.context.mem_get_info().ok().map(|(free, _)| free);
                Error::OutOfDeviceMemory { device: self.to_string(), bytes, free }
            }
            _ => self.failed("cuMemAlloc", error),
        }
    }

    /// Remembers errors after which the context is of no use.
    fn remember(&self, error: DriverError) {
        if is_fatal(error) {
            self.lost.get_or_init(|| described(error));
        }
    }

    /// Whether nothing runs on it any more.
    fn is_lost(&self) -> bool {
        self.lost.get().is_some()
    }

    /// What its clocks and its width come to.
    fn roof(&self) -> Result<Roof, Error> {
        self.bind()?;
        let attribute = |which| {
            let value = self.context.attribute(which).map_err(|error| self.failed("cuDeviceGetAttribute", error))?;
            Ok::<f64, Error>(f64::from(value))
        };
        let clock = 1e3 * attribute(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?;
        let multiprocessors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        // Each multiprocessor begins so many multiply-adds in a cycle; memory moves bits twice in one of its own.
        let lanes = if self.capability == (8, 0) { 64.0 } else { 128.0 };
        let memory_clock = 1e3 * attribute(Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)?;
        let bits = attribute(Attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH)?;
        Ok(Roof { flops: 2.0 * lanes * multiprocessors * clock, bandwidth: 2.0 * memory_clock * bits / 8.0 })
    }
}

impl fmt::Display for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CUDA device {} ({})", self.ordinal(), self.name)
    }
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a kernel failed while it ran, or the device did.
fn is_fatal(error: DriverError) -> bool {
    matches!(
        error.0,
        CUresult::CUDA_ERROR_ILLEGAL_ADDRESS
            | CUresult::CUDA_ERROR_LAUNCH_FAILED
            | CUresult::CUDA_ERROR_LAUNCH_TIMEOUT
            | CUresult::CUDA_ERROR_MISALIGNED_ADDRESS
            | CUresult::CUDA_ERROR_INVALID_ADDRESS_SPACE
            | CUresult::CUDA_ERROR_INVALID_PC
            | CUresult::CUDA_ERROR_ILLEGAL_INSTRUCTION
            | CUresult::CUDA_ERROR_HARDWARE_STACK_ERROR
            | CUresult::CUDA_ERROR_ASSERT
            | CUresult::CUDA_ERROR_ECC_UNCORRECTABLE
            | CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED
    )
}

/// The driver's name of an error, and what it says.
fn described(error: DriverError) -> String {
    match (error.error_name(), error.error_string()) {
        (Ok(name), Ok(text)) => format!("{} ({})", name.to_string_lossy(), text.to_string_lossy()),
        _ => format!("{:?}", error.0),
    }
}

#[cfg(test)]
mod tests;
