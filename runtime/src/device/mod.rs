//! Devices: where steps run.

pub(crate) mod cpu;

use crate::error::Error;
use cpu::Cpu;
use std::fmt;
use std::sync::Arc;

/// A device that steps are compiled for and run on. Clones are the same device.
#[derive(Clone)]
pub struct Device(Arc<Cpu>);

impl Device {
    /// The processor that the program runs on.
    pub fn cpu() -> Device {
        Device(Arc::new(Cpu::new()))
    }

    /// The fastest device there is.
    pub fn best() -> Result<Device, Error> {
        Ok(Device::cpu())
    }

    pub(crate) fn processor(&self) -> &Cpu {
        &self.0
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Device::cpu()")
    }
}
