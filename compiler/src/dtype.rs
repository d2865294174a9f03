//! Element types: the closed list of what a tensor may hold.

use std::fmt;

/// The type of one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// IEEE single precision, the default of every computation.
    F32,
    /// IEEE half precision, for storage.
    F16,
    /// The upper half of a single, for storage.
    Bf16,
    /// IEEE double precision.
    F64,
    /// Unsigned 32 bits: class ids, tokens, counts.
    U32,
    /// Signed 32 bits.
    I32,
    /// Unsigned 8 bits.
    U8,
    /// True or false.
    Bool,
    /// Signed 64 bits, for storage only.
    I64,
}

impl DType {
    /// Every type, in the order of the language's documentation.
    pub const ALL: [DType; 9] =
        [DType::F32, DType::F16, DType::Bf16, DType::F64, DType::U32, DType::I32, DType::U8, DType::Bool, DType::I64];

    /// The name in the language and in printed graphs.
    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::Bf16 => "bf16",
            DType::F64 => "f64",
            DType::U32 => "u32",
            DType::I32 => "i32",
            DType::U8 => "u8",
            DType::Bool => "bool",
            DType::I64 => "i64",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// Whether values of this type have gradients.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F16 | DType::Bf16 | DType::F64)
    }

    /// Whether this is a whole-number type (bool is none).
    pub fn is_integer(self) -> bool {
        matches!(self, DType::U32 | DType::I32 | DType::U8 | DType::I64)
    }

    /// The type that kernels compute with where elements have this type: half precision is widened by each load and
    /// rounded by each store and cast, and is f32 in between.
    pub fn computed(self) -> DType {
        match self {
            DType::F16 | DType::Bf16 => DType::F32,
            other => other,
        }
    }

    /// The value of this type that is nearest to a number, ties to even; integers, bools and f64 are left alone.
    pub fn rounded(self, number: f64) -> f64 {
        match self {
            DType::F32 => f64::from(number as f32),
            DType::F16 => half(number, 10, -14, 65_504.0),
            DType::Bf16 => half(number, 7, -126, f64::from(f32::from_bits(0x7f7f_0000))),
            _ => number,
        }
    }

    /// Bytes of one element in a buffer of a compiled step.
    ///
    /// A bool takes four bytes there (0 or 1), so that lanes of f32, u32 and bool line up; programs outside see `bool`.
    pub fn size(self) -> usize {
        match self {
            DType::F64 | DType::I64 => 8,
            DType::F32 | DType::U32 | DType::I32 | DType::Bool => 4,
            DType::F16 | DType::Bf16 => 2,
            DType::U8 => 1,
        }
    }
}

/// The nearest number with so many bits behind the leading one, which stands for no less than 2 to the power `least`; beyond
/// the largest one it is infinite.
fn half(number: f64, bits: i32, least: i32, largest: f64) -> f64 {
    if !number.is_finite() {
        return number;
    }
    let exponent = ((number.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    let unit = 2f64.powi(exponent.max(least) - bits);
    let rounded = (number / unit).round_ties_even() * unit;
    if rounded.abs() > largest { f64::INFINITY.copysign(number) } else { rounded }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_to_even() {
        let f16 = |x| DType::F16.rounded(x);
        assert_eq!([f16(2049.0), f16(2051.0), f16(-2050.5)], [2048.0, 2052.0, -2050.0]);
        assert_eq!([f16(65_519.0), f16(65_520.0), f16(-1e300)], [65_504.0, f64::INFINITY, f64::NEG_INFINITY]);
        let least = 2f64.powi(-24);
        assert_eq!([f16(least * 0.5), f16(least * 0.51), f16(least * 2.5)], [0.0, least, 2.0 * least]);
        let bf16 = |x| DType::Bf16.rounded(x);
        assert_eq!([bf16(257.0), bf16(259.0), bf16(-1.001)], [256.0, 260.0, -1.0]);
        assert_eq!([bf16(3.39e38), bf16(3.4e38)], [3.389_531_389_251_535_5e38, f64::INFINITY]);
        assert!(bf16(f64::NAN).is_nan() && f16(-0.0).is_sign_negative());
        assert_eq!([DType::F32.rounded(0.1), DType::F64.rounded(0.1)], [f64::from(0.1f32), 0.1]);
    }
}
