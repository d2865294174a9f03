//! Exponential functions and logarithms.

use super::{Expansion, Last, ROUNDER, ROUNDER_BITS};
use crate::dtype::DType;
use crate::kernel::Var;
use crate::scalar::ScalarOp;

/// The upper bits of the natural logarithm of 2: its products with exponents are exact.
const LN_2_UPPER: f64 = 0.693_359_375;
/// The rest of the natural logarithm of 2.
const LN_2_LOWER: f64 = -2.121_944_4e-4;

/// `(exp(r) - 1 - r) / r^2` for r up to half of ln 2, highest power first.
const EXP: [f64; 6] = [
    1.987_569_15e-4,
    1.398_199_950_7e-3,
    8.333_451_907_3e-3,
    4.166_579_589_4e-2,
    1.666_666_545_9e-1,
    5.000_000_120_1e-1,
];

/// `(log(1 + r) - r + r^2 / 2) / r^3` for 1 + r between the roots of a half and of two, highest power first.
const LOG: [f64; 9] = [
    7.037_683_629_2e-2,
    -1.151_461_031e-1,
    1.167_699_874e-1,
    -1.242_014_084_6e-1,
    1.424_932_278_7e-1,
    -1.666_805_766_5e-1,
    2.000_071_476_5e-1,
    -2.499_999_399_3e-1,
    3.333_333_117_4e-1,
];

/// x as n ln 2 + r, so that e to the power x is `exp(r) * 2^n`.
struct Exponent {
    r: Var,
    /// `exp(r) - 1 - r` as a product of two.
    tail: (Var, Var),
    /// n in two parts. Powers come in two factors, so that neither leaves the normal numbers before their product does.
    n: (Var, Var),
}

impl Expansion<'_> {
    pub(super) fn exp(&mut self, x: Var) -> Last {
        use ScalarOp::*;
        let Exponent { r, tail, n } = self.exponent(x);
        let one = self.float(1.0);
        let head = self.apply(Add, &[r, one]);
        let exp = self.apply(Fma, &[tail.0, tail.1, head]);
        let (half, rest) = (self.power_of_two(n.0), self.power_of_two(n.1));
        let scaled = self.apply(Mul, &[exp, half]);
        (Mul, vec![scaled, rest])
    }

    /// `exp(x) - 1` is `(exp(r) - 1) * 2^n + (2^n - 1)`, all of it over the second factor of the power.
    pub(super) fn expm1(&mut self, x: Var) -> Last {
        use ScalarOp::*;
        let Exponent { r, tail, n } = self.exponent(x);
        let exp = self.apply(Fma, &[tail.0, tail.1, r]);
        let (half, rest) = (self.power_of_two(n.0), self.power_of_two(n.1));
        let minus = self.apply(Neg, &[n.1]);
        let under = self.power_of_two(minus);
        let whole = self.apply(Sub, &[half, under]);
        let scaled = self.apply(Fma, &[exp, half, whole]);
        (Mul, vec![scaled, rest])
    }

    fn exponent(&mut self, x: Var) -> Exponent {
        use ScalarOp::*;
        // Below, the power is 0, and above, infinite; a NaN passes.
        let x = self.at_most(x, 89.0);
        let x = self.at_least(x, -104.0);
        let per_ln_2 = self.float(std::f64::consts::LOG2_E);
        let rounder = self.float(ROUNDER);
        let rounded = self.apply(Fma, &[x, per_ln_2, rounder]);
        let n = self.apply(Sub, &[rounded, rounder]);
        let (upper, lower) = (self.float(-LN_2_UPPER), self.float(-LN_2_LOWER));
        let r = self.apply(Fma, &[n, upper, x]);
        let r = self.apply(Fma, &[n, lower, r]);
        let tail = self.polynomial(&EXP, r);
        let square = self.apply(Mul, &[r, r]);
        let bits = self.apply(Bits(DType::I32), &[rounded]);
        let rounder_bits = self.integer(ROUNDER_BITS);
        let n = self.apply(Sub, &[bits, rounder_bits]);
        let half = self.apply(ShiftRight(1), &[n]);
        let rest = self.apply(Sub, &[n, half]);
        Exponent { r, tail: (tail, square), n: (half, rest) }
    }

    /// `log(1 + x)` is the logarithm of the rounded sum and, relative to that sum, what rounding took away.
    pub(super) fn log1p(&mut self, x: Var) -> Last {
        use ScalarOp::*;
        let one = self.float(1.0);
        let sum = self.apply(Add, &[one, x]);
        let (op, operands) = self.log(sum);
        let log = self.apply(op, &operands);
        let kept = self.apply(Sub, &[sum, one]);
        let lost = self.apply(Sub, &[x, kept]);
        let correction = self.apply(Div, &[lost, sum]);
        let corrected = self.apply(Add, &[log, correction]);
        // At infinity and at -1 the correction is no number and the logarithm is infinite.
        let size = self.apply(Abs, &[log]);
        let infinity = self.float(f64::INFINITY);
        let finite = self.apply(Lt, &[size, infinity]);
        (Select, vec![finite, corrected, log])
    }

    /// With x = 2^k m, `log(x)` is `k ln 2 + log(m)`.
    pub(super) fn log(&mut self, x: Var) -> Last {
        use ScalarOp::*;
        let (m, k) = self.fraction_and_exponent(x);
        let one = self.float(1.0);
        let r = self.apply(Sub, &[m, one]);
        let tail = self.polynomial(&LOG, r);
        let square = self.apply(Mul, &[r, r]);
        let cube = self.apply(Mul, &[square, r]);
        let tail = self.apply(Mul, &[tail, cube]);
        let (upper, lower, half) = (self.float(LN_2_UPPER), self.float(LN_2_LOWER), self.float(-0.5));
        let tail = self.apply(Fma, &[k, lower, tail]);
        let tail = self.apply(Fma, &[square, half, tail]);
        let log = self.apply(Add, &[r, tail]);
        let log = self.apply(Fma, &[k, upper, log]);
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

    /// m between the roots of a half and of two, and the whole number k as f32, so that x = 2^k m.
    fn fraction_and_exponent(&mut self, x: Var) -> (Var, Var) {
        use ScalarOp::*;
        // Numbers below the normal ones are scaled up first.
        let least = self.float(f64::from(f32::MIN_POSITIVE));
        let (scale, shift) = (self.float(8_388_608.0), self.float(23.0));
        let small = self.apply(Lt, &[x, least]);
        let scaled = self.apply(Mul, &[x, scale]);
        let x = self.apply(Select, &[small, scaled, x]);
        let bits = self.apply(Bits(DType::I32), &[x]);
        // The bits of the root of a half.
        let root = self.integer(f64::from(0x3f35_04f3));
        let above = self.apply(Sub, &[bits, root]);
        let k = self.apply(ShiftRight(23), &[above]);
        let exponent = self.apply(ShiftLeft(23), &[k]);
        let fraction = self.apply(Sub, &[bits, exponent]);
        let m = self.apply(Bits(DType::F32), &[fraction]);
        let k = self.apply(Cast(DType::F32), &[k]);
        let shifted = self.apply(Sub, &[k, shift]);
        (m, self.apply(Select, &[small, shifted, k]))
    }
}
