//! What a device has to hold, as library code: tests hold it, and so do programs that try a device.
//!
//! [`goldens`] are whole training runs that PyTorch recorded in float64, [`laws`] hold every op of the compiler against its
//! reference. A device and options come in; how far the numbers are off leaves, as a share of how far they may be, or a
//! [`Failure`] with both sides.

#![forbid(unsafe_code)]

mod deviation;
mod failure;
pub mod goldens;
pub mod hold;
pub mod laws;

pub use deviation::Deviation;
pub use failure::Failure;
