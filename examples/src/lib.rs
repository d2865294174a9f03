//! What the example programs share: their options and their data.

pub mod arguments;
pub mod digits;
pub mod faces;
pub mod gpu_check;
pub mod grammar;
pub mod landscape;
pub mod mnist;
pub mod pictures;
pub mod text;

use landscape::LandscapeError;
use mnist::MnistError;
use std::fmt;
use std::io;
use std::path::PathBuf;
use tapeless_data::{DataError, MetricError};
use thiserror::Error;

/// Why an example stops.
#[derive(Error)]
pub enum ExampleError {
    /// A step could not be compiled or run.
    #[error(transparent)]
    Tapeless(#[from] tapeless::Error),
    /// Arrays are no data set.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Predictions are no classes.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// The command line is not understood.
    #[error("{source}; {options}")]
    Arguments {
        /// What is not understood.
        source: lexopt::Error,
        /// What there is.
        options: String,
    },
    /// The example needs files that were not given.
    #[error("no data: give --data DIR, where DIR holds {files}, or --smoke")]
    NoData {
        /// Which files.
        files: &'static str,
    },
    /// The files of MNIST are not understood.
    #[error(transparent)]
    Mnist(#[from] MnistError),
    /// An option has not the value that was given.
    #[error("--{option} is one of {known}, not {given}")]
    NoSuch {
        /// The option.
        option: &'static str,
        /// What it may be.
        known: &'static str,
        /// What it is.
        given: String,
    },
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A text has not even one window for each of its parts.
    #[error("the text is too short: both parts need {needed} bytes, one has {found}")]
    ShortText {
        /// How many bytes each part needs.
        needed: usize,
        /// How many the shorter one has.
        found: usize,
    },
    /// An option is a number, and was given something else.
    #[error("--{option} is a whole number from 1 on, not {given}")]
    NoNumber {
        /// The option.
        option: &'static str,
        /// What it is.
        given: String,
    },
    /// A file cannot be written.
    #[error("{}: {source}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Arrays cannot be written.
    #[error("{}: {source}", file.display())]
    Save {
        /// The file.
        file: PathBuf,
        /// Why.
        source: safetensors::SafeTensorError,
    },
    /// A picture cannot be drawn.
    #[error(transparent)]
    Landscape(#[from] LandscapeError),
    /// Nothing has the name that was given.
    #[error("there is nothing to check with `{only}` in its name")]
    NothingToCheck {
        /// The name.
        only: String,
    },
    /// A file has a line that is not understood.
    #[error("line {line}: {found}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
}

/// What `main` returns is printed by way of this, so it is the text of the error.
impl fmt::Debug for ExampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
