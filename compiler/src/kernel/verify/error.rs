//! What may be wrong with a kernel.

use crate::dtype::DType;
use crate::kernel::{Fragment, LoopId, ParameterId, Register, Var};
use crate::nest::Index;
use crate::scalar::ScalarOp;
use thiserror::Error;

/// Why a kernel is none.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum VerifyError {
    /// A variable that is not declared.
    #[error("v{} is not declared", .0.0)]
    Undeclared(Var),
    /// A variable that is defined twice.
    #[error("v{} is defined twice", .0.0)]
    Redefined(Var),
    /// A variable that is used where it is not in scope.
    #[error("v{} is used where it is not defined", .0.0)]
    Undefined(Var),
    /// A variable or register of a type that only arrays have.
    #[error("{0} is a type of arrays, not of variables and registers")]
    Stored(DType),
    /// A register that is not declared, or whose groups are no power of two.
    #[error("s{} is not declared or has groups that are no power of two", .0.0)]
    Register(Register),
    /// A register that is read before it is set.
    #[error("s{} is read before it is set", .0.0)]
    Unset(Register),
    /// A register that is used where it may not be.
    #[error("s{}: {reason}", register.0)]
    Lanes {
        /// The register.
        register: Register,
        /// What is wrong.
        reason: &'static str,
    },
    /// A loop that is not declared, entered twice, or a lanes loop where there may be none.
    #[error("i{}: {reason}", id.0)]
    Loop {
        /// The loop.
        id: LoopId,
        /// What is wrong.
        reason: &'static str,
    },
    /// A parameter that is not there, is loaded from though it is written, or is stored to though it is not.
    #[error("p{}: {reason}", parameter.0)]
    Parameter {
        /// The parameter.
        parameter: ParameterId,
        /// What is wrong.
        reason: &'static str,
    },
    /// An index that is no index here.
    #[error("index {index}: {reason}")]
    Index {
        /// The index.
        index: Index,
        /// What is wrong.
        reason: &'static str,
    },
    /// A load or store that may leave its array.
    #[error("p{} reaches from {low} to {high} of {elements} elements", parameter.0)]
    Bounds {
        /// The array.
        parameter: ParameterId,
        /// The smallest position.
        low: i64,
        /// The largest position.
        high: i64,
        /// How many elements there are.
        elements: usize,
    },
    /// Values of different types where there should be one.
    #[error("{place} is {expected}, but gets {found}")]
    Type {
        /// Where.
        place: String,
        /// Its type.
        expected: DType,
        /// The type of the value.
        found: DType,
    },
    /// An operation on types that it does not take.
    #[error("v{}: {op} does not take {operands:?}", var.0)]
    Operands {
        /// The variable.
        var: Var,
        /// The operation.
        op: ScalarOp,
        /// What it got.
        operands: Vec<DType>,
    },
    /// A fragment that is not declared, not shared by the warps of a block, or has no sums yet.
    #[error("m{}: {reason}", fragment.0)]
    Fragment {
        /// The fragment.
        fragment: Fragment,
        /// What is wrong.
        reason: &'static str,
    },
    /// A statement that stands where it may not.
    #[error("{0}")]
    Place(&'static str),
    /// Scratch or local memory that is not behind all other parameters.
    #[error("scratch or local memory comes before another parameter")]
    Order,
    /// A number of threads that no block has.
    #[error("{0} threads are no power of two of whole warps up to 1024")]
    Threads(usize),
    /// More local memory than a block has.
    #[error("local arrays take {0} bytes, which a block does not have")]
    Shared(usize),
    /// A variable that one phase defines and another uses.
    #[error("v{} is used in another phase than the one that defines it", .0.0)]
    CrossingVar(Var),
    /// A register of two phases.
    #[error("s{} is used in two phases", .0.0)]
    CrossingRegister(Register),
    /// Elements that may be stored more than once.
    #[error("the elements of p{} are not shown to be stored once each", .0.0)]
    Writers(ParameterId),
}
