//! Sine and cosine.
//!
//! x is n quarter turns and r, which is at most an eighth of a turn: n says which of the two functions of r, with which sign,
//! is the result. A quarter turn is subtracted in parts, so that the products with n are exact and what is left of x near a
//! root keeps all of its bits, up to [`CIRCULAR_END`](crate::scalar::CIRCULAR_END) even without a fused multiply-add.

use super::{Expansion, Last, ROUNDER};
use crate::dtype::DType;
use crate::kernel::Var;
use crate::scalar::ScalarOp;

/// Half of pi in parts of eight bits, then the rest.
const QUARTER: [f64; 5] = [1.570_312_5, 4.825_592e-4, 1.266_598_7e-6, 9.895_302e-10, 2.563_344e-12];

/// `(sin(r) - r) / r^3` in r^2, highest power first.
const SIN: [f64; 3] = [-1.951_529_589_1e-4, 8.332_160_873_6e-3, -1.666_665_461_1e-1];
/// `(cos(r) - 1 + r^2 / 2) / r^4` in r^2, highest power first.
const COS: [f64; 3] = [2.443_315_711_809_948e-5, -1.388_731_625_493_765e-3, 4.166_664_568_298_827e-2];
/// r is at most this for every x that can be taken apart; for greater x the result is held between -1 and 1 only.
pub(super) const LARGEST: f64 = 0.79;

impl Expansion<'_> {
    pub(super) fn sin(&mut self, x: Var) -> Last {
        let (quarters, r) = self.quarters(x);
        self.turned(quarters, r, &SIN, &COS)
    }

    /// The sine a quarter turn further.
    pub(super) fn cos(&mut self, x: Var) -> Last {
        let (quarters, r) = self.quarters(x);
        let one = self.integer(1.0);
        let next = self.apply(ScalarOp::Add, &[quarters, one]);
        self.turned(next, r, &SIN, &COS)
    }

    /// n and r; the lowest two bits of n are right, whatever the others are.
    fn quarters(&mut self, x: Var) -> (Var, Var) {
        use ScalarOp::*;
        let (per_quarter, rounder) = (self.float(std::f64::consts::FRAC_2_PI), self.float(ROUNDER));
        let rounded = self.apply(Fma, &[x, per_quarter, rounder]);
        let n = self.apply(Sub, &[rounded, rounder]);
        let mut r = x;
        for part in QUARTER {
            let part = self.float(-part);
            r = self.apply(Fma, &[n, part, r]);
        }
        let r = self.at_most(r, LARGEST);
        let r = self.at_least(r, -LARGEST);
        (self.apply(Bits(DType::I32), &[rounded]), r)
    }

    /// The sine of so many quarters and r, with the coefficients that [`SIN`] and [`COS`] are in f32.
    pub(super) fn turned(&mut self, quarters: Var, r: Var, sin: &[f64], cos: &[f64]) -> Last {
        use ScalarOp::*;
        let square = self.apply(Mul, &[r, r]);
        let tail = self.polynomial(sin, square);
        let cube = self.apply(Mul, &[square, r]);
        let sin = self.apply(Fma, &[tail, cube, r]);
        let tail = self.polynomial(cos, square);
        let (one, half) = (self.float(1.0), self.float(-0.5));
        let head = self.apply(Fma, &[square, half, one]);
        let fourth = self.apply(Mul, &[square, square]);
        let cos = self.apply(Fma, &[tail, fourth, head]);
        // The lowest bit of the quarters chooses the function, and the next one the sign; in the place of a sign each can be
        // compared with 0.
        let zero = self.integer(0.0);
        let lowest = self.apply(ShiftLeft(31), &[quarters]);
        let odd = self.apply(Lt, &[lowest, zero]);
        let chosen = self.apply(Select, &[odd, cos, sin]);
        let next = self.apply(ShiftLeft(30), &[quarters]);
        let negative = self.apply(Lt, &[next, zero]);
        let minus = self.apply(Neg, &[chosen]);
        (Select, vec![negative, minus, chosen])
    }
}
