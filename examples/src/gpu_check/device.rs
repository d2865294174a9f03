//! The device that is tried, and what it says of itself.

use super::arguments::Wanted;
use super::sheet::Sheet;
use crate::ExampleError;
use tapeless::{CudaProperties, Device, Error};

/// A device, and why it is no better one.
pub struct Found {
    /// The device.
    pub device: Device,
    /// Why the processor is the best that there is.
    instead: Option<Error>,
    cuda: Option<CudaProperties>,
}

impl Found {
    /// Whether an emulator stands for the device, so that times say nothing.
    pub fn is_emulated(&self) -> bool {
        self.cuda.as_ref().is_some_and(|cuda| cuda.name.contains("emulator"))
    }
}

/// Finds the device.
pub fn find(wanted: Wanted) -> Result<Found, ExampleError> {
    let (device, instead) = match wanted {
        Wanted::Cpu => (Device::cpu(), None),
        Wanted::Cuda(ordinal) => (Device::cuda(ordinal)?, None),
        Wanted::Best => match Device::cuda(0) {
            Ok(device) => (device, None),
            Err(error @ (Error::NoDriver | Error::NoSuchDevice { .. } | Error::OldDevice { .. })) => {
                (Device::cpu(), Some(error))
            }
            Err(error) => return Err(error.into()),
        },
    };
    let cuda = device.cuda_properties()?;
    Ok(Found { device, instead, cuda })
}

/// Prints what there is to say of the device.
pub fn describe(found: &Found, sheet: &mut Sheet) -> Result<(), ExampleError> {
    sheet.section("Device", "", &["property", "value"]);
    sheet.fact(&["device", &found.device.to_string()]);
    if let Some(error) = &found.instead {
        sheet.fact(&["no GPU", &error.to_string()]);
    }
    match &found.cuda {
        None => {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            sheet.fact(&["threads", &threads.to_string()]);
        }
        Some(cuda) => {
            let version = |(major, minor): (i32, i32)| format!("{major}.{minor}");
            let gigabytes = |bytes: usize| format!("{:.1} GB", bytes as f64 / 1e9);
            sheet.fact(&["compute capability", &version(cuda.capability)]);
            sheet.fact(&["multiprocessors", &cuda.multiprocessors.to_string()]);
            sheet.fact(&["memory", &format!("{}, {} free", gigabytes(cuda.memory), gigabytes(cuda.free))]);
            sheet.fact(&["driver", &format!("CUDA {}", version(cuda.driver))]);
        }
    }
    if found.is_emulated() {
        sheet.fact(&["emulated", "yes: times below are those of the emulator"]);
    }
    Ok(())
}
