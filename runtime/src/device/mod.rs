//! Devices: where stores lie and steps run.
//!
//! What a step needs of a device is an [`Executable`], what a store needs is [`Storage`]. Only this file knows which kinds of
//! devices there are.

mod arguments;
pub(crate) mod cpu;
mod cuda;
mod storage;

pub use cuda::CudaProperties;
pub(crate) use storage::Storage;

use crate::elements::Elements;
use crate::error::Error;
use crate::memory::Memory;
use cpu::Cpu;
use cuda::Cuda;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tapeless_compiler::pipeline::Options;
use tapeless_compiler::plan::Plan;
use tapeless_compiler::target::Target;

/// A device that stores lie on and steps are compiled for and run on. Clones are the same device.
#[derive(Clone)]
pub struct Device(Kind);

#[derive(Clone)]
enum Kind {
    Cpu(Arc<Cpu>),
    Cuda(Arc<Cuda>),
}

impl Device {
    /// The processor that the program runs on.
    pub fn cpu() -> Device {
        Device::cpu_with_lanes(usize::MAX)
    }

    /// The processor with vectors of at most this many values of 32 bits, though no fewer than four. Sums are taken in an
    /// order that depends on it and on nothing else of a machine, so machines with wider vectors than this agree.
    pub fn cpu_with_lanes(most: usize) -> Device {
        Device(Kind::Cpu(Arc::new(Cpu::new(most))))
    }

    /// The CUDA device of this number; the driver counts from 0. It needs NVIDIA's driver, which is loaded when this is first
    /// called, and nothing else of CUDA.
    ///
    /// A step runs there as one graph of launches, and a run waits for it once, at its end. A store has its tensors there and
    /// copies them when they are read or changed from the program: the first [`get`](crate::Store::get) after a run copies
    /// all tensors of the store, those after it copy nothing. Of the [`Options`](crate::Options), `threads` and `lanes` mean
    /// nothing there.
    ///
    /// Should a launch fail while it runs, the device is lost to this process: [`Error::Launch`] says so, every later run is
    /// [`Error::DeviceLost`], and stores show, and save, what they had when they were last read, set or loaded: a `get` reads
    /// all tensors, a [`save`](crate::Store::save) also what optimizers keep.
    pub fn cuda(ordinal: usize) -> Result<Device, Error> {
        Ok(Device(Kind::Cuda(Arc::new(Cuda::new(ordinal)?))))
    }

    /// The fastest device there is: the first CUDA device if there is one that code is made for, else the processor.
    pub fn best() -> Result<Device, Error> {
        match Device::cuda(0) {
            Err(Error::NoDriver | Error::NoSuchDevice { .. } | Error::OldDevice { .. }) => Ok(Device::cpu()),
            found => found,
        }
    }

    /// What NVIDIA's driver says of the device now; nothing of the processor.
    ///
    /// ```
    /// # use tapeless::{Device, Error};
    /// # fn main() -> Result<(), Error> {
    /// let device = Device::best()?;
    /// match device.cuda_properties()? {
    ///     Some(cuda) => println!("{}: {} of {} bytes are free", cuda.name, cuda.free, cuda.memory),
    ///     None => println!("{device}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn cuda_properties(&self) -> Result<Option<CudaProperties>, Error> {
        match &self.0 {
            Kind::Cpu(_) => Ok(None),
            Kind::Cuda(cuda) => cuda.properties().map(Some),
        }
    }

    /// How many bytes the device reads and writes in a second while it copies an array of so many bytes to another one in its
    /// memory, which is what kernels that move bytes can be held against. It is measured now: the median of 32 copies, by the
    /// driver's own call on a CUDA device, by as many threads as there are processors on the processor. An array that fits a
    /// cache says nothing of the memory behind it.
    pub fn copy_bandwidth(&self, bytes: usize) -> Result<f64, Error> {
        const COPIES: usize = 32;
        let mut times = match &self.0 {
            Kind::Cpu(_) => cpu::time_copies(bytes, COPIES)?,
            Kind::Cuda(cuda) => cuda.time_copies(bytes, COPIES)?,
        };
        times.sort_by(f64::total_cmp);
        // A clock may show no time at all.
        Ok(2.0 * bytes as f64 / times[COPIES / 2].max(1e-9))
    }

    /// What schedules are made for.
    pub(crate) fn target(&self, options: &Options) -> Target {
        match &self.0 {
            Kind::Cpu(cpu) => cpu.target(options.lanes),
            Kind::Cuda(cuda) => cuda.target(),
        }
    }

    /// The code of a step's plan, which was made for this device, and what it needs to run.
    pub(crate) fn load(&self, step: &str, plan: Plan, options: &Options) -> Result<(Plan, Box<dyn Executable>), Error> {
        match &self.0 {
            Kind::Cpu(cpu) => cpu::load(cpu, step, plan, options),
            Kind::Cuda(cuda) => cuda::load(cuda, step, plan),
        }
    }

    /// Arrays of a store with these elements.
    pub(crate) fn storage(&self, memory: Memory) -> Result<Storage, Error> {
        match &self.0 {
            Kind::Cpu(_) => Ok(Storage::host(memory)),
            Kind::Cuda(cuda) => Storage::mirrored(cuda, memory),
        }
    }

    /// Whether memory of one is memory of the other.
    pub(crate) fn shares_memory(&self, other: &Device) -> bool {
        match (&self.0, &other.0) {
            (Kind::Cpu(_), Kind::Cpu(_)) => true,
            (Kind::Cuda(one), Kind::Cuda(other)) => one.ordinal() == other.ordinal(),
            _ => false,
        }
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Cpu(_) => f.write_str("Device::cpu()"),
            Kind::Cuda(cuda) => write!(f, "Device::cuda({})", cuda.ordinal()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Cpu(_) => f.write_str("the processor"),
            Kind::Cuda(cuda) => cuda.fmt(f),
        }
    }
}

/// Who wants to know how long each launch took: gets its number and the time.
pub(crate) type Clock<'a> = &'a mut dyn FnMut(usize, Duration);

/// The code of a step on its device, and the memory that its launches work on.
pub(crate) trait Executable: Send {
    /// Tells every launch where a leaf lies that a store holds.
    fn set_leaf(&mut self, leaf: usize, address: *mut u8);

    /// Tells every launch where an input lies. It has as many elements as the leaf, of its type.
    fn set_input(&mut self, leaf: usize, elements: Elements<'_>);

    /// Runs every launch in order and waits for the last one. With a clock, launches run one by one.
    ///
    /// # Safety
    /// Every leaf was set to where it lies: in storage on this device, which nothing else reads while the step writes it,
    /// or in elements that are still borrowed.
    unsafe fn run(&mut self, clock: Option<Clock<'_>>) -> Result<(), Error>;

    /// Where a result of the plan begins: a gradient in [`Executable::gradients`], any other in [`Executable::results`].
    fn offset(&self, result: usize) -> usize;

    /// The results of the last run.
    fn results(&self) -> &Memory;

    /// The gradients of the last run.
    fn gradients(&self) -> Result<&Memory, Error>;

    /// What is to say about the code of each kernel.
    fn emitted(&self) -> &[Emitted];

    /// What runs the step, for listings.
    fn machine(&self) -> String;

    /// What has local memory of its own, for listings.
    fn has_local_memory(&self) -> &'static str;

    /// Whether any of its kernels has work for several threads or thread blocks.
    fn is_spread(&self) -> bool;

    /// What the device does at most for this step, whose memory has so many bytes.
    fn roof(&self, bytes: usize) -> Result<Roof, Error>;
}

/// What is to say about the code of a kernel.
#[derive(Debug)]
pub(crate) struct Emitted {
    /// Values in a vector, or threads in a thread block.
    pub(crate) lanes: usize,
    /// How many values found no register.
    pub(crate) spills: usize,
    /// Why it has fewer lanes than the device.
    pub(crate) refusal: Option<String>,
    /// How many pieces each of its phases has that can be shared out.
    pub(crate) pieces: Vec<usize>,
}

/// What a device does in a second at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Roof {
    /// Floating-point operations in f32.
    pub(crate) flops: f64,
    /// Bytes read and written.
    pub(crate) bandwidth: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_copies_memory_and_has_no_driver() {
        let cpu = Device::cpu();
        assert_eq!(cpu.cuda_properties().expect("nothing is asked"), None);
        for bytes in [0, 1 << 12, (1 << 23) + 1] {
            let bandwidth = cpu.copy_bandwidth(bytes).expect("the machine has memory");
            // No machine moves less than a byte in ten nanoseconds, none a million in one.
            let range = if bytes == 0 { 0.0..1.0 } else { 1e8..1e15 };
            assert!(range.contains(&bandwidth), "{bytes} bytes: {bandwidth}");
        }
    }

    #[test]
    fn every_processor_is_the_same_memory() {
        let (one, other) = (Device::cpu(), Device::cpu_with_lanes(4));
        assert!(one.shares_memory(&other));
        assert_eq!((format!("{one:?}"), one.to_string()), ("Device::cpu()".to_string(), "the processor".to_string()));
    }
}
