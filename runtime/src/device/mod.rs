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
        Device::cpu_with_lanes(usize::MAX)
    }

    /// The processor with vectors of at most this many values of 32 bits, though no fewer than four. Sums are taken in an
    /// order that depends on it and on nothing else of a machine, so machines with wider vectors than this agree.
    pub fn cpu_with_lanes(most: usize) -> Device {
        Device(Arc::new(Cpu::new(most)))
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
