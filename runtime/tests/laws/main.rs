//! Laws on the device: every op, and random graphs over all of them.

mod factors;
mod hold;
mod ops;
mod random_graphs;
#[path = "../samples/mod.rs"]
mod samples;
