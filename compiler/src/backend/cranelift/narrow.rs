//! Elements of fewer than 32 bits: what they are in memory, and what registers hold.
//!
//! A word is what a load finds, zero-extended to 32 bits. u8 stays that word; f16 and bf16 are f32 in registers. Conversions
//! are exact one way and round to nearest even the other way; a NaN stays a NaN. No target has to know f16.

use super::EmitError;
use super::operation::{Operations, Width};
use crate::dtype::DType;
use crate::scalar::ScalarOp;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Value, types};

/// 2^112: what the exponents of f16 lack to those of f32.
const HALF_SCALE: f64 = 5_192_296_858_534_828_000_000_000_000_000_000.0;

impl Operations<'_, '_> {
    /// What registers hold for the word that an element is in memory.
    pub(super) fn value_of_word(&mut self, dtype: DType, word: Value) -> Result<Value, EmitError> {
        match dtype {
            DType::Bool => self.bool_of_word(word),
            DType::Bf16 => {
                let bits = self.shift(ScalarOp::ShiftLeft(16), DType::U32, word);
                self.apply(ScalarOp::Bits(DType::F32), DType::U32, &[bits])
            }
            DType::F16 => self.float_of_half(word),
            _ => Ok(word),
        }
    }

    /// The word that a value is in memory.
    pub(super) fn word_of_value(&mut self, dtype: DType, value: Value) -> Result<Value, EmitError> {
        match dtype {
            DType::Bool => Ok(self.word_of_bool(value)),
            DType::Bf16 => self.upper_half(value),
            DType::F16 => self.half_of_float(value),
            _ => Ok(value),
        }
    }

    /// The f32 nearest to `x` that a type of half precision holds.
    pub(super) fn narrowed(&mut self, dtype: DType, x: Value) -> Result<Value, EmitError> {
        let word = self.word_of_value(dtype, x)?;
        self.value_of_word(dtype, word)
    }

    /// The low byte of an integer of 32 bits.
    pub(super) fn low_byte(&mut self, x: Value) -> Result<Value, EmitError> {
        let mask = self.constant(DType::U32, 255.0)?;
        Ok(self.builder.ins().band(x, mask))
    }

    /// A whole number as u8, which has the range of a byte already but for saturation.
    pub(super) fn clamped_byte(&mut self, x: Value) -> Result<Value, EmitError> {
        let (zero, most) = (self.constant(DType::I32, 0.0)?, self.constant(DType::I32, 255.0)?);
        let positive = self.builder.ins().smax(x, zero);
        Ok(self.builder.ins().smin(positive, most))
    }

    fn upper_half(&mut self, x: Value) -> Result<Value, EmitError> {
        let bits = self.apply(ScalarOp::Bits(DType::U32), DType::F32, &[x])?;
        let cut = self.shift(ScalarOp::ShiftRight(16), DType::U32, bits);
        // Half of what is cut off, and one more if the number is odd: ties go to even.
        let (one, half) = (self.constant(DType::U32, 1.0)?, self.constant(DType::U32, f64::from(0x7fff))?);
        let odd = self.builder.ins().band(cut, one);
        let sum = self.builder.ins().iadd(bits, half);
        let sum = self.builder.ins().iadd(sum, odd);
        let rounded = self.shift(ScalarOp::ShiftRight(16), DType::U32, sum);
        let quiet = self.constant(DType::U32, f64::from(0x40))?;
        let nan = self.builder.ins().bor(cut, quiet);
        let is_nan = self.builder.ins().fcmp(FloatCC::NotEqual, x, x);
        Ok(self.choose(is_nan, nan, rounded))
    }

    /// Exponent and fraction in the places of f32 stand for a number that is too small by 2^112, f16's numbers below the
    /// normal ones included.
    fn float_of_half(&mut self, word: Value) -> Result<Value, EmitError> {
        let magnitude = self.constant(DType::U32, f64::from(0x7fff))?;
        let magnitude = self.builder.ins().band(word, magnitude);
        let sign = self.builder.ins().bxor(word, magnitude);
        let sign = self.shift(ScalarOp::ShiftLeft(16), DType::U32, sign);
        let small = self.shift(ScalarOp::ShiftLeft(13), DType::U32, magnitude);
        let small = self.apply(ScalarOp::Bits(DType::F32), DType::U32, &[small])?;
        let scale = self.constant(DType::F32, HALF_SCALE)?;
        let scaled = self.builder.ins().fmul(small, scale);
        // What is beyond the largest number is an infinity or a NaN, and keeps its fraction.
        let end = self.constant(DType::F32, 65_536.0)?;
        let beyond = self.builder.ins().fcmp(FloatCC::GreaterThanOrEqual, scaled, end);
        let bits = self.apply(ScalarOp::Bits(DType::U32), DType::F32, &[scaled])?;
        let infinite = self.constant(DType::U32, f64::from(0x7f80_0000))?;
        let special = self.builder.ins().bor(bits, infinite);
        let bits = self.choose(beyond, special, bits);
        let bits = self.builder.ins().bor(bits, sign);
        self.apply(ScalarOp::Bits(DType::F32), DType::U32, &[bits])
    }

    /// The addition of a power of two, 2^15 times as large as the number but no less than what the smallest normal number
    /// takes, rounds to the bits that f16 has. Scaling up and down before it turns what is too large into infinity.
    fn half_of_float(&mut self, x: Value) -> Result<Value, EmitError> {
        let bits = self.apply(ScalarOp::Bits(DType::U32), DType::F32, &[x])?;
        let sign = self.constant(DType::U32, f64::from(0x8000_0000u32))?;
        let sign = self.builder.ins().band(bits, sign);
        let (up, down) = (self.constant(DType::F32, HALF_SCALE)?, self.constant(DType::F32, 4.0 / HALF_SCALE)?);
        let magnitude = self.builder.ins().fabs(x);
        let scaled = self.builder.ins().fmul(magnitude, up);
        let scaled = self.builder.ins().fmul(scaled, down);
        let (exponent, least) = (f64::from(0x7f80_0000), f64::from(0x3880_0000));
        let (exponent, least) = (self.constant(DType::U32, exponent)?, self.constant(DType::U32, least)?);
        let exponent = self.builder.ins().band(bits, exponent);
        let exponent = self.builder.ins().umax(exponent, least);
        let bias = self.constant(DType::U32, f64::from(0x0780_0000))?;
        let rounder = self.builder.ins().iadd(exponent, bias);
        let rounder = self.apply(ScalarOp::Bits(DType::F32), DType::U32, &[rounder])?;
        let sum = self.builder.ins().fadd(rounder, scaled);
        let sum = self.apply(ScalarOp::Bits(DType::U32), DType::F32, &[sum])?;
        let word = self.half_of_sum(sum)?;
        let nan = self.constant(DType::U32, f64::from(0x7e00))?;
        let is_nan = self.builder.ins().fcmp(FloatCC::NotEqual, x, x);
        let word = self.choose(is_nan, nan, word);
        let sign = self.shift(ScalarOp::ShiftRight(16), DType::U32, sign);
        Ok(self.builder.ins().bor(word, sign))
    }

    /// The exponent as the sum has it plus the fraction, which may carry into it.
    fn half_of_sum(&mut self, sum: Value) -> Result<Value, EmitError> {
        let (exponents, fractions) = (f64::from(0x7c00), f64::from(0x0fff));
        let (exponents, fractions) = (self.constant(DType::U32, exponents)?, self.constant(DType::U32, fractions)?);
        let exponent = self.shift(ScalarOp::ShiftRight(13), DType::U32, sum);
        let exponent = self.builder.ins().band(exponent, exponents);
        let fraction = self.builder.ins().band(sum, fractions);
        Ok(self.builder.ins().iadd(exponent, fraction))
    }

    /// Four words of at most 8 or 16 bits side by side, as one integer.
    pub(super) fn packed(&mut self, bytes: usize, words: Value) -> Value {
        let order = MemFlagsData::new().with_endianness(Endianness::Little);
        let pairs = self.builder.ins().unarrow(words, words);
        let (vector, ty) = match bytes {
            1 => (self.builder.ins().unarrow(pairs, pairs), types::I32X4),
            _ => (pairs, types::I64X2),
        };
        let vector = self.builder.ins().bitcast(ty, order, vector);
        self.builder.ins().extractlane(vector, 0)
    }

    /// The bytes of an integer of 32 or 64 bits, a word each.
    pub(super) fn unpacked_bytes(&mut self, packed: Value) -> Value {
        debug_assert_eq!(self.width, Width::Lanes, "only lanes are loaded together");
        let order = MemFlagsData::new().with_endianness(Endianness::Little);
        let ty = if self.builder.func.dfg.value_type(packed) == types::I32 { types::I32X4 } else { types::I64X2 };
        let vector = self.builder.ins().scalar_to_vector(ty, packed);
        let bytes = self.builder.ins().bitcast(types::I8X16, order, vector);
        let pairs = self.builder.ins().uwiden_low(bytes);
        self.builder.ins().uwiden_low(pairs)
    }
}
