//! All values of a register in one, in the order that kernels have: halves onto each other.
//!
//! Groups are folded in each thread, and what threads have by shuffles in each warp. One value of each warp goes through shared
//! memory; then every warp folds those, so that every thread has the result. Each such place in the text has memory of its
//! own, so that nobody has to wait before storing there, but where a loop comes by again.

use super::EmitError;
use super::emitter::Emitter;
use super::operation::instruction_type;
use super::text::{Class, Reg};
use crate::dtype::DType;
use crate::kernel::{Register, WARP};
use crate::nest::Reducer;
use crate::scalar::ScalarOp;

impl Emitter<'_> {
    /// The values of a register in one.
    pub(super) fn combine(&mut self, register: Register, reducer: Reducer) -> Result<Reg, EmitError> {
        let op = reducer.operation().expect("verified registers are combined by sum, maximum or minimum");
        let dtype = self.kernel.registers[register.0].dtype;
        let slots = self.registers[register.0].lanes.clone();
        let mut value = self.halves(op, dtype, slots)?;
        value = self.over_lanes(op, dtype, value, WARP)?;
        if self.threads > WARP {
            value = self.through_memory(dtype, value);
            value = self.over_lanes(op, dtype, value, self.threads / WARP)?;
        }
        let whole = self.shuffled("idx", dtype, value, 0);
        let further = self.registers[register.0].single;
        self.text.apply(op, dtype, &[whole.to_string(), further.to_string()])
    }

    /// The upper half onto the lower one until one is left.
    fn halves(&mut self, op: ScalarOp, dtype: DType, mut values: Vec<Reg>) -> Result<Reg, EmitError> {
        while values.len() > 1 {
            let upper = values.split_off(values.len() / 2);
            for (value, other) in values.iter_mut().zip(upper) {
                *value = self.text.apply(op, dtype, &[value.to_string(), other.to_string()])?;
            }
        }
        Ok(values[0])
    }

    /// The values of the first threads of each warp in one, which the first thread then has.
    fn over_lanes(&mut self, op: ScalarOp, dtype: DType, mut value: Reg, lanes: usize) -> Result<Reg, EmitError> {
        let mut distance = lanes / 2;
        while distance > 0 {
            let other = self.shuffled("down", dtype, value, distance);
            value = self.text.apply(op, dtype, &[value.to_string(), other.to_string()])?;
            distance /= 2;
        }
        Ok(value)
    }

    /// The values that the first thread of each warp has, each in the thread of that number in every warp.
    fn through_memory(&mut self, dtype: DType, value: Reg) -> Reg {
        let (ty, class) = (instruction_type(dtype), Class::of(dtype));
        let size = if matches!(class, Class::F64 | Class::Long) { 8 } else { 4 };
        let warps = self.threads / WARP;
        let place = self.folds * warps * 8;
        self.folds += 1;
        let base = self.text.set(Class::Word, "mov.u32", format_args!("fold"));
        let warp = self.text.set(Class::Word, "shr.u32", format_args!("{}, {}", self.thread, WARP.ilog2()));
        let own = self.text.set(Class::Word, "mad.lo.s32", format_args!("{warp}, {size}, {base}"));
        let lane = self.text.set(Class::Word, "and.b32", format_args!("{}, {}", self.thread, WARP - 1));
        let is_first = self.text.set(Class::Predicate, "setp.eq.u32", format_args!("{lane}, 0"));
        if self.repeats {
            self.barrier();
        }
        self.text.line(format_args!("@{is_first} st.shared.{ty} [{own}+{place}], {value}"));
        self.barrier();
        let lane = self.text.set(Class::Word, "and.b32", format_args!("{}, {}", self.thread, warps - 1));
        let other = self.text.set(Class::Word, "mad.lo.s32", format_args!("{lane}, {size}, {base}"));
        self.text.set(class, &format!("ld.shared.{ty}"), format_args!("[{other}+{place}]"))
    }

    /// The value of another thread of the warp.
    fn shuffled(&mut self, how: &str, dtype: DType, value: Reg, by: usize) -> Reg {
        let name = format!("shfl.sync.{how}.b32");
        let word = |emitter: &mut Self, word: Reg| {
            emitter.text.set(Class::Word, &name, format_args!("{word}, {by}, 31, 0xffffffff"))
        };
        match Class::of(dtype) {
            Class::Word => word(self, value),
            class @ (Class::F64 | Class::Long) => {
                let (low, high) = (self.text.reg(Class::Word), self.text.reg(Class::Word));
                self.text.line(format_args!("mov.b64 {{{low}, {high}}}, {value}"));
                let (low, high) = (word(self, low), word(self, high));
                self.text.set(class, "mov.b64", format_args!("{{{low}, {high}}}"))
            }
            class => {
                let bits = self.text.set(Class::Word, "mov.b32", format_args!("{value}"));
                let bits = word(self, bits);
                self.text.set(class, "mov.b32", format_args!("{bits}"))
            }
        }
    }
}
