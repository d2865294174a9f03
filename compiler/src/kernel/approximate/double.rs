//! The same functions of f64.
//!
//! The coefficients are those of the series, which the reduction of the argument makes short: up to half of ln 2 for the
//! exponential, up to the root of two for the logarithm, up to an eighth of a turn for sine and cosine. Only the error
//! function beyond 1 has a polynomial that was fitted. Results are within [`ScalarOp::ulps`] as in f32.

use super::circular::LARGEST;
use super::{Expansion, Last};
use crate::dtype::DType;
use crate::kernel::Var;
use crate::scalar::ScalarOp::{self, *};

/// The upper bits of the natural logarithm of 2: its products with exponents are exact.
const LN_2_UPPER: f64 = 6.931_471_803_691_238e-1;
/// The rest of the natural logarithm of 2.
const LN_2_LOWER: f64 = 1.908_214_929_270_587_7e-10;
/// 1.5 * 2^52: a number of moderate size that is added to it is rounded to a whole number.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// From here on the hyperbolic tangent is 1 in f64.
const TANH_END: f64 = 22.0;

/// Half of pi in parts of 28 bits, whose products with numbers of quarter turns are exact, then the rest.
const QUARTER: [f64; 4] =
    [1.570_796_325_802_803, 9.920_935_739_593_517e-10, 5.721_188_709_663_575e-18, 1.644_625_693_632_425_8e-26];
/// From here on the error function is 1 in f64.
const ERF_END: f64 = 6.0;
/// Where [`ERFC`] is around.
const ERFC_CENTRE: f64 = 2.5;
/// `erfc(x) * exp(x^2)` from 1 to [`ERF_END`] in `(x - 2.5) / (x + 2.5)`, highest power first.
const ERFC: [f64; 17] = [
    3.365_700_673_623_710_5e-7,
    1.296_692_682_538_941_7e-7,
    -1.797_063_065_406_87e-6,
    -2.314_093_115_094_217_7e-6,
    7.551_301_779_944_254e-6,
    1.861_707_208_191_059_5e-5,
    -3.418_206_354_980_216_5e-5,
    -1.288_774_124_153_697_4e-4,
    2.283_803_659_815_318_2e-4,
    8.759_154_630_794_508e-4,
    -2.642_365_963_784_453e-3,
    -3.993_701_166_223_159e-3,
    3.992_253_907_557_493_5e-2,
    -1.250_330_523_788_247e-1,
    2.517_131_932_174_494e-1,
    -3.717_367_339_489_734e-1,
    2.108_063_640_611_436e-1,
];

impl Expansion<'_> {
    pub(super) fn in_double(&mut self, op: ScalarOp, x: Var) -> Last {
        match op {
            Exp => self.exp_double(x),
            Expm1 => self.expm1_double(x),
            Log => self.log_double(x),
            Log1p => self.log1p_double(x),
            Sin => self.circular_double(x, 0.0),
            Cos => self.circular_double(x, 1.0),
            Tanh => self.tanh_double(x),
            Erf => self.erf_double(x),
            other => unreachable!("{other} is made of nothing else"),
        }
    }

    /// With x = n ln 2 + r, `exp(x)` is `exp(r) * 2^n`, the power in two factors.
    fn exp_double(&mut self, x: Var) -> Last {
        let (exp, n) = self.without_twos(x);
        let one = self.float(1.0);
        let exp = self.apply(Add, &[exp, one]);
        let (half, rest) = self.halves(n);
        let (half, rest) = (self.apply(PowerOfTwo, &[half]), self.apply(PowerOfTwo, &[rest]));
        let scaled = self.apply(Mul, &[exp, half]);
        (Mul, vec![scaled, rest])
    }

    /// `exp(x) - 1` is `(exp(r) - 1) * 2^n + (2^n - 1)`, all of it over the second factor of the power.
    fn expm1_double(&mut self, x: Var) -> Last {
        let (exp, n) = self.without_twos(x);
        let (half, rest) = self.halves(n);
        let minus = self.apply(Neg, &[rest]);
        let (half, rest) = (self.apply(PowerOfTwo, &[half]), self.apply(PowerOfTwo, &[rest]));
        let under = self.apply(PowerOfTwo, &[minus]);
        let whole = self.apply(Sub, &[half, under]);
        let scaled = self.apply(Fma, &[exp, half, whole]);
        (Mul, vec![scaled, rest])
    }

    /// An exponent in two parts, each of which is one of normal numbers.
    fn halves(&mut self, n: Var) -> (Var, Var) {
        let half = self.apply(ShiftRight(1), &[n]);
        (half, self.apply(Sub, &[n, half]))
    }

    /// `exp(r) - 1` and n as an i32, with x = n ln 2 + r.
    fn without_twos(&mut self, x: Var) -> (Var, Var) {
        // Below, the power is 0, and above, infinite; a NaN passes.
        let x = self.at_most(x, 710.0);
        let x = self.at_least(x, -746.0);
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
    fn log_double(&mut self, x: Var) -> Last {
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

    /// `log(1 + x)` is the logarithm of the rounded sum and, relative to that sum, what rounding took away.
    fn log1p_double(&mut self, x: Var) -> Last {
        let one = self.float(1.0);
        let sum = self.apply(Add, &[one, x]);
        let (op, operands) = self.log_double(sum);
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

    /// m between the roots of a half and of two, and the whole number k as f64, so that x = 2^k m.
    fn fraction_and_exponent_double(&mut self, x: Var) -> (Var, Var) {
        // Numbers below the normal ones are scaled up first, by 2^54.
        let (least, scale) = (self.float(f64::MIN_POSITIVE), self.float(18_014_398_509_481_984.0));
        let small = self.apply(Lt, &[x, least]);
        let scaled = self.apply(Mul, &[x, scale]);
        let scaled = self.apply(Select, &[small, scaled, x]);
        let exponent = self.apply(Logb, &[scaled]);
        let down = self.apply(Neg, &[exponent]);
        let (half, rest) = self.halves(down);
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
    fn tanh_double(&mut self, x: Var) -> Last {
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

    /// The sine of x and some more quarter turns.
    fn circular_double(&mut self, x: Var, more: f64) -> Last {
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
        let quarters = self.apply(Cast(DType::I32), &[n]);
        let more = self.integer(more);
        let quarters = self.apply(Add, &[quarters, more]);
        self.turned(quarters, r, &alternating::<8>(3, -1.0), &alternating::<7>(4, 1.0))
    }

    /// Up to 1 by the series `2 / sqrt(pi) * (x - x^3 / 3 + x^5 / (2! 5) - x^7 / (3! 7) + …)`, and beyond from [`ERFC`].
    fn erf_double(&mut self, x: Var) -> Last {
        let x = self.at_most(x, ERF_END);
        let x = self.at_least(x, -ERF_END);
        let square = self.apply(Mul, &[x, x]);
        let mut term = std::f64::consts::FRAC_2_SQRT_PI;
        let mut series = vec![term];
        for n in 1..19 {
            term /= -f64::from(n);
            series.insert(0, term / f64::from(2 * n + 1));
        }
        let series = self.polynomial(&series, square);
        let near = self.apply(Mul, &[x, series]);
        let size = self.apply(Abs, &[x]);
        let (one, centre, zero) = (self.float(1.0), self.float(ERFC_CENTRE), self.float(0.0));
        let over = self.apply(Sub, &[size, centre]);
        let under = self.apply(Add, &[size, centre]);
        let t = self.apply(Div, &[over, under]);
        let fitted = self.polynomial(&ERFC, t);
        let minus = self.apply(Neg, &[square]);
        let (op, operands) = self.exp_double(minus);
        let exp = self.apply(op, &operands);
        let rest = self.apply(Mul, &[fitted, exp]);
        let far = self.apply(Sub, &[one, rest]);
        let negative = self.apply(Neg, &[far]);
        let below = self.apply(Lt, &[x, zero]);
        let far = self.apply(Select, &[below, negative, far]);
        let is_near = self.apply(Lt, &[size, one]);
        (Select, vec![is_near, near, far])
    }
}

/// The numbers 1 / k! for as many k as wanted, from `first` on, the last one first.
fn inverse_factorials<const COUNT: usize>(first: u32) -> [f64; COUNT] {
    std::array::from_fn(|i| inverse_factorial(first + (COUNT - 1 - i) as u32))
}

/// The same for every other k, with changing signs; `sign` is that of the first k.
fn alternating<const COUNT: usize>(first: u32, sign: f64) -> [f64; COUNT] {
    std::array::from_fn(|i| {
        let k = COUNT - 1 - i;
        let sign = if k.is_multiple_of(2) { sign } else { -sign };
        sign * inverse_factorial(first + 2 * k as u32)
    })
}

fn inverse_factorial(k: u32) -> f64 {
    1.0 / (1..=k).map(f64::from).product::<f64>()
}
