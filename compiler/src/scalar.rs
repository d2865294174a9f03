//! Scalar operations: the closed set of things that a kernel does to single elements.
//!
//! Each operation has one meaning, [`ScalarOp::evaluate`], in f64; integers and bools are exact in it. Back ends and the
//! kernel interpreter are judged by that meaning within the tolerance that [`ScalarOp::ulps`] states.

use crate::dtype::DType;
use std::fmt;

/// An operation on scalars of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScalarOp {
    /// a + b; wraps on integers.
    Add,
    /// a - b; wraps on integers.
    Sub,
    /// a * b; wraps on integers.
    Mul,
    /// a / b on floats.
    Div,
    /// -a on floats and signed integers.
    Neg,
    /// |a| on floats.
    Abs,
    /// The square root.
    Sqrt,
    /// The largest whole number not above a.
    Floor,
    /// The nearest whole number, the even one of two.
    Round,
    /// e to the power a.
    Exp,
    /// `exp(a) - 1`, with all digits where that is small.
    Expm1,
    /// The natural logarithm.
    Log,
    /// `log(1 + a)`, with all digits where that is small.
    Log1p,
    /// The sine; within its tolerance up to [`CIRCULAR_END`], and beyond only between -1 and 1.
    Sin,
    /// The cosine, as good as the sine.
    Cos,
    /// The hyperbolic tangent.
    Tanh,
    /// The error function: twice the integral of `exp(-t^2)` from 0 to a over the root of pi.
    Erf,
    /// The larger of both; a NaN on either side gives NaN.
    Max,
    /// The smaller of both; a NaN on either side gives NaN.
    Min,
    /// a == b, as a bool.
    Eq,
    /// a != b, as a bool.
    Ne,
    /// a < b, as a bool.
    Lt,
    /// a <= b, as a bool.
    Le,
    /// Both, on bools.
    And,
    /// Either, on bools.
    Or,
    /// Either but not both, on bools; bit by bit on integers of 32 bits.
    Xor,
    /// The other bool.
    Not,
    /// `select(condition, a, b)`: a where the bool holds, b elsewhere.
    Select,
    /// `fma(a, b, c)`: a * b + c with one rounding, on floats.
    Fma,
    /// The bits moved up by a number below 32; integers of 32 bits only.
    ShiftLeft(u32),
    /// The bits moved down by a number below 32; copies of the sign follow on i32, zeros on u32.
    ShiftRight(u32),
    /// The 32 bits taken as another type: f32, i32 or u32. The only meaning that is about f32 bits and not about numbers.
    Bits(DType),
    /// 2 to the power of an i32 from -1022 to 1023, as an f64.
    PowerOfTwo,
    /// The power of two that a normal f64 lies at or above, as an i32; of use for normal numbers only.
    Logb,
    /// The nearest number of half precision (f16 or bf16), ties to even; the result is an f32, as kernels hold them.
    Narrow(DType),
    /// Conversion: floats to integers round toward zero, with NaN as 0 and saturation; anything but 0 is true.
    Cast(DType),
}

/// Up to this size of their operand, back ends hold sine and cosine of f32 to [`ScalarOp::ulps`].
pub const CIRCULAR_END: f64 = 1e5;

impl ScalarOp {
    /// The operations that no machine has.
    pub const TRANSCENDENTAL: [ScalarOp; 8] = [
        ScalarOp::Exp,
        ScalarOp::Expm1,
        ScalarOp::Log,
        ScalarOp::Log1p,
        ScalarOp::Sin,
        ScalarOp::Cos,
        ScalarOp::Tanh,
        ScalarOp::Erf,
    ];

    /// Whether it is one of [`ScalarOp::TRANSCENDENTAL`].
    pub fn is_transcendental(self) -> bool {
        ScalarOp::TRANSCENDENTAL.contains(&self)
    }

    /// The name in printed kernels and nests.
    pub fn name(self) -> String {
        match self {
            ScalarOp::Cast(dtype) => format!("cast.{dtype}"),
            ScalarOp::Bits(dtype) => format!("bits.{dtype}"),
            ScalarOp::Narrow(dtype) => format!("narrow.{dtype}"),
            ScalarOp::ShiftLeft(by) => format!("shl.{by}"),
            ScalarOp::ShiftRight(by) => format!("shr.{by}"),
            ScalarOp::PowerOfTwo => "power_of_two".to_string(),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    /// How many operands.
    pub fn arity(self) -> usize {
        use ScalarOp::*;
        match self {
            Neg | Abs | Sqrt | Floor | Round | Not | Cast(_) | Bits(_) | ShiftLeft(_) | ShiftRight(_) => 1,
            Exp | Expm1 | Log | Log1p | Sin | Cos | Tanh | Erf | Narrow(_) | PowerOfTwo | Logb => 1,
            Select | Fma => 3,
            Add | Sub | Mul | Div | Max | Min | Eq | Ne | Lt | Le | And | Or | Xor => 2,
        }
    }

    /// The type of the result for operands of these types; `None` when the operation does not take them.
    pub fn result(self, operands: &[DType]) -> Option<DType> {
        use ScalarOp::*;
        let same = operands.len() == self.arity() && operands.windows(2).all(|pair| pair[0] == pair[1]);
        let first = *operands.first()?;
        match self {
            Add | Sub | Mul | Max | Min if same && first != DType::Bool => Some(first),
            Div | Abs | Sqrt | Floor | Round if same && first.is_float() => Some(first),
            Exp | Expm1 | Log | Log1p | Sin | Cos | Tanh | Erf if same && first.is_float() => Some(first),
            Neg if same && (first.is_float() || matches!(first, DType::I32 | DType::I64)) => Some(first),
            Eq | Ne if same => Some(DType::Bool),
            Lt | Le if same && first != DType::Bool => Some(DType::Bool),
            And | Or | Xor | Not if same && first == DType::Bool => Some(DType::Bool),
            Xor if same && is_word(first) && first != DType::F32 => Some(first),
            Select if operands.len() == 3 && first == DType::Bool && operands[1] == operands[2] => Some(operands[1]),
            PowerOfTwo if operands == [DType::I32] => Some(DType::F64),
            Logb if operands == [DType::F64] => Some(DType::I32),
            Narrow(dtype) if operands == [DType::F32] && dtype.computed() != dtype => Some(DType::F32),
            Cast(dtype) if operands.len() == 1 => Some(dtype),
            Fma if same && first.is_float() => Some(first),
            ShiftLeft(by) | ShiftRight(by) if same && by < 32 && is_word(first) && first != DType::F32 => Some(first),
            Bits(dtype) if same && is_word(first) && is_word(dtype) => Some(dtype),
            _ => None,
        }
    }

    /// The meaning. Operands are values of the given type; bools are 0 and 1.
    pub fn evaluate(self, dtype: DType, operands: &[f64]) -> f64 {
        use ScalarOp::*;
        let (a, b) = (operands[0], operands.get(1).copied().unwrap_or(0.0));
        let truth = |condition: bool| f64::from(u8::from(condition));
        match self {
            Add => wrap(dtype, a + b),
            Sub => wrap(dtype, a - b),
            Mul => multiply(dtype, a, b),
            Div => a / b,
            Neg => wrap(dtype, -a),
            Abs => a.abs(),
            Sqrt => a.sqrt(),
            Floor => a.floor(),
            Round => a.round_ties_even(),
            Exp => a.exp(),
            Expm1 => a.exp_m1(),
            Log => a.ln(),
            Log1p => a.ln_1p(),
            Sin => a.sin(),
            Cos => a.cos(),
            Tanh => a.tanh(),
            Erf => error_function(a),
            Max if a.is_nan() || b.is_nan() => f64::NAN,
            Min if a.is_nan() || b.is_nan() => f64::NAN,
            Max => [b, a][usize::from(b < a)],
            Min => [b, a][usize::from(a < b)],
            Eq => truth(a == b),
            Ne => truth(a != b),
            Lt => truth(a < b),
            Le => truth(a <= b),
            And => truth(a != 0.0 && b != 0.0),
            Or => truth(a != 0.0 || b != 0.0),
            Xor => from_bits(dtype, to_bits(dtype, a) ^ to_bits(dtype, b)),
            Not => truth(a == 0.0),
            Select => [operands[2], b][usize::from(a != 0.0)],
            Cast(to) => convert(to, a),
            Narrow(to) => to.rounded(a),
            PowerOfTwo => f64::from_bits(((a as i64 + 1023) as u64) << 52),
            Logb => ((a.to_bits() >> 52) & 0x7ff) as f64 - 1023.0,
            Fma => a.mul_add(b, operands[2]),
            ShiftLeft(by) => from_bits(dtype, to_bits(dtype, a) << by),
            ShiftRight(by) if dtype == DType::I32 => f64::from(a as i32 >> by),
            ShiftRight(by) => from_bits(dtype, to_bits(dtype, a) >> by),
            Bits(to) => from_bits(to, to_bits(dtype, a)),
        }
    }

    /// How far a back end's result in f32 or f64 may lie from the exact one, in units in the last place, for operands up to
    /// [`ScalarOp::end`].
    pub fn ulps(self) -> f64 {
        use ScalarOp::*;
        match self {
            Exp | Log => 2.0,
            Expm1 | Log1p => 3.0,
            Sin | Cos | Tanh => 4.0,
            Erf => 5.0,
            Add | Sub | Mul | Div | Sqrt | Fma => 0.5,
            _ => 0.0,
        }
    }

    /// The largest operand for which [`ScalarOp::ulps`] is promised.
    pub fn end(self) -> f64 {
        match self {
            ScalarOp::Sin | ScalarOp::Cos => CIRCULAR_END,
            _ => f64::INFINITY,
        }
    }
}

impl fmt::Display for ScalarOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Converts a number to an element type, as [`ScalarOp::Cast`] does. Floats keep their f64 value: rounding is what
/// tolerances are about.
pub fn convert(to: DType, value: f64) -> f64 {
    match to {
        DType::Bool => f64::from(u8::from(value != 0.0)),
        // A float-to-integer `as` saturates and takes NaN to 0.
        DType::U32 => f64::from(value as u32),
        DType::I32 => f64::from(value as i32),
        DType::U8 => f64::from(value as u8),
        DType::I64 => (value as i64) as f64,
        DType::F32 | DType::F64 | DType::F16 | DType::Bf16 => value,
    }
}

/// The error function by its series `exp(-x^2) * sum of 2^n x^(2n + 1) / (1 * 3 * .. * (2n + 1))`, whose terms have one sign.
fn error_function(x: f64) -> f64 {
    // In f64 it is 1 from 6 on; the sign of a NaN is a NaN.
    if x.is_nan() || x.abs() > 6.0 {
        return x.signum();
    }
    let (mut sum, mut term, mut odd) = (0.0, x, 1.0);
    while sum + term != sum {
        sum += term;
        odd += 2.0;
        term *= 2.0 * x * x / odd;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// Whether a value is one 32-bit word that is no bool.
fn is_word(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::I32 | DType::U32)
}

fn to_bits(dtype: DType, value: f64) -> u32 {
    match dtype {
        DType::F32 => (value as f32).to_bits(),
        DType::I32 => (value as i32) as u32,
        _ => value as u32,
    }
}

fn from_bits(dtype: DType, bits: u32) -> f64 {
    match dtype {
        DType::F32 => f64::from(f32::from_bits(bits)),
        DType::I32 => f64::from(bits as i32),
        _ => f64::from(bits),
    }
}

fn wrap(dtype: DType, value: f64) -> f64 {
    match dtype {
        DType::U32 => f64::from((value as i64) as u32),
        DType::I32 => f64::from((value as i64) as i32),
        DType::U8 => f64::from((value as i64) as u8),
        _ => value,
    }
}

fn multiply(dtype: DType, a: f64, b: f64) -> f64 {
    match dtype {
        // Products of 32-bit integers do not fit the 53 bits of an f64.
        DType::U32 => f64::from((a as u32).wrapping_mul(b as u32)),
        DType::I32 => f64::from((a as i32).wrapping_mul(b as i32)),
        DType::U8 => f64::from((a as u8).wrapping_mul(b as u8)),
        _ => a * b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_wrap_at_their_own_width() {
        assert_eq!(ScalarOp::Sub.evaluate(DType::U32, &[0.0, 1.0]), f64::from(u32::MAX));
        assert_eq!(ScalarOp::Mul.evaluate(DType::U32, &[4294967295.0, 4294967295.0]), 1.0);
        assert_eq!(ScalarOp::Sub.evaluate(DType::I32, &[0.0, 1.0]), -1.0);
    }

    #[test]
    fn bits_are_those_of_an_f32() {
        assert_eq!(ScalarOp::Bits(DType::I32).evaluate(DType::F32, &[1.0]), f64::from(0x3f80_0000));
        assert_eq!(ScalarOp::Bits(DType::F32).evaluate(DType::I32, &[-2147483648.0]).to_bits(), (-0.0f64).to_bits());
        assert_eq!(ScalarOp::ShiftRight(1).evaluate(DType::I32, &[-3.0]), -2.0);
        assert_eq!(ScalarOp::ShiftRight(1).evaluate(DType::U32, &[4294967295.0]), 2147483647.0);
        assert_eq!(ScalarOp::ShiftLeft(31).evaluate(DType::I32, &[3.0]), f64::from(i32::MIN));
        assert_eq!(ScalarOp::Fma.evaluate(DType::F32, &[3.0, 5.0, -1.0]), 14.0);
        assert_eq!(ScalarOp::Bits(DType::Bool).result(&[DType::F32]), None);
        assert_eq!(ScalarOp::ShiftLeft(32).result(&[DType::I32]), None);
    }

    #[test]
    fn halves_round_to_even() {
        let rounded = [0.5, 1.5, -0.5, -2.5, 2.500_001].map(|x| ScalarOp::Round.evaluate(DType::F32, &[x]));
        assert_eq!(rounded, [0.0, 2.0, 0.0, -2.0, 3.0]);
    }

    #[test]
    fn exclusive_or_is_bit_by_bit() {
        assert_eq!(ScalarOp::Xor.evaluate(DType::U32, &[12.0, 4294967295.0]), 4294967283.0);
        assert_eq!(ScalarOp::Xor.evaluate(DType::I32, &[12.0, -1.0]), -13.0);
        let truths = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)];
        assert_eq!(truths.map(|(a, b)| ScalarOp::Xor.evaluate(DType::Bool, &[a, b])), [0.0, 1.0, 1.0, 0.0]);
        assert_eq!(ScalarOp::Xor.result(&[DType::F32; 2]), None);
    }

    #[test]
    fn the_error_function_agrees_with_tables() {
        let table = [
            (0.0, 0.0),
            (1e-3, 1.128_378_790_969_237e-3),
            (0.5, 0.520_499_877_813_046_5),
            (-1.0, -0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (3.5, 0.999_999_256_901_627_7),
            (7.0, 1.0),
        ];
        for (x, expected) in table {
            let found = ScalarOp::Erf.evaluate(DType::F64, &[x]);
            assert!((found - expected).abs() <= 2e-15 * expected.abs(), "{x}: {found}, not {expected}");
        }
        assert!(ScalarOp::Erf.evaluate(DType::F64, &[f64::NAN]).is_nan());
    }

    #[test]
    fn casts_saturate() {
        assert_eq!(convert(DType::U32, -3.5), 0.0);
        assert_eq!(convert(DType::I32, f64::NAN), 0.0);
        assert_eq!(convert(DType::Bool, 0.25), 1.0);
    }
}
