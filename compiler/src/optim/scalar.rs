//! Numbers that rules compute with: known while the graph is built, or values of it.
//!
//! What is known is folded in f64; what is not becomes a node of f32.

use crate::dtype::DType;
use crate::graph::{Builder, ValueId};
use crate::ops;

/// A number that is fixed, or that changes from run to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// Fixed.
    Constant(f64),
    /// A float scalar of the graph.
    Graph(ValueId),
}

impl Scalar {
    /// Whether it is known to be 0, so that what it multiplies need not be built.
    pub fn is_zero(self) -> bool {
        self == Scalar::Constant(0.0)
    }

    /// The scalar as a value of this element type.
    pub fn value(self, b: &mut Builder<'_>, dtype: DType) -> ValueId {
        match self {
            Scalar::Constant(number) => ops::constant(b, number, dtype),
            Scalar::Graph(value) => ops::cast(b, value, dtype),
        }
    }

    /// The scalar everywhere, with the type of `like`.
    pub fn like(self, b: &mut Builder<'_>, like: ValueId) -> ValueId {
        let (dtype, shape) = (b.dtype(like), b.shape(like));
        let value = self.value(b, dtype);
        ops::broadcast(b, value, &shape)
    }

    /// `x` times the scalar.
    pub fn times(self, b: &mut Builder<'_>, x: ValueId) -> ValueId {
        let factor = self.like(b, x);
        ops::mul(b, factor, x)
    }

    /// 1 - s
    pub fn rest(self, b: &mut Builder<'_>) -> Scalar {
        self.combine(b, Scalar::Constant(1.0), |s, one| one - s, |b, s, one| ops::sub(b, one, s))
    }

    /// Both multiplied.
    pub fn product(self, b: &mut Builder<'_>, other: Scalar) -> Scalar {
        self.combine(b, other, |s, o| s * o, ops::mul)
    }

    /// This over the other.
    pub fn over(self, b: &mut Builder<'_>, other: Scalar) -> Scalar {
        self.combine(b, other, |s, o| s / o, ops::div)
    }

    fn combine(
        self,
        b: &mut Builder<'_>,
        other: Scalar,
        known: fn(f64, f64) -> f64,
        node: fn(&mut Builder<'_>, ValueId, ValueId) -> ValueId,
    ) -> Scalar {
        if let (Scalar::Constant(first), Scalar::Constant(second)) = (self, other) {
            return Scalar::Constant(known(first, second));
        }
        let (first, second) = (self.value(b, DType::F32), other.value(b, DType::F32));
        Scalar::Graph(node(b, first, second))
    }
}
