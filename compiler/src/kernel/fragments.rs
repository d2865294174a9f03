//! Fragments: tiles of sums that the threads of a block keep together, what is contracted into them, and how that is brought
//! to where the block can read it.

use super::{ParameterId, Var, WARP};
use crate::dtype::DType;
use crate::nest::Index;

/// A fragment, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fragment(pub usize);

/// How large a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentDecl {
    /// How many rows it has.
    pub rows: usize,
    /// How many columns.
    pub columns: usize,
}

/// A local array as a matrix, one axis of which is summed along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// The array, all of whose elements have been stored.
    pub array: ParameterId,
    /// Whether neighbours along the axis that is summed along are neighbours in the array; else those along the other axis.
    pub along_depth: bool,
}

impl Factor {
    /// Where an element is in the array: `own` counts along the axis that is not summed along.
    pub fn position(&self, own: usize, summed: usize, extent: usize, depth: usize) -> usize {
        if self.along_depth { own * depth + summed } else { summed * extent + own }
    }
}

/// Neighbouring elements on their way to a local array, whose type they are brought to.
#[derive(Clone, Debug, PartialEq)]
pub struct Transfer {
    /// The array that they come from, which the kernel only reads.
    pub from: ParameterId,
    /// The position of the first of them, a multiple of their number.
    pub source: Index,
    /// The local array.
    pub to: ParameterId,
    /// The position of the first of them there, a multiple of their number.
    pub index: Index,
    /// How many there are, a power of two; 16 bytes at most where they come from.
    pub count: usize,
    /// Where this is false, zeros are stored in their place.
    pub within: Option<Var>,
}

/// How many products are summed up at once.
pub fn mma_depth(dtype: DType) -> usize {
    if dtype == DType::F32 { 8 } else { 16 }
}

/// How the warps of a block share a fragment: so many by so many, each a part of at least 16 by 16, as square as can be.
pub fn warps(fragment: FragmentDecl, threads: usize) -> Option<[usize; 2]> {
    let warps = threads / WARP;
    let fits = |extent: usize, by: usize| extent.is_multiple_of(16 * by);
    let choices = (0..=warps.checked_ilog2()?).map(|power| [1 << power, warps >> power]);
    let fitting = choices.filter(|&[down, across]| fits(fragment.rows, down) && fits(fragment.columns, across));
    fitting.min_by_key(|[down, across]| fragment.rows / down + fragment.columns / across)
}

/// The number with 10 bits behind the leading one that is nearest to a number of f32, ties away from zero.
pub fn tf32(number: f64) -> f64 {
    let number = number as f32;
    match number.is_finite() {
        true => f64::from(f32::from_bits((number.to_bits() + (1 << 12)) & !((1 << 13) - 1))),
        false => f64::from(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_to_tf32_away_from_zero() {
        let unit = 2f64.powi(-10);
        assert_eq!(tf32(1.0 + unit / 2.0), 1.0 + unit);
        assert_eq!(tf32(-1.0 - unit / 2.0), -1.0 - unit);
        assert_eq!(tf32(1.0 + unit * 0.499), 1.0);
        assert_eq!(tf32(f64::from(f32::MAX)), f64::INFINITY);
        assert_eq!(tf32(f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert!(tf32(f64::from(f32::from_bits(0x7fff_ffff))).is_nan());
    }

    #[test]
    fn warps_share_fragments_in_squares() {
        let shared = |rows, columns, threads| warps(FragmentDecl { rows, columns }, threads);
        assert_eq!(shared(128, 128, 256), Some([2, 4]));
        assert_eq!(shared(64, 64, 128), Some([2, 2]));
        assert_eq!(shared(32, 64, 256), Some([2, 4]));
        assert_eq!([shared(32, 32, 256), shared(40, 64, 32)], [None, None]);
    }
}
