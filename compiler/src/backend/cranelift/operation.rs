//! Scalar operations as instructions, on single values and on lanes.
//!
//! A single bool is a byte that is 0 or 1; in lanes it is a word of zeros or ones. A u8 is a word of 32 bits, 0 to 255.

use super::EmitError;
use super::parts::PART;
use crate::dtype::DType;
use crate::scalar::ScalarOp;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FunctionBuilder;

/// Whether an operation is on one value or on a vector of lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// One value.
    Single,
    /// A vector of them.
    Lanes,
}

/// The type of a value.
pub(super) fn value_type(dtype: DType, width: Width) -> Result<Type, EmitError> {
    match (dtype.computed(), width) {
        (DType::F32, Width::Single) => Ok(types::F32),
        (DType::F64, Width::Single) => Ok(types::F64),
        (DType::I64, Width::Single) => Ok(types::I64),
        (DType::I32 | DType::U32 | DType::U8, Width::Single) => Ok(types::I32),
        (DType::Bool, Width::Single) => Ok(types::I8),
        (DType::F32, Width::Lanes) => Ok(types::F32X4),
        (DType::I32 | DType::U32 | DType::U8 | DType::Bool, Width::Lanes) => Ok(types::I32X4),
        (DType::F64 | DType::I64, Width::Lanes) => Err(EmitError::Lane(dtype)),
        (DType::F16 | DType::Bf16, _) => unreachable!("half precision is computed in f32"),
    }
}

fn is_signed(dtype: DType) -> bool {
    matches!(dtype, DType::I32 | DType::I64)
}

/// The instructions of operations.
pub(super) struct Operations<'a, 'f> {
    pub(super) builder: &'a mut FunctionBuilder<'f>,
    pub(super) width: Width,
}

impl Operations<'_, '_> {
    /// A number.
    pub(super) fn constant(&mut self, dtype: DType, value: f64) -> Result<Value, EmitError> {
        let ty = value_type(dtype, self.width)?;
        let word = match dtype {
            DType::F32 => (value as f32).to_bits(),
            DType::I32 => (value as i32) as u32,
            DType::U32 => value as u32,
            DType::U8 => u32::from(value as u8),
            _ => u32::from(value != 0.0),
        };
        Ok(match (self.width, dtype) {
            (Width::Single, DType::F32) => self.builder.ins().f32const(value as f32),
            (Width::Single, DType::F64) => self.builder.ins().f64const(value),
            (Width::Single, DType::I64) => self.builder.ins().iconst(ty, value as i64),
            (Width::Single, _) => self.builder.ins().iconst(ty, i64::from(word)),
            (Width::Lanes, DType::Bool) => self.words(ty, 0u32.wrapping_sub(word)),
            (Width::Lanes, _) => self.words(ty, word),
        })
    }

    /// The same word in all lanes.
    pub(super) fn words(&mut self, ty: Type, word: u32) -> Value {
        let bytes: Vec<u8> = word.to_le_bytes().repeat(PART);
        let constant = self.builder.func.dfg.constants.insert(bytes.into());
        self.builder.ins().vconst(ty, constant)
    }

    /// The operation on operands of this type; all but the condition of a select have it.
    pub(super) fn apply(&mut self, op: ScalarOp, dtype: DType, x: &[Value]) -> Result<Value, EmitError> {
        use ScalarOp::*;
        let (float, signed) = (dtype.is_float(), is_signed(dtype));
        if dtype == DType::U8 && matches!(op, Add | Sub | Mul) {
            let word = self.apply(op, DType::U32, x)?;
            return self.low_byte(word);
        }
        let ins = self.builder.ins();
        Ok(match op {
            Add if float => ins.fadd(x[0], x[1]),
            Add => ins.iadd(x[0], x[1]),
            Sub if float => ins.fsub(x[0], x[1]),
            Sub => ins.isub(x[0], x[1]),
            Mul if float => ins.fmul(x[0], x[1]),
            Mul => ins.imul(x[0], x[1]),
            Div => ins.fdiv(x[0], x[1]),
            Fma => ins.fma(x[0], x[1], x[2]),
            Neg if float => ins.fneg(x[0]),
            Neg => ins.ineg(x[0]),
            Abs => ins.fabs(x[0]),
            Sqrt => ins.sqrt(x[0]),
            Floor => ins.floor(x[0]),
            Round => ins.nearest(x[0]),
            Max if float => self.extremum(x[1], x[0], x)?,
            Min if float => self.extremum(x[0], x[1], x)?,
            Max if signed => ins.smax(x[0], x[1]),
            Max => ins.umax(x[0], x[1]),
            Min if signed => ins.smin(x[0], x[1]),
            Min => ins.umin(x[0], x[1]),
            Eq | Ne | Lt | Le => self.compare(op, dtype, x[0], x[1]),
            And => ins.band(x[0], x[1]),
            Or => ins.bor(x[0], x[1]),
            Xor => ins.bxor(x[0], x[1]),
            Not if self.width == Width::Lanes => ins.bnot(x[0]),
            Not => ins.bxor_imm_u(x[0], 1),
            Select => self.choose(x[0], x[1], x[2]),
            ShiftLeft(_) | ShiftRight(_) => self.shift(op, dtype, x[0]),
            PowerOfTwo => self.power_of_two(x[0]),
            Logb => self.exponent(x[0]),
            Narrow(to) => self.narrowed(to, x[0])?,
            Bits(to) => self.reinterpret(x[0], value_type(to, self.width)?),
            Cast(to) => self.cast(op, dtype, to, x[0])?,
            Exp | Expm1 | Log | Log1p | Sin | Cos | Tanh | Erf => return Err(EmitError::Operation { op, dtype }),
        })
    }

    pub(super) fn shift(&mut self, op: ScalarOp, dtype: DType, x: Value) -> Value {
        let (ScalarOp::ShiftLeft(by) | ScalarOp::ShiftRight(by)) = op else { unreachable!("{op} does not shift") };
        let by = self.builder.ins().iconst(types::I32, i64::from(by));
        match (op, dtype) {
            (ScalarOp::ShiftLeft(_), _) => self.builder.ins().ishl(x, by),
            (_, DType::I32) => self.builder.ins().sshr(x, by),
            _ => self.builder.ins().ushr(x, by),
        }
    }

    fn power_of_two(&mut self, x: Value) -> Value {
        let biased = self.builder.ins().iadd_imm_s(x, 1023);
        let wide = self.builder.ins().uextend(types::I64, biased);
        let bits = self.builder.ins().ishl_imm_u(wide, 52);
        self.reinterpret(bits, types::F64)
    }

    fn exponent(&mut self, x: Value) -> Value {
        let bits = self.reinterpret(x, types::I64);
        let upper = self.builder.ins().ushr_imm_u(bits, 52);
        let word = self.builder.ins().ireduce(types::I32, upper);
        let biased = self.builder.ins().band_imm_s(word, 0x7ff);
        self.builder.ins().iadd_imm_s(biased, -1023)
    }

    /// All bits as another type of the same size.
    fn reinterpret(&mut self, x: Value, to: Type) -> Value {
        match self.builder.func.dfg.value_type(x) == to {
            true => x,
            false => self.builder.ins().bitcast(to, MemFlagsData::new(), x),
        }
    }

    /// The first where the condition holds, the second elsewhere.
    pub(super) fn choose(&mut self, condition: Value, first: Value, second: Value) -> Value {
        match self.width {
            Width::Single => self.builder.ins().select(condition, first, second),
            Width::Lanes => {
                let ty = self.builder.func.dfg.value_type(first);
                let mask = self.reinterpret(condition, ty);
                self.builder.ins().bitselect(mask, first, second)
            }
        }
    }

    /// The first operand where `low < high`, which are the operands in some order, else the second; a NaN on either side wins.
    ///
    /// The comparison with the choice is one instruction, and it lets a NaN in the second operand pass.
    fn extremum(&mut self, low: Value, high: Value, x: &[Value]) -> Result<Value, EmitError> {
        let closer = self.builder.ins().fcmp(FloatCC::LessThan, low, high);
        let extremum = self.choose(closer, x[0], x[1]);
        let nan = self.builder.ins().fcmp(FloatCC::NotEqual, x[0], x[0]);
        Ok(self.choose(nan, x[0], extremum))
    }

    fn compare(&mut self, op: ScalarOp, dtype: DType, a: Value, b: Value) -> Value {
        if dtype.is_float() {
            let condition = match op {
                ScalarOp::Eq => FloatCC::Equal,
                ScalarOp::Ne => FloatCC::NotEqual,
                ScalarOp::Lt => FloatCC::LessThan,
                _ => FloatCC::LessThanOrEqual,
            };
            return self.builder.ins().fcmp(condition, a, b);
        }
        let condition = match (op, is_signed(dtype)) {
            (ScalarOp::Eq, _) => IntCC::Equal,
            (ScalarOp::Ne, _) => IntCC::NotEqual,
            (ScalarOp::Lt, true) => IntCC::SignedLessThan,
            (ScalarOp::Lt, false) => IntCC::UnsignedLessThan,
            (_, true) => IntCC::SignedLessThanOrEqual,
            (_, false) => IntCC::UnsignedLessThanOrEqual,
        };
        self.builder.ins().icmp(condition, a, b)
    }

    fn cast(&mut self, op: ScalarOp, from: DType, to: DType, x: Value) -> Result<Value, EmitError> {
        use DType::{Bool, F32, F64, I32, I64, U8, U32};
        let ty = value_type(to, self.width)?;
        Ok(match (from, to) {
            _ if from == to => x,
            (F32, F64) => self.builder.ins().fpromote(ty, x),
            (F64, F32) => self.builder.ins().fdemote(ty, x),
            (F32 | F64, I32 | I64) => self.builder.ins().fcvt_to_sint_sat(ty, x),
            (F32 | F64, U32) => self.builder.ins().fcvt_to_uint_sat(ty, x),
            (F32 | F64, U8) => {
                let whole = self.builder.ins().fcvt_to_sint_sat(ty, x);
                self.clamped_byte(whole)?
            }
            (I32 | U8 | I64, F32 | F64) => self.builder.ins().fcvt_from_sint(ty, x),
            (U32, F32 | F64) => self.builder.ins().fcvt_from_uint(ty, x),
            (F32 | F64 | I32 | U32 | U8 | I64, Bool) => {
                let zero = self.constant(from, 0.0)?;
                self.compare(ScalarOp::Ne, from, x, zero)
            }
            (I32 | U32 | U8 | I64, I32 | U32 | U8 | I64) => self.cast_integer(from, to, x)?,
            (Bool, F32 | F64 | I32 | U32 | U8 | I64) => {
                let (one, zero) = (self.constant(to, 1.0)?, self.constant(to, 0.0)?);
                self.choose(x, one, zero)
            }
            _ => return Err(EmitError::Operation { op, dtype: from }),
        })
    }

    /// An integer as another one; what does not fit becomes the nearest that does.
    fn cast_integer(&mut self, from: DType, to: DType, x: Value) -> Result<Value, EmitError> {
        use DType::{I32, I64, U8, U32};
        Ok(match (from, to) {
            (I32, U32) => {
                let zero = self.constant(I32, 0.0)?;
                self.builder.ins().smax(x, zero)
            }
            (U32, I32) => {
                let most = self.constant(U32, f64::from(i32::MAX))?;
                self.builder.ins().umin(x, most)
            }
            (I32, U8) => self.clamped_byte(x)?,
            (U32, U8) => {
                let most = self.constant(U32, 255.0)?;
                self.builder.ins().umin(x, most)
            }
            (I32, I64) => self.builder.ins().sextend(types::I64, x),
            (U32 | U8, I64) => self.builder.ins().uextend(types::I64, x),
            (I64, _) => {
                let (low, high) = match to {
                    I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
                    U32 => (0, i64::from(u32::MAX)),
                    _ => (0, 255),
                };
                let low = self.builder.ins().iconst(types::I64, low);
                let high = self.builder.ins().iconst(types::I64, high);
                let above = self.builder.ins().smax(x, low);
                let within = self.builder.ins().smin(above, high);
                self.builder.ins().ireduce(types::I32, within)
            }
            // A byte is a word of 32 bits already.
            _ => x,
        })
    }

    /// A bool as the word that it is in memory.
    pub(super) fn word_of_bool(&mut self, x: Value) -> Value {
        match self.width {
            Width::Single => self.builder.ins().uextend(types::I32, x),
            Width::Lanes => self.shift(ScalarOp::ShiftRight(31), DType::U32, x),
        }
    }

    /// A bool from the word that it is in memory.
    pub(super) fn bool_of_word(&mut self, x: Value) -> Result<Value, EmitError> {
        let zero = self.constant(DType::I32, 0.0)?;
        Ok(self.builder.ins().icmp(IntCC::NotEqual, x, zero))
    }

    /// One value in all lanes; the value is single whatever the width is.
    pub(super) fn splat(&mut self, dtype: DType, x: Value) -> Result<Value, EmitError> {
        let ty = value_type(dtype, Width::Lanes)?;
        let word = match dtype {
            DType::Bool => {
                let word = self.builder.ins().uextend(types::I32, x);
                self.builder.ins().ineg(word)
            }
            _ => x,
        };
        Ok(self.builder.ins().splat(ty, word))
    }
}
