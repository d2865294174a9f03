//! Stores and steps on a CUDA device, through what users see. Without a driver the tests say that they skip, and why; with
//! the emulator of the driver in `LD_LIBRARY_PATH` they run on any machine.

mod device;
mod devices;
mod faults;
mod models;
mod precision;
mod process;
mod steps;
mod stores;
