//! Laws on the device: every op, and random graphs over all of them.

#[path = "../cuda/device.rs"]
mod device;
mod factors;
mod ops;
mod random_graphs;
