//! Nests: what a kernel computes, without how.
//!
//! A nest is a rectangle of axes. For each point of its output axes it evaluates `body` over all points of its reduction
//! axes, combines the results with `reducer`, applies `epilogue`, and writes one element. Operands are read through
//! [`Index`] expressions per operand axis: affine in the axes, with quotients and remainders by constants and at most one
//! index that is itself a value (gather). Invariants, held by `verify`: every read and write stays inside its operand,
//! each output element is written by exactly one point, scalar operations get the types they take.

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
    /// The value that changes nothing.
    pub fn identity(self, dtype: DType) -> f64 {
        let (low, high) = match dtype {
            DType::U32 => (0.0, f64::from(u32::MAX)),
            DType::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
            DType::U8 => (0.0, 255.0),
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

    /// Appends a constant.
    pub fn constant(&mut self, dtype: DType, value: f64) -> ScalarId {
        self.push(Scalar::Constant(dtype, value))
    }
}

/// A position along one operand axis, or any whole number computed from the axes of a nest:
/// the sum of `coefficient * atom` over the terms, plus the offset.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Index {
    /// The terms; no two have the same atom, none the coefficient 0.
    pub terms: Vec<Term>,
    /// What is added to the terms.
    pub offset: i64,
}

/// One summand of an [`Index`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// The factor; never 0.
    pub coefficient: i64,
    /// What it multiplies.
    pub atom: Atom,
}

/// What an [`Index`] is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Atom {
    /// The position on an axis of the nest.
    Axis(usize),
    /// Floor division of an index that is never negative.
    Quotient(Box<Index>, i64),
    /// The remainder of that division.
    Remainder(Box<Index>, i64),
    /// The element that a read finds, clamped to `0..bound`; the read itself has no such atom.
    Gathered {
        /// Which read of the nest.
        read: usize,
        /// The extent of the axis that it indexes.
        bound: usize,
    },
}

impl Index {
    /// The index that is always this number.
    pub fn constant(offset: i64) -> Index {
        Index { terms: Vec::new(), offset }
    }

    /// The position on an axis.
    pub fn axis(axis: usize) -> Index {
        Index::atom(Atom::Axis(axis))
    }

    /// The index that is one atom.
    pub fn atom(atom: Atom) -> Index {
        Index { terms: vec![Term { coefficient: 1, atom }], offset: 0 }
    }

    /// The sum of two indices.
    pub fn plus(mut self, other: &Index) -> Index {
        self.offset += other.offset;
        for term in &other.terms {
            match self.terms.iter().position(|t| t.atom == term.atom) {
                Some(at) => {
                    self.terms[at].coefficient += term.coefficient;
                    if self.terms[at].coefficient == 0 {
                        self.terms.remove(at);
                    }
                }
                None => self.terms.push(term.clone()),
            }
        }
        self
    }

    /// The index times a number.
    pub fn times(mut self, factor: i64) -> Index {
        if factor == 0 {
            return Index::default();
        }
        self.offset *= factor;
        self.terms.iter_mut().for_each(|term| term.coefficient *= factor);
        self
    }

    /// The smallest and largest value over a rectangle of axes.
    pub fn range(&self, extents: &[usize]) -> (i64, i64) {
        let (mut low, mut high) = (self.offset, self.offset);
        for Term { coefficient, atom } in &self.terms {
            let (a, b) = atom.range(extents);
            let (a, b) = (a * coefficient, b * coefficient);
            low += a.min(b);
            high += a.max(b);
        }
        (low, high)
    }

    /// Floor division by a positive number, with what divides evenly taken out of the quotient.
    pub fn divided(&self, divisor: i64, extents: &[usize]) -> Index {
        let (even, rest) = self.split(divisor);
        let (low, high) = rest.range(extents);
        if low >= 0 && high < divisor {
            return even;
        }
        even.plus(&Index::atom(Atom::Quotient(Box::new(rest), divisor)))
    }

    /// The remainder of the division by a positive number.
    pub fn modulo(&self, divisor: i64, extents: &[usize]) -> Index {
        let (_, rest) = self.split(divisor);
        let (low, high) = rest.range(extents);
        if low >= 0 && high < divisor {
            return rest;
        }
        Index::atom(Atom::Remainder(Box::new(rest), divisor))
    }

    /// Replaces every axis by an index over other axes, whose extents are given; reads keep their numbers plus
    /// `first_read`.
    pub fn substitute(&self, axes: &[Index], extents: &[usize], first_read: usize) -> Index {
        let mut sum = Index::constant(self.offset);
        for Term { coefficient, atom } in &self.terms {
            let replaced = match atom {
                Atom::Axis(axis) => axes[*axis].clone(),
                Atom::Quotient(index, by) => index.substitute(axes, extents, first_read).divided(*by, extents),
                Atom::Remainder(index, by) => index.substitute(axes, extents, first_read).modulo(*by, extents),
                Atom::Gathered { read, bound } => {
                    Index::atom(Atom::Gathered { read: read + first_read, bound: *bound })
                }
            };
            sum = sum.plus(&replaced.times(*coefficient));
        }
        sum
    }

    /// `self = divisor * even + rest`, with as much in `even` as term-wise division allows.
    fn split(&self, divisor: i64) -> (Index, Index) {
        let mut even = Index::constant(self.offset.div_euclid(divisor));
        let mut rest = Index::constant(self.offset.rem_euclid(divisor));
        for term in &self.terms {
            match term.coefficient % divisor {
                0 => {
                    even.terms.push(Term { coefficient: term.coefficient / divisor, atom: term.atom.clone() });
                }
                _ => rest.terms.push(term.clone()),
            }
        }
        (even, rest)
    }
}

impl Atom {
    fn range(&self, extents: &[usize]) -> (i64, i64) {
        match self {
            Atom::Axis(axis) => (0, (extents[*axis] as i64 - 1).max(0)),
            Atom::Quotient(index, by) => {
                let (low, high) = index.range(extents);
                (low.div_euclid(*by), high.div_euclid(*by))
            }
            Atom::Remainder(_, by) => (0, by - 1),
            Atom::Gathered { bound, .. } => (0, (*bound as i64 - 1).max(0)),
        }
    }
}

/// Row-major strides of an array of these extents.
pub fn strides(extents: &[usize]) -> Vec<i64> {
    let mut strides = vec![1; extents.len()];
    for axis in (1..extents.len()).rev() {
        strides[axis - 1] = strides[axis] * extents[axis] as i64;
    }
    strides
}

/// The position in a row-major array of these extents that one index per axis names.
pub fn flatten(index: &[Index], extents: &[usize]) -> Index {
    let mut flat = Index::default();
    for (index, stride) in index.iter().zip(strides(extents)) {
        flat = flat.plus(&index.clone().times(stride));
    }
    flat
}

/// One index per axis of these extents, from the position in the row-major array. `axes` are the extents of the axes that
/// the position is written in.
pub fn unflatten(flat: &Index, extents: &[usize], axes: &[usize]) -> Vec<Index> {
    let mut rest = flat.clone();
    let mut indices = vec![Index::default(); extents.len()];
    for (axis, &extent) in extents.iter().enumerate().rev() {
        let extent = (extent as i64).max(1);
        indices[axis] = if axis == 0 { rest.clone() } else { rest.modulo(extent, axes) };
        rest = rest.divided(extent, axes);
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reshape_that_splits_an_axis_and_joins_it_again_reads_straight() {
        let axes = [6, 4];
        let flat = flatten(&[Index::axis(0), Index::axis(1)], &axes);
        let split = unflatten(&flat, &[2, 3, 4], &axes);
        let joined = unflatten(&flatten(&split, &[2, 3, 4]), &axes, &axes);
        assert_eq!(split[2], Index::axis(1));
        assert_eq!(joined[1], Index::axis(1));
    }

    #[test]
    fn ranges_cover_negative_coefficients() {
        let index = Index::axis(0).times(-2).plus(&Index::constant(10));
        assert_eq!(index.range(&[6]), (0, 10));
        assert_eq!(index.modulo(16, &[6]), index);
    }
}
