//! Nests: what a kernel computes, without how.
//!
//! A nest is a rectangle of axes. For each point of its output axes it evaluates `body` over all points of its reduction
//! axes, combines the results with `reducer`, applies `epilogue`, and writes one element. Operands are read through
//! [`Index`] expressions per operand axis: affine in the axes, with quotients and remainders by constants, parts clamped to
//! an axis, and at most one index that is itself a value (gather). Invariants, held by `verify`: every read and write stays inside its operand,
//! each output element is written by exactly one point, scalar operations get the types they take.

mod evaluate;
mod index;
mod print;
mod verify;

pub use evaluate::evaluate;
pub use index::{Atom, Index, Term, flatten, strides, unflatten};
pub(crate) use print::{number, operation};
pub use verify::{VerifyError, verify};

use crate::dtype::DType;
use crate::scalar::ScalarOp;

/// A loop nest over known extents that computes one array.
#[derive(Clone, Debug, PartialEq)]
pub struct Nest {
    /// Extents of all axes: the output axes in row-major order of the result, then the reduction axes.
    pub extents: Vec<usize>,
    /// How many of the axes are output axes.
    pub outputs: usize,
    /// The reads that the body uses.
    pub reads: Vec<Read>,
    /// Evaluated at every point; its last scalar is the result.
    pub body: Body,
    /// How the points of the reduction axes combine; `None` exactly when there are no reduction axes.
    pub reducer: Option<Reducer>,
    /// Applied to the reduced value, [`Scalar::Reduced`]. Only nests with a reducer have one, and only output axes are in
    /// scope.
    pub epilogue: Option<Body>,
    /// The element type that is written.
    pub dtype: DType,
}

/// One operand as seen from the axes of the nest.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// Which operand of the nest.
    pub operand: usize,
    /// The element type of the operand.
    pub dtype: DType,
    /// One index per axis of the operand.
    pub index: Vec<Index>,
}

/// How values combine along the reduction axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reducer {
    /// The sum; 0 of nothing.
    Sum,
    /// The maximum; minus infinity (or the smallest integer) of nothing.
    Max,
    /// The minimum; infinity (or the largest integer) of nothing.
    Min,
    /// The position of the first maximum along the only reduction axis, as u32.
    ArgMax,
}

impl Reducer {
    /// The operation that combines two values; `None` for the position of a maximum, which takes two registers.
    pub fn operation(self) -> Option<ScalarOp> {
        match self {
            Reducer::Sum => Some(ScalarOp::Add),
            Reducer::Max => Some(ScalarOp::Max),
            Reducer::Min => Some(ScalarOp::Min),
            Reducer::ArgMax => None,
        }
    }

    /// The value that changes nothing.
    pub fn identity(self, dtype: DType) -> f64 {
        let (low, high) = match dtype {
            DType::U32 => (0.0, f64::from(u32::MAX)),
            DType::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
            DType::U8 => (0.0, 255.0),
            DType::I64 => (i64::MIN as f64, i64::MAX as f64),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        };
        match self {
            Reducer::Sum => 0.0,
            Reducer::Max | Reducer::ArgMax => low,
            Reducer::Min => high,
        }
    }
}

/// A scalar of a body, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScalarId(pub usize);

/// Straight-line code over scalars: each refers to earlier ones only, the last is the result.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Body {
    /// The scalars in order.
    pub scalars: Vec<Scalar>,
}

/// One scalar of a body.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// The element that a read of the nest finds at this point.
    Read(usize),
    /// A fixed number.
    Constant(DType, f64),
    /// The value of an index expression at this point, as u32.
    Index(Index),
    /// The reduced value; in epilogues only.
    Reduced,
    /// An operation on earlier scalars.
    Apply(ScalarOp, Vec<ScalarId>),
}

impl Body {
    /// Appends a scalar.
    pub fn push(&mut self, scalar: Scalar) -> ScalarId {
        self.scalars.push(scalar);
        ScalarId(self.scalars.len() - 1)
    }

    /// Appends an operation.
    pub fn apply(&mut self, op: ScalarOp, operands: &[ScalarId]) -> ScalarId {
        self.push(Scalar::Apply(op, operands.to_vec()))
    }

    /// Only what a scalar needs; that scalar is the result.
    pub fn part(&self, result: ScalarId) -> Body {
        let mut used = vec![false; self.scalars.len()];
        used[result.0] = true;
        for (at, scalar) in self.scalars.iter().enumerate().rev() {
            if let (true, Scalar::Apply(_, operands)) = (used[at], scalar) {
                operands.iter().for_each(|id| used[id.0] = true);
            }
        }
        let mut part = Body::default();
        let mut ids = Vec::new();
        for (scalar, used) in self.scalars.iter().zip(used) {
            // An unused scalar has no users that would ask for its number.
            ids.push(if used { part.push(scalar.renumbered(&ids)) } else { ScalarId(usize::MAX) });
        }
        part
    }

    /// Appends a constant.
    pub fn constant(&mut self, dtype: DType, value: f64) -> ScalarId {
        self.push(Scalar::Constant(dtype, value))
    }
}

impl Scalar {
    /// The scalar with other numbers for its operands.
    pub fn renumbered(&self, ids: &[ScalarId]) -> Scalar {
        match self {
            Scalar::Apply(op, operands) => Scalar::Apply(*op, operands.iter().map(|id| ids[id.0]).collect()),
            other => other.clone(),
        }
    }
}
