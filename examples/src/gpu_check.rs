//! Tries a device: everything that it has to hold, and how fast it is.
//!
//! The options come in; sections of Markdown go to the output, row by row as they are found out, and what was held, what
//! failed and what the device has no code or memory for is counted. What is slow is no failure.

pub mod arguments;
mod copies;
mod correctness;
mod device;
mod elementwise;
mod sheet;
mod steps;
mod timed;

pub use sheet::{Sheet, Verdict};

use crate::ExampleError;
use arguments::Arguments;
use copies::Copies;

/// Elementwise kernels should move this share of the bytes that copies move in the same time.
const ENOUGH: f64 = 0.8;

/// Tries the device that the options name.
pub fn check(arguments: &Arguments) -> Result<Sheet, ExampleError> {
    let found = device::find(arguments.device)?;
    let mut sheet = Sheet::new(arguments);
    device::describe(&found, &mut sheet)?;
    let size = if arguments.smoke || found.is_emulated() { Size::Small } else { Size::Large };
    correctness::goldens(&found.device, size, &mut sheet);
    correctness::laws(&found.device, &mut sheet);
    let mut copies = Copies::new(&found.device, size);
    elementwise::time(&found.device, size, &mut copies, &mut sheet);
    steps::time(&found.device, size, &mut copies, &mut sheet);
    match sheet.is_empty() {
        true => Err(ExampleError::NothingToCheck { only: arguments.only.clone().unwrap_or_default() }),
        false => Ok(sheet),
    }
}

/// How large what is timed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    /// So large that times say something: arrays that no cache holds.
    Large,
    /// So small that even an emulator is done in a moment.
    Small,
}

impl Size {
    /// The bytes of an array in f32 that a copy or an elementwise kernel goes through.
    fn bytes(self) -> usize {
        match self {
            Size::Large => 4 * 67_108_864,
            Size::Small => 4 * 65_536,
        }
    }
}
