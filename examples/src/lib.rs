//! What the example programs share: their one option and their data.

pub mod digits;

use thiserror::Error;

/// Why an example stops.
#[derive(Debug, Error)]
pub enum ExampleError {
    /// A step could not be compiled or run.
    #[error(transparent)]
    Tapeless(#[from] tapeless::Error),
    /// The command line is not understood.
    #[error("{0}; the only option is --smoke")]
    Arguments(#[from] lexopt::Error),
    /// A file has a line that is not understood.
    #[error("line {line}: {found}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
}

/// Whether `--smoke` was given: then an example runs in a moment, to see that it works at all.
pub fn smoke() -> Result<bool, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut smoke = false;
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("smoke") => smoke = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(smoke)
}
