//! What the driver says of a device, and how fast the device copies within its memory.

use super::Cuda;
use super::buffer::Buffer;
use crate::error::Error;
use cudarc::driver::sys::{self, CUdevice_attribute, CUevent_flags};
use cudarc::driver::{DriverError, result};
use std::sync::Arc;

/// What NVIDIA's driver says of a CUDA device: [`Device::cuda_properties`](crate::Device::cuda_properties).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CudaProperties {
    /// The driver's number of the device.
    pub ordinal: usize,
    /// The name of the device.
    pub name: String,
    /// Its compute capability: 9.0 is `(9, 0)`.
    pub capability: (i32, i32),
    /// How many multiprocessors it has.
    pub multiprocessors: usize,
    /// The bytes of its memory.
    pub memory: usize,
    /// How many of them nobody uses.
    pub free: usize,
    /// The version of CUDA that the driver is for: 13.0 is `(13, 0)`.
    pub driver: (i32, i32),
}

impl Cuda {
    /// What the driver says of the device now.
    pub(in crate::device) fn properties(&self) -> Result<CudaProperties, Error> {
        self.bind()?;
        let failed = |call| move |error| self.failed(call, error);
        let multiprocessors = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
        let multiprocessors = self.context.attribute(multiprocessors).map_err(failed("cuDeviceGetAttribute"))?;
        let (free, memory) = self.context.mem_get_info().map_err(failed("cuMemGetInfo"))?;
        let mut version = 0;
        // SAFETY: the driver writes one number to where the pointer shows.
        let driver = unsafe { sys::cuDriverGetVersion(&mut version) }.result();
        driver.map_err(failed("cuDriverGetVersion"))?;
        Ok(CudaProperties {
            ordinal: self.ordinal(),
            name: self.name.clone(),
            capability: self.capability,
            multiprocessors: usize::try_from(multiprocessors).unwrap_or(0),
            memory,
            free,
            driver: (version / 1000, version % 1000 / 10),
        })
    }

    /// How many seconds each of so many copies took of an array of so many bytes to another one, after one that does not
    /// count. The device's own clock says.
    pub(in crate::device) fn time_copies(self: &Arc<Cuda>, bytes: usize, copies: usize) -> Result<Vec<f64>, Error> {
        let [from, to] = [Buffer::zeroed(self, bytes)?, Buffer::zeroed(self, bytes)?];
        let event = || self.context.new_event(Some(CUevent_flags::CU_EVENT_DEFAULT));
        let time = || {
            let [begin, end] = [event()?, event()?];
            begin.record(&self.stream)?;
            // SAFETY: both buffers have these bytes and stay until the copy has been waited for, which `elapsed_ms` does.
            unsafe { result::memcpy_dtod_async(to.start(), from.start(), from.bytes(), self.stream.cu_stream()) }?;
            end.record(&self.stream)?;
            begin.elapsed_ms(&end).map(|milliseconds| f64::from(milliseconds) / 1e3)
        };
        let times = (0..copies + 1).map(|_| time()).collect::<Result<Vec<f64>, DriverError>>();
        let waited = self.wait(&self.stream);
        let times = times.map_err(|error| self.failed("cuMemcpyDtoDAsync", error))?;
        waited.map(|()| times[1..].to_vec())
    }
}
