//! Exponential, logarithm and hyperbolic tangent of f64 made of basic operations.
//!
//! The coefficients are those of the series, which the reduction of the argument makes short: up to half of ln 2 for the
//! exponential, up to the root of two for the logarithm. As in f32, results are within [`crate::scalar::ScalarOp::ulps`] over the whole range.

use super::Var;
use super::approximate::{Expansion, Last};
use crate::dtype::DType;
use crate::scalar::ScalarOp::*;

/// The upper bits of the natural logarithm of 2: its products with exponents are exact.
const LN_2_UPPER: f64 = 6.931_471_803_691_238e-1;
/// The rest of the natural logarithm of 2.
const LN_2_LOWER: f64 = 1.908_214_929_270_587_7e-10;
/// 1.5 * 2^52: a number of moderate size that is added to it is rounded to a whole number.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// From here on the hyperbolic tangent is 1 in f64.
const TANH_END: f64 = 22.0;

impl Expansion<'_> {
    /// With x = n ln 2 + r, `exp(x)` is `exp(r) * 2^n`, the power in two factors.
    pub(super) fn exp_double(&mut self, x: Var) -> Last {
        // Below, the result is 0, and above, infinite; a NaN passes.
        let x = self.at_most(x, 710.0);
        let x = self.at_least(x, -746.0);
        let (rest, n) = self.without_twos(x);
        let one = self.float(1.0);
        let exp = self.apply(Add, &[rest, one]);
        let half = self.apply(ShiftRight(1), &[n]);
        let rest = self.apply(Sub, &[n, half]);
        let (half, rest) = (self.apply(PowerOfTwo, &[half]), self.apply(PowerOfTwo, &[rest]));
        let scaled = self.apply(Mul, &[exp, half]);
        (Mul, vec![scaled, rest])
    }

    /// `exp(r) - 1` and n as an i32, with x = n ln 2 + r.
    fn without_twos(&mut self, x: Var) -> (Var, Var) {
        let (per_ln_2, rounder) = (self.float(std::f64::consts::LOG2_E), self.float(ROUNDER));
        let near = self.apply(Fma, &[x, per_ln_2, rounder]);
        let n = self.apply(Sub, &[near, rounder]);
        let (upper, lower) = (self.float(-LN_2_UPPER), self.float(-LN_2_LOWER));
        let r = self.apply(Fma, &[n, upper, x]);
        let r = self.apply(Fma, &[n, lower, r]);
        // (exp(r) - 1 - r) / r^2, highest power first.
        let tail = self.polynomial(&inverse_factorials::<12>(2), r);
        let square = self.apply(Mul, &[r, r]);
        let rest = self.apply(Fma, &[tail, square, r]);
        (rest, self.apply(Cast(DType::I32), &[n]))
    }

    /// With x = 2^k m and f = m - 1, `log(x)` is `k ln 2 + log(1 + f)`; with s = f / (2 + f), `log(1 + f)` is
    /// `2 s + 2 s^3 / 3 + 2 s^5 / 5 + …`, where 2 s is f - s f.
    pub(super) fn log_double(&mut self, x: Var) -> Last {
        let (m, k) = self.fraction_and_exponent_double(x);
        let (one, two, half) = (self.float(1.0), self.float(2.0), self.float(0.5));
        let f = self.apply(Sub, &[m, one]);
        let under = self.apply(Add, &[f, two]);
        let s = self.apply(Div, &[f, under]);
        let z = self.apply(Mul, &[s, s]);
        let series: [f64; 11] = std::array::from_fn(|i| 2.0 / (2 * (11 - i) + 1) as f64);
        let series = self.polynomial(&series, z);
        let series = self.apply(Mul, &[series, z]);
        let square = self.apply(Mul, &[f, f]);
        let square = self.apply(Mul, &[square, half]);
        let inner = self.apply(Add, &[square, series]);
        let (upper, lower) = (self.float(LN_2_UPPER), self.float(LN_2_LOWER));
        let low = self.apply(Mul, &[k, lower]);
        let inner = self.apply(Fma, &[s, inner, low]);
        let rest = self.apply(Sub, &[square, inner]);
        let rest = self.apply(Sub, &[rest, f]);
        let high = self.apply(Mul, &[k, upper]);
        let log = self.apply(Sub, &[high, rest]);
        // Infinity and NaN stay what they are; 0 gives minus infinity, and what is below 0 NaN.
        let (infinity, zero, lowest, nan) =
            (self.float(f64::INFINITY), self.float(0.0), self.float(f64::NEG_INFINITY), self.float(f64::NAN));
        let finite = self.apply(Lt, &[x, infinity]);
        let log = self.apply(Select, &[finite, log, x]);
        let is_zero = self.apply(Eq, &[x, zero]);
        let special = self.apply(Select, &[is_zero, lowest, nan]);
        let not_above = self.apply(Le, &[x, zero]);
        (Select, vec![not_above, special, log])
    }

    /// m between the roots of a half and of two, and the whole number k as f64, so that x = 2^k m.
    fn fraction_and_exponent_double(&mut self, x: Var) -> (Var, Var) {
        // Numbers below the normal ones are scaled up first, by 2^54.
        let (least, scale) = (self.float(f64::MIN_POSITIVE), self.float(18_014_398_509_481_984.0));
        let small = self.apply(Lt, &[x, least]);
        let scaled = self.apply(Mul, &[x, scale]);
        let scaled = self.apply(Select, &[small, scaled, x]);
        let exponent = self.apply(Exponent, &[scaled]);
        let down = self.apply(Neg, &[exponent]);
        let half = self.apply(ShiftRight(1), &[down]);
        let rest = self.apply(Sub, &[down, half]);
        let (half, rest) = (self.apply(PowerOfTwo, &[half]), self.apply(PowerOfTwo, &[rest]));
        let m = self.apply(Mul, &[scaled, half]);
        let m = self.apply(Mul, &[m, rest]);
        let k = self.apply(Cast(DType::F64), &[exponent]);
        let (root, half, one) = (self.float(std::f64::consts::SQRT_2), self.float(0.5), self.float(1.0));
        let above = self.apply(Lt, &[root, m]);
        let halved = self.apply(Mul, &[m, half]);
        let m = self.apply(Select, &[above, halved, m]);
        let next = self.apply(Add, &[k, one]);
        let k = self.apply(Select, &[above, next, k]);
        let shift = self.float(54.0);
        let shifted = self.apply(Sub, &[k, shift]);
        (m, self.apply(Select, &[small, shifted, k]))
    }

    /// With t = exp(2 x) - 1, `tanh(x)` is `t / (t + 2)`.
    pub(super) fn tanh_double(&mut self, x: Var) -> Last {
        let x = self.at_most(x, TANH_END);
        let x = self.at_least(x, -TANH_END);
        let double = self.apply(Add, &[x, x]);
        let (rest, n) = self.without_twos(double);
        let power = self.apply(PowerOfTwo, &[n]);
        let (one, two) = (self.float(1.0), self.float(2.0));
        let whole = self.apply(Sub, &[power, one]);
        let t = self.apply(Fma, &[rest, power, whole]);
        let under = self.apply(Add, &[t, two]);
        (Div, vec![t, under])
    }
}

/// The numbers 1 / k! for as many k as wanted, from `first` on, the last one first.
fn inverse_factorials<const COUNT: usize>(first: u32) -> [f64; COUNT] {
    std::array::from_fn(|i| {
        let k = first + (COUNT - 1 - i) as u32;
        1.0 / (1..=k).map(f64::from).product::<f64>()
    })
}
