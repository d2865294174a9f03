//! Why a device does not hold what it has to.

use crate::deviation::Deviation;
use tapeless_compiler::backend::ptx::EmitError;
use tapeless_compiler::pipeline::CompileError;
use thiserror::Error;

/// Why something was not held.
#[derive(Debug, Error)]
pub enum Failure {
    /// A step could not be compiled or run.
    #[error(transparent)]
    Step(#[from] tapeless::Error),
    /// A number is further off than it may be.
    #[error("{0}")]
    Off(Deviation),
    /// An array has too many elements or too few.
    #[error("{what} has {found} elements instead of {expected}")]
    Elements {
        /// Which array.
        what: String,
        /// How many it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A run has too many steps or too few.
    #[error("the run has {found} steps instead of {expected}")]
    Steps {
        /// How many it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
}

impl Failure {
    /// Whether the device has no code for it, or no memory: nothing that it computes is wrong.
    pub fn is_unsupported(&self) -> bool {
        match self {
            Failure::Step(tapeless::Error::Compile { source: CompileError::EmitPtx { error, .. }, .. }) => {
                matches!(**error, EmitError::Operation { .. } | EmitError::TooLarge(_))
            }
            Failure::Step(error) => {
                matches!(error, tapeless::Error::OutOfDeviceMemory { .. } | tapeless::Error::OutOfMemory { .. })
            }
            _ => false,
        }
    }
}

/// The deviation, if it holds.
pub(crate) fn held(deviation: Deviation) -> Result<Deviation, Failure> {
    if deviation.holds() { Ok(deviation) } else { Err(Failure::Off(deviation)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapeless_compiler::dtype::DType;
    use tapeless_compiler::scalar::ScalarOp;

    fn emitted(error: EmitError) -> Failure {
        let source = CompileError::EmitPtx { kernel: "sum".to_string(), error: Box::new(error) };
        Failure::Step(tapeless::Error::Compile { step: "Train".to_string(), source })
    }

    #[test]
    fn what_a_device_has_no_code_for_is_not_wrong() {
        assert!(emitted(EmitError::Operation { op: ScalarOp::Exp, dtype: DType::F64 }).is_unsupported());
        assert!(emitted(EmitError::TooLarge("sum".to_string())).is_unsupported());
        assert!(!emitted(EmitError::NoThreads("sum".to_string())).is_unsupported());
        assert!(!Failure::Steps { found: 1, expected: 2 }.is_unsupported());
    }
}
