//! What all losses share: how the losses of single elements become the result.

use super::{broadcast, mean, mul, reciprocal, sum};
use crate::graph::{Array, Attributes, Builder, Infer, TypeError, ValueId};
use crate::shape::{Shape, Type};

/// What a loss returns, by the attribute `reduction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The mean of all losses.
    Mean,
    /// Their sum.
    Sum,
    /// The losses themselves.
    None,
}

impl Reduction {
    /// The reduction that a call names, while its types are inferred.
    pub fn infer(infer: &Infer<'_>) -> Result<Reduction, TypeError> {
        let word = infer.attributes.word("reduction");
        match Reduction::parse(word) {
            Some(reduction) => Ok(reduction),
            None => infer.error(format!("reduction is mean, sum or none, not {word}")),
        }
    }

    /// The reduction of a call that has its types.
    pub fn of(attributes: &Attributes) -> Reduction {
        Reduction::parse(attributes.word("reduction")).expect("the word was read when the types were inferred")
    }

    fn parse(word: &str) -> Option<Reduction> {
        match word {
            "mean" => Some(Reduction::Mean),
            "sum" => Some(Reduction::Sum),
            "none" => Some(Reduction::None),
            _ => None,
        }
    }

    /// The shape of the result for losses of this shape.
    pub fn shape(self, losses: Shape) -> Shape {
        if self == Reduction::None { losses } else { Shape::scalar() }
    }

    /// The result, from the losses.
    pub fn apply(self, b: &mut Builder<'_>, losses: ValueId) -> ValueId {
        let axes: Vec<usize> = (0..b.ty(losses).rank()).collect();
        match self {
            Reduction::Mean => mean(b, losses, &axes),
            Reduction::Sum => sum(b, losses, &axes),
            Reduction::None => losses,
        }
    }

    /// The cotangent of each loss from that of the result, as one scalar if it is the same for all. `losses` is the shape
    /// of the losses.
    pub fn cotangent(self, b: &mut Builder<'_>, g: ValueId, losses: &Shape) -> ValueId {
        if self != Reduction::Mean {
            return g;
        }
        let Type { dtype, shape } = b.ty(g).clone();
        let share = reciprocal(b, losses.elements(), dtype);
        let share = broadcast(b, share, &shape);
        mul(b, g, share)
    }

    /// The naive meaning.
    pub fn reference(self, losses: Array) -> Array {
        let total = losses.elements.iter().sum::<f64>();
        match self {
            Reduction::Mean => Array::filled(losses.dtype, &[], total / losses.elements.len() as f64),
            Reduction::Sum => Array::filled(losses.dtype, &[], total),
            Reduction::None => losses,
        }
    }
}
