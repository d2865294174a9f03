//! Scalar operations as instructions.

use super::EmitError;
use super::text::{Class, Reg, Text};
use crate::dtype::DType;
use crate::scalar::ScalarOp;

/// The type that instructions name for values of an element type.
pub(super) fn instruction_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 | DType::F16 | DType::Bf16 => "f32",
        DType::F64 => "f64",
        DType::I64 => "s64",
        DType::I32 => "s32",
        DType::U32 | DType::U8 => "u32",
        DType::Bool => "pred",
    }
}

/// A number as an operand of an instruction; bools have none.
pub(super) fn immediate(dtype: DType, value: f64) -> String {
    match dtype {
        DType::F32 | DType::F16 | DType::Bf16 => format!("0f{:08X}", (value as f32).to_bits()),
        DType::F64 => format!("0d{:016X}", value.to_bits()),
        DType::I64 => (value as i64).to_string(),
        DType::I32 => (value as i32).to_string(),
        DType::U32 | DType::U8 => (value as u32).to_string(),
        DType::Bool => u8::from(value != 0.0).to_string(),
    }
}

impl Text {
    /// A number in a register.
    pub(super) fn constant(&mut self, dtype: DType, value: f64) -> Reg {
        let class = Class::of(dtype);
        self.set(class, &format!("mov.{}", class.ty()), format_args!("{}", immediate(dtype, value)))
    }

    /// The operation on operands of this type; all but the condition of a select have it.
    pub(super) fn apply(&mut self, op: ScalarOp, dtype: DType, x: &[String]) -> Result<Reg, EmitError> {
        use ScalarOp::*;
        let (class, ty) = (Class::of(dtype), instruction_type(dtype));
        Ok(match op {
            Add | Sub | Mul => self.arithmetic(op, dtype, x),
            Div => self.set(class, &format!("div.rn.{ty}"), format_args!("{}, {}", x[0], x[1])),
            Fma => self.set(class, &format!("fma.rn.{ty}"), format_args!("{}, {}, {}", x[0], x[1], x[2])),
            Neg | Abs => self.set(class, &format!("{}.{ty}", op.name()), format_args!("{}", x[0])),
            Sqrt => self.set(class, &format!("sqrt.rn.{ty}"), format_args!("{}", x[0])),
            Floor => self.set(class, &format!("cvt.rmi.{ty}.{ty}"), format_args!("{}", x[0])),
            Round => self.set(class, &format!("cvt.rni.{ty}.{ty}"), format_args!("{}", x[0])),
            Max if dtype.is_float() => self.extremum(dtype, [&x[1], &x[0]], x),
            Min if dtype.is_float() => self.extremum(dtype, [&x[0], &x[1]], x),
            Max | Min => self.set(class, &format!("{}.{ty}", op.name()), format_args!("{}, {}", x[0], x[1])),
            Eq | Ne | Lt | Le => self.compare(op, dtype, &x[0], &x[1]),
            And | Or => self.logic(&op.name(), x),
            Xor => self.set(class, &format!("xor.{}", class.ty()), format_args!("{}, {}", x[0], x[1])),
            Not => self.set(class, "not.pred", format_args!("{}", x[0])),
            Select => self.choose(dtype, &x[0], &x[1], &x[2]),
            ShiftLeft(by) => self.set(class, "shl.b32", format_args!("{}, {by}", x[0])),
            ShiftRight(by) => self.set(class, &format!("shr.{ty}"), format_args!("{}, {by}", x[0])),
            PowerOfTwo => self.power_of_two(&x[0]),
            Logb => self.exponent(&x[0]),
            Narrow(to) => self.narrowed(to, &x[0]),
            Bits(to) => self.set(Class::of(to), "mov.b32", format_args!("{}", x[0])),
            Cast(to) => self.cast(op, dtype, to, &x[0])?,
            Exp | Expm1 | Log | Log1p | Sin | Cos | Tanh | Erf => return Err(EmitError::Operation { op, dtype }),
        })
    }

    fn logic(&mut self, name: &str, x: &[String]) -> Reg {
        self.set(Class::Predicate, &format!("{name}.pred"), format_args!("{}, {}", x[0], x[1]))
    }

    /// Integers wrap, bytes at 8 bits; floats are rounded by every single operation.
    fn arithmetic(&mut self, op: ScalarOp, dtype: DType, x: &[String]) -> Reg {
        let how = match (op, dtype) {
            (_, dtype) if dtype.is_float() => ".rn",
            (ScalarOp::Mul, _) => ".lo",
            _ => "",
        };
        let name = format!("{}{how}.{}", op.name(), instruction_type(dtype));
        let result = self.set(Class::of(dtype), &name, format_args!("{}, {}", x[0], x[1]));
        match dtype {
            DType::U8 => self.set(Class::Word, "and.b32", format_args!("{result}, 255")),
            _ => result,
        }
    }

    /// The first operand where `low < high`, which are the operands in some order, else the second; a NaN on either side
    /// wins. The instructions for it say nothing about which zero they give.
    fn extremum(&mut self, dtype: DType, [low, high]: [&String; 2], x: &[String]) -> Reg {
        let closer = self.compare(ScalarOp::Lt, dtype, low, high).to_string();
        let extremum = self.choose(dtype, &closer, &x[0], &x[1]).to_string();
        let nan = self.compare(ScalarOp::Ne, dtype, &x[0], &x[0]).to_string();
        self.choose(dtype, &nan, &x[0], &extremum)
    }

    fn compare(&mut self, op: ScalarOp, dtype: DType, a: &str, b: &str) -> Reg {
        if dtype == DType::Bool {
            let differ = self.set(Class::Predicate, "xor.pred", format_args!("{a}, {b}"));
            return match op {
                ScalarOp::Eq => self.set(Class::Predicate, "not.pred", format_args!("{differ}")),
                _ => differ,
            };
        }
        let how = match op {
            ScalarOp::Eq => "eq",
            // A NaN differs from everything.
            ScalarOp::Ne if dtype.is_float() => "neu",
            ScalarOp::Ne => "ne",
            ScalarOp::Lt => "lt",
            _ => "le",
        };
        self.set(Class::Predicate, &format!("setp.{how}.{}", instruction_type(dtype)), format_args!("{a}, {b}"))
    }

    /// The first where the condition holds, the second elsewhere.
    pub(super) fn choose(&mut self, dtype: DType, condition: &str, first: &str, second: &str) -> Reg {
        if dtype == DType::Bool {
            let taken = self.logic("and", &[condition.to_string(), first.to_string()]).to_string();
            let other = self.set(Class::Predicate, "not.pred", format_args!("{condition}")).to_string();
            let left = self.logic("and", &[other, second.to_string()]).to_string();
            return self.logic("or", &[taken, left]);
        }
        let class = Class::of(dtype);
        self.set(class, &format!("selp.{}", class.ty()), format_args!("{first}, {second}, {condition}"))
    }

    fn power_of_two(&mut self, x: &str) -> Reg {
        let biased = self.set(Class::Word, "add.s32", format_args!("{x}, 1023"));
        let upper = self.set(Class::Word, "shl.b32", format_args!("{biased}, 20"));
        let zero = self.constant(DType::U32, 0.0);
        self.set(Class::F64, "mov.b64", format_args!("{{{zero}, {upper}}}"))
    }

    fn exponent(&mut self, x: &str) -> Reg {
        let bits = self.set(Class::Long, "mov.b64", format_args!("{x}"));
        let upper = self.set(Class::Long, "shr.u64", format_args!("{bits}, 52"));
        let word = self.set(Class::Word, "cvt.u32.u64", format_args!("{upper}"));
        let biased = self.set(Class::Word, "and.b32", format_args!("{word}, 2047"));
        self.set(Class::Word, "add.s32", format_args!("{biased}, -1023"))
    }

    /// The f32 nearest to `x` that a type of half precision holds.
    fn narrowed(&mut self, to: DType, x: &str) -> Reg {
        let half = self.half(to, x);
        self.widened(to, half)
    }

    /// The number of half precision that is nearest to an f32.
    pub(super) fn half(&mut self, to: DType, x: &str) -> Reg {
        self.set(Class::Half, &format!("cvt.rn.{}.f32", to.name()), format_args!("{x}"))
    }

    /// The f32 that a number of half precision is.
    pub(super) fn widened(&mut self, from: DType, half: Reg) -> Reg {
        if from == DType::F16 {
            return self.set(Class::F32, "cvt.f32.f16", format_args!("{half}"));
        }
        let word = self.set(Class::Word, "cvt.u32.u16", format_args!("{half}"));
        let bits = self.set(Class::Word, "shl.b32", format_args!("{word}, 16"));
        self.set(Class::F32, "mov.b32", format_args!("{bits}"))
    }

    fn cast(&mut self, op: ScalarOp, from: DType, to: DType, x: &str) -> Result<Reg, EmitError> {
        use DType::{Bool, F32, F64, I32, I64, U8, U32};
        let (class, source, target) = (Class::of(to), instruction_type(from), instruction_type(to));
        Ok(match (from, to) {
            _ if from == to => self.set(class, &format!("mov.{}", class.ty()), format_args!("{x}")),
            (F32, F64) => self.set(class, "cvt.f64.f32", format_args!("{x}")),
            (F64, F32) => self.set(class, "cvt.rn.f32.f64", format_args!("{x}")),
            (F32 | F64, U8) => {
                let whole = self.whole(from, I32, x).to_string();
                self.clamped(I32, &whole, [0, 255])
            }
            (F32 | F64, I32 | U32 | I64) => self.whole(from, to, x),
            (I32 | U8 | U32 | I64, F32 | F64) => {
                self.set(class, &format!("cvt.rn.{target}.{source}"), format_args!("{x}"))
            }
            (Bool, F32 | F64 | I32 | U32 | U8 | I64) => {
                let (one, zero) = (immediate(to, 1.0), immediate(to, 0.0));
                self.choose(to, x, &one, &zero)
            }
            (F32 | F64 | I32 | U32 | U8 | I64, Bool) => self.compare(ScalarOp::Ne, from, x, &immediate(from, 0.0)),
            (I32 | U32 | U8 | I64, I32 | U32 | U8 | I64) => self.cast_integer(from, to, x),
            _ => return Err(EmitError::Operation { op, dtype: from }),
        })
    }

    /// A float as the nearest integer toward zero. The instructions saturate, but make 0 of a NaN only where neither type has
    /// 64 bits.
    fn whole(&mut self, from: DType, to: DType, x: &str) -> Reg {
        let (source, target) = (instruction_type(from), instruction_type(to));
        let whole = self.set(Class::of(to), &format!("cvt.rzi.{target}.{source}"), format_args!("{x}"));
        if from != DType::F64 && to != DType::I64 {
            return whole;
        }
        let number = self.compare(ScalarOp::Eq, from, x, x).to_string();
        self.choose(to, &number, &whole.to_string(), "0")
    }

    /// The nearest integer within bounds.
    pub(super) fn clamped(&mut self, dtype: DType, x: &str, [low, high]: [i64; 2]) -> Reg {
        let (class, ty) = (Class::of(dtype), instruction_type(dtype));
        let above = self.set(class, &format!("max.{ty}"), format_args!("{x}, {low}"));
        self.set(class, &format!("min.{ty}"), format_args!("{above}, {high}"))
    }

    /// An integer as another one; what does not fit becomes the nearest that does.
    fn cast_integer(&mut self, from: DType, to: DType, x: &str) -> Reg {
        use DType::{I32, I64, U8, U32};
        match (from, to) {
            (I32, U32) => self.set(Class::Word, "max.s32", format_args!("{x}, 0")),
            (U32, I32) => self.set(Class::Word, "min.u32", format_args!("{x}, {}", i32::MAX)),
            (I32, U8) => self.clamped(I32, x, [0, 255]),
            (U32, U8) => self.set(Class::Word, "min.u32", format_args!("{x}, 255")),
            (I32, I64) => self.set(Class::Long, "cvt.s64.s32", format_args!("{x}")),
            (U32 | U8, I64) => self.set(Class::Long, "cvt.u64.u32", format_args!("{x}")),
            (I64, _) => {
                let bounds = match to {
                    I32 => [i64::from(i32::MIN), i64::from(i32::MAX)],
                    U32 => [0, i64::from(u32::MAX)],
                    _ => [0, 255],
                };
                let within = self.clamped(I64, x, bounds);
                self.set(Class::Word, "cvt.u32.u64", format_args!("{within}"))
            }
            // A byte is a word of 32 bits already.
            _ => self.set(Class::Word, "mov.b32", format_args!("{x}")),
        }
    }
}
