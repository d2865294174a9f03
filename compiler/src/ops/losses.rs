//! What all losses share: how the losses of single elements become the result.

use super::{broadcast, mean, mul, reciprocal, sum};
use crate::graph::{Array, Attribute, Attributes, Builder, Infer, TypeError, ValueId};
use crate::shape::{Extent, Shape, Type};

/// What a loss returns, by the attribute `reduction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The mean of all losses.
    Mean,
    /// Their sum.
    Sum,
    /// The losses themselves.
    None,
    /// The sum divided by the extent of axis 0.
    BatchMean,
}

/// What `reduction` may be for nearly all losses.
pub const REDUCTIONS: &[&str] = &["mean", "sum", "none"];

impl Reduction {
    /// The attribute.
    pub fn attribute(word: &str) -> Attributes {
        Attributes::none().with("reduction", Attribute::Word(word.to_string()))
    }

    /// The reduction that a call names, one of these words, while its types are inferred.
    pub fn infer(infer: &Infer<'_>, words: &[&str]) -> Result<Reduction, TypeError> {
        let word = infer.attributes.word("reduction");
        match Reduction::parse(word).filter(|_| words.contains(&word)) {
            Some(reduction) => Ok(reduction),
            None => infer.error(format!("reduction is one of {}, not {word}", words.join(", "))),
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
            "batchmean" => Some(Reduction::BatchMean),
            _ => None,
        }
    }

    /// The shape of the result for losses of this shape.
    pub fn shape(self, losses: Shape) -> Shape {
        if self == Reduction::None { losses } else { Shape::scalar() }
    }

    /// The result, from the losses.
    pub fn apply(self, b: &mut Builder<'_>, losses: ValueId) -> ValueId {
        let Type { dtype, shape } = b.ty(losses).clone();
        let axes: Vec<usize> = (0..shape.rank()).collect();
        match self {
            Reduction::Mean => mean(b, losses, &axes),
            Reduction::Sum => sum(b, losses, &axes),
            Reduction::None => losses,
            Reduction::BatchMean => {
                let total = sum(b, losses, &axes);
                let share = reciprocal(b, shape.extents()[0].clone(), dtype);
                mul(b, total, share)
            }
        }
    }

    /// The cotangent of each loss from that of the result. `losses` is the shape of the losses.
    pub fn cotangent(self, b: &mut Builder<'_>, g: ValueId, losses: &Shape) -> ValueId {
        let divisor: Extent = match self {
            Reduction::Sum | Reduction::None => return broadcast(b, g, losses),
            Reduction::Mean => losses.elements(),
            Reduction::BatchMean => losses.extents()[0].clone(),
        };
        let dtype = b.dtype(g);
        let share = reciprocal(b, divisor, dtype);
        let each = mul(b, g, share);
        broadcast(b, each, losses)
    }

    /// The naive meaning.
    pub fn reference(self, losses: Array) -> Array {
        let total = losses.elements.iter().sum::<f64>();
        match self {
            Reduction::Mean => Array::filled(losses.dtype, &[], total / losses.elements.len() as f64),
            Reduction::Sum => Array::filled(losses.dtype, &[], total),
            Reduction::None => losses,
            Reduction::BatchMean => Array::filled(losses.dtype, &[], total / losses.shape[0] as f64),
        }
    }
}
