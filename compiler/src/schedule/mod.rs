//! Schedules: from what a kernel computes to how.
//!
//! A nest becomes a kernel in three steps. [`Flat::new`] sees each operand as one row of elements, and splits and joins axes
//! until positions hold as few divisions as possible. [`choose`] makes a [`Schedule`], plain data: which loops there are and
//! in which order, which of them runs in lanes, which are unrolled, and
//! whether a sum has a [`Form`] that takes each value once. [`apply`] writes the kernel that the schedule says.

mod apply;
mod choose;
mod contraction;
mod evaluate;
mod flat;
mod form;
mod gpu;
mod parts;
mod scope;
mod spread;
mod sums;
mod threads;
mod tiled;
mod tiles;

pub use apply::apply;
pub use choose::{Level, Schedule, choose};
pub use contraction::{Contraction, contraction};
pub use flat::{Flat, FlatRead};
pub use form::{Form, Running, Scattered, form};
pub use parts::parts_kernel;
pub use tiles::{Blocks, Side, Tiles};

use crate::kernel::Kernel;
use crate::nest::Nest;
use crate::target::Target;

/// One of several nests that become one kernel.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// What is computed. Operand numbers of its reads are positions of operands, and behind those, of earlier parts.
    pub nest: &'a Nest,
    /// Which axis of the nest each shared one is. A part may sum up along shared axes, all of them; no other part reads it.
    pub axes: &'a [usize],
    /// Whether the result is in memory after the launch.
    pub kept: bool,
}

/// The kernel of a nest for a machine: one parameter per operand in order, then the output.
///
/// Sums of float products accumulate with [`crate::scalar::ScalarOp::Fma`]. The nest must be verified against these shapes.
pub fn kernel(nest: &Nest, operand_shapes: &[Vec<usize>], name: &str, target: &Target) -> Kernel {
    let flat = Flat::new(nest, operand_shapes);
    flat_kernel(&flat, name, target)
}

/// The kernel of a flat nest for a machine.
fn flat_kernel(flat: &Flat, name: &str, target: &Target) -> Kernel {
    let on_gpu = target.threads().and_then(|threads| gpu::kernel(flat, name, threads, target.precision));
    for_target(on_gpu.unwrap_or_else(|| apply(flat, &choose(flat, target), name)), target)
}

/// The kernel as it is on a machine: on a GPU it says how many threads a block has, if it does not do so already.
fn for_target(kernel: Kernel, target: &Target) -> Kernel {
    match target.threads() {
        Some(threads) => {
            let threads = kernel.threads.unwrap_or(threads);
            threads::on_threads(kernel, threads)
        }
        None => kernel,
    }
}
