//! The verifier of nests: what every pass that makes a nest is held to.

use super::{Atom, Body, Index, Nest, Reducer, Scalar, ScalarId};
use crate::dtype::DType;
use crate::scalar::ScalarOp;
use thiserror::Error;

/// Why a nest is none.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum VerifyError {
    /// More output axes than axes.
    #[error("{outputs} output axes of {axes} axes")]
    Outputs {
        /// The output axes.
        outputs: usize,
        /// All axes.
        axes: usize,
    },
    /// A reducer without reduction axes, or the other way round.
    #[error("reducer {reducer:?} with {axes} reduction axes")]
    Reducer {
        /// The reducer.
        reducer: Option<Reducer>,
        /// How many reduction axes.
        axes: usize,
    },
    /// A reducer that does not take what the body gives.
    #[error("{reducer:?} over {dtype}")]
    ReducerType {
        /// The reducer.
        reducer: Reducer,
        /// What the body gives.
        dtype: DType,
    },
    /// An epilogue without a reducer.
    #[error("an epilogue without a reducer")]
    Epilogue,
    /// A read of an operand that is not there.
    #[error("read {read} is of operand {operand} of {operands}")]
    Operand {
        /// The read.
        read: usize,
        /// Its operand.
        operand: usize,
        /// How many operands there are.
        operands: usize,
    },
    /// A read with more or fewer indices than the operand has axes.
    #[error("read {read} has {indices} indices for {axes} axes")]
    Rank {
        /// The read.
        read: usize,
        /// Its indices.
        indices: usize,
        /// The axes of its operand.
        axes: usize,
    },
    /// A read that may leave its operand.
    #[error("read {read} reaches from {low} to {high} on axis {axis} of extent {extent}")]
    Bounds {
        /// The read.
        read: usize,
        /// The axis of the operand.
        axis: usize,
        /// The smallest position.
        low: i64,
        /// The largest position.
        high: i64,
        /// The extent.
        extent: usize,
    },
    /// An index that is no index of this nest at this place.
    #[error("index {index}: {reason}")]
    Index {
        /// The index.
        index: Index,
        /// What is wrong.
        reason: &'static str,
    },
    /// A body without a scalar.
    #[error("an empty body")]
    EmptyBody,
    /// A scalar that is not allowed where it stands.
    #[error("scalar {scalar}: {reason}")]
    Scalar {
        /// The scalar.
        scalar: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// An operation on types that it does not take.
    #[error("scalar {scalar}: {op} does not take {operands:?}")]
    Operands {
        /// The scalar.
        scalar: usize,
        /// The operation.
        op: ScalarOp,
        /// What it got.
        operands: Vec<DType>,
    },
    /// A result of another type than the nest writes.
    #[error("the nest writes {written}, but its result is {result}")]
    Result {
        /// What the nest says.
        written: DType,
        /// What its bodies give.
        result: DType,
    },
}

/// Holds a nest to its invariants; `operand_shapes` are the extents of its operands.
pub fn verify(nest: &Nest, operand_shapes: &[Vec<usize>]) -> Result<(), VerifyError> {
    verify_axes(nest)?;
    let empty = nest.extents.contains(&0);
    for read in 0..nest.reads.len() {
        verify_read(nest, read, operand_shapes, empty)?;
    }
    let mut result = types(nest, &nest.body, None)?;
    if let Some(reducer) = nest.reducer {
        result = reduced_type(reducer, result)?;
    }
    if let Some(epilogue) = &nest.epilogue {
        result = types(nest, epilogue, Some(result))?;
    }
    match result == nest.dtype {
        true => Ok(()),
        false => Err(VerifyError::Result { written: nest.dtype, result }),
    }
}

fn verify_axes(nest: &Nest) -> Result<(), VerifyError> {
    let axes = nest.extents.len();
    let Some(reductions) = axes.checked_sub(nest.outputs) else {
        return Err(VerifyError::Outputs { outputs: nest.outputs, axes });
    };
    let fits = match nest.reducer {
        None => reductions == 0,
        Some(Reducer::ArgMax) => reductions == 1,
        Some(_) => reductions > 0,
    };
    if !fits {
        return Err(VerifyError::Reducer { reducer: nest.reducer, axes: reductions });
    }
    if nest.epilogue.is_some() && nest.reducer.is_none() {
        return Err(VerifyError::Epilogue);
    }
    Ok(())
}

fn verify_read(nest: &Nest, number: usize, shapes: &[Vec<usize>], empty: bool) -> Result<(), VerifyError> {
    let read = &nest.reads[number];
    let Some(shape) = shapes.get(read.operand) else {
        return Err(VerifyError::Operand { read: number, operand: read.operand, operands: shapes.len() });
    };
    if read.index.len() != shape.len() {
        return Err(VerifyError::Rank { read: number, indices: read.index.len(), axes: shape.len() });
    }
    for (axis, (index, &extent)) in read.index.iter().zip(shape).enumerate() {
        verify_index(nest, index, nest.extents.len())?;
        let (low, high) = index.range(&nest.extents);
        // A nest without points reads nothing, unless the epilogue does; what that reads is checked over its own points.
        let read_at_all = !empty || (uses_read(nest.epilogue.as_ref(), number) && !outputs(nest).contains(&0));
        if read_at_all && (low < 0 || high >= extent as i64) {
            return Err(VerifyError::Bounds { read: number, axis, low, high, extent });
        }
    }
    Ok(())
}

fn outputs(nest: &Nest) -> &[usize] {
    &nest.extents[..nest.outputs]
}

fn uses_read(body: Option<&Body>, read: usize) -> bool {
    body.is_some_and(|body| body.scalars.contains(&Scalar::Read(read)))
}

/// An index may use the first `axes` axes, divide only what is never negative, and gather through plain reads of integers.
fn verify_index(nest: &Nest, index: &Index, axes: usize) -> Result<(), VerifyError> {
    let error = |reason| Err(VerifyError::Index { index: index.clone(), reason });
    for term in &index.terms {
        match &term.atom {
            Atom::Axis(axis) if *axis >= axes => return error("uses an axis that is not in scope"),
            Atom::Axis(_) => {}
            Atom::Quotient(inner, by) | Atom::Remainder(inner, by) => {
                verify_index(nest, inner, axes)?;
                if *by <= 0 || inner.range(&nest.extents).0 < 0 {
                    return error("divides by less than one or what may be negative");
                }
            }
            Atom::Clamped(inner, bound) => {
                verify_index(nest, inner, axes)?;
                if *bound <= 0 {
                    return error("clamps to nothing");
                }
            }
            Atom::Gathered { read, .. } => match nest.reads.get(*read) {
                None => return error("gathers through a read that is not there"),
                Some(read) if !read.dtype.is_integer() => return error("gathers through a read of no integers"),
                Some(read) if read.index.iter().any(has_gathered) => return error("gathers through a gathering read"),
                Some(read) if read.index.iter().any(|index| index.any(&mut |atom| beyond(atom, axes))) => {
                    return error("gathers through a read of axes that are not in scope");
                }
                Some(_) => {}
            },
        }
    }
    Ok(())
}

fn has_gathered(index: &Index) -> bool {
    index.any(&mut |atom| matches!(atom, Atom::Gathered { .. }))
}

fn beyond(atom: &Atom, axes: usize) -> bool {
    matches!(atom, Atom::Axis(axis) if *axis >= axes)
}

fn reduced_type(reducer: Reducer, dtype: DType) -> Result<DType, VerifyError> {
    match reducer {
        _ if dtype == DType::Bool => Err(VerifyError::ReducerType { reducer, dtype }),
        Reducer::ArgMax => Ok(DType::U32),
        Reducer::Sum | Reducer::Max | Reducer::Min => Ok(dtype),
    }
}

/// The type of the last scalar; `reduced` is what an epilogue starts from.
fn types(nest: &Nest, body: &Body, reduced: Option<DType>) -> Result<DType, VerifyError> {
    let axes = if reduced.is_some() { nest.outputs } else { nest.extents.len() };
    let mut types: Vec<DType> = Vec::new();
    for (number, scalar) in body.scalars.iter().enumerate() {
        let error = |reason| VerifyError::Scalar { scalar: number, reason };
        types.push(match scalar {
            Scalar::Read(read) => {
                let read = nest.reads.get(*read).ok_or(error("uses a read that is not there"))?;
                read.index.iter().try_for_each(|index| verify_index(nest, index, axes))?;
                read.dtype
            }
            Scalar::Constant(dtype, _) => *dtype,
            Scalar::Index(index) => {
                verify_index(nest, index, axes)?;
                if !nest.extents.contains(&0) && index.range(&nest.extents).0 < 0 {
                    return Err(error("is an index that may be negative"));
                }
                DType::U32
            }
            Scalar::Reduced => reduced.ok_or(error("is the reduced value outside of an epilogue"))?,
            Scalar::Apply(op, operands) => {
                let dtype = |&ScalarId(operand): &ScalarId| types.get(operand).copied();
                let operands: Option<Vec<DType>> = operands.iter().map(dtype).collect();
                let operands = operands.ok_or(error("uses a scalar that comes later"))?;
                op.result(&operands).ok_or(VerifyError::Operands { scalar: number, op: *op, operands })?
            }
        });
    }
    types.last().copied().ok_or(VerifyError::EmptyBody)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nest::Read;

    fn row_sums() -> Nest {
        let mut body = Body::default();
        body.push(Scalar::Read(0));
        Nest {
            extents: vec![3, 5],
            outputs: 1,
            reads: vec![Read { operand: 0, dtype: DType::F32, index: vec![Index::axis(0), Index::axis(1)] }],
            body,
            reducer: Some(Reducer::Sum),
            epilogue: None,
            dtype: DType::F32,
        }
    }

    #[test]
    fn prints() {
        let mut nest = row_sums();
        let mut epilogue = Body::default();
        let reduced = epilogue.push(Scalar::Reduced);
        let scale = epilogue.constant(DType::F32, 0.2);
        epilogue.apply(ScalarOp::Mul, &[reduced, scale]);
        nest.epilogue = Some(epilogue);
        nest.reads[0].index[1] = Index::axis(1).plus(&Index::axis(0).divided(2, &[3, 5]).times(-1));
        insta::assert_snapshot!(nest.to_string(), @r"
        nest f32[3] sum over [5]
            r0 = f32 operand 0[a0, a1 - (a0 / 2)]
            body
                %0 = r0
            epilogue
                %0 = reduced
                %1 = f32 0.2
                %2 = mul(%0, %1)
        ");
    }

    #[test]
    fn names_what_is_wrong() {
        let shapes = [vec![3, 5]];
        assert_eq!(verify(&row_sums(), &shapes), Ok(()));
        let bounds = VerifyError::Bounds { read: 0, axis: 1, low: 0, high: 4, extent: 4 };
        assert_eq!(verify(&row_sums(), &[vec![3, 4]]), Err(bounds));
        let mut nest = row_sums();
        nest.reducer = None;
        assert_eq!(verify(&nest, &shapes), Err(VerifyError::Reducer { reducer: None, axes: 1 }));
        let mut nest = row_sums();
        nest.dtype = DType::I32;
        assert_eq!(verify(&nest, &shapes), Err(VerifyError::Result { written: DType::I32, result: DType::F32 }));
        let mut nest = row_sums();
        nest.body.apply(ScalarOp::Not, &[ScalarId(0)]);
        let operands = vec![DType::F32];
        assert_eq!(verify(&nest, &shapes), Err(VerifyError::Operands { scalar: 1, op: ScalarOp::Not, operands }));
    }

    #[test]
    fn an_epilogue_sees_output_axes_only() {
        let mut nest = row_sums();
        let mut epilogue = Body::default();
        epilogue.push(Scalar::Read(0));
        nest.epilogue = Some(epilogue);
        assert!(matches!(verify(&nest, &[vec![3, 5]]), Err(VerifyError::Index { .. })));
    }

    #[test]
    fn what_is_clamped_is_in_bounds() {
        let shapes = [vec![3, 5]];
        let mut nest = row_sums();
        nest.reads[0].index[1] = Index::axis(1).plus(&Index::constant(-2));
        assert!(matches!(verify(&nest, &shapes), Err(VerifyError::Bounds { low: -2, high: 2, .. })));
        nest.reads[0].index[1] = Index::atom(Atom::Clamped(Box::new(nest.reads[0].index[1].clone()), 5));
        assert_eq!(verify(&nest, &shapes), Ok(()));
        assert!(nest.to_string().contains("operand 0[a0, clamp(a1 - 2, 5)]"), "{nest}");
        nest.reads[0].index[1] = Index::atom(Atom::Clamped(Box::new(Index::axis(1)), 0));
        assert!(matches!(verify(&nest, &shapes), Err(VerifyError::Index { reason: "clamps to nothing", .. })));
        nest.reads[0].index[1] = Index::atom(Atom::Clamped(Box::new(Index::axis(2)), 5));
        assert!(matches!(verify(&nest, &shapes), Err(VerifyError::Index { .. })));
    }

    #[test]
    fn a_gather_is_clamped_and_so_in_bounds() {
        let mut nest = row_sums();
        nest.reads.push(Read { operand: 1, dtype: DType::U32, index: vec![Index::axis(0)] });
        nest.reads[0].index[0] = Index::atom(Atom::Gathered { read: 1, bound: 7 });
        assert_eq!(verify(&nest, &[vec![7, 5], vec![3]]), Ok(()));
        assert!(matches!(verify(&nest, &[vec![6, 5], vec![3]]), Err(VerifyError::Bounds { extent: 6, .. })));
        nest.reads[1].dtype = DType::F32;
        assert!(matches!(verify(&nest, &[vec![7, 5], vec![3]]), Err(VerifyError::Index { .. })));
    }
}
