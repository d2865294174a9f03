//! All values of a register in one, in the order that kernels have: halves onto each other.
//!
//! Groups are folded in each thread. The values of the threads go through shared memory once; then each warp folds those of
//! whole warps, and what is left by shuffles, so that every thread has the result.

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
        if self.threads > WARP {
            let values = self.through_memory(dtype, value);
            value = self.halves(op, dtype, values)?;
        }
        let mut distance = WARP / 2;
        while distance > 0 {
            let other = self.shuffled("down", dtype, value, distance);
            value = self.text.apply(op, dtype, &[value.to_string(), other.to_string()])?;
            distance /= 2;
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

    /// The values of the threads with the same number in each warp, by warp.
    fn through_memory(&mut self, dtype: DType, value: Reg) -> Vec<Reg> {
        let (ty, class) = (instruction_type(dtype), Class::of(dtype));
        let size = if matches!(class, Class::F64 | Class::Long) { 8 } else { 4 };
        self.folds = true;
        let lane = self.lane();
        let base = self.text.set(Class::Word, "mov.u32", format_args!("fold"));
        let own = self.text.set(Class::Word, "mad.lo.s32", format_args!("{}, {size}, {base}", self.thread));
        let first = self.text.set(Class::Word, "mad.lo.s32", format_args!("{lane}, {size}, {base}"));
        self.barrier();
        self.text.line(format_args!("st.shared.{ty} [{own}], {value}"));
        self.barrier();
        let warp = |number: usize| number * WARP * size;
        let name = format!("ld.shared.{ty}");
        let load = |number: usize| self.text.set(class, &name, format_args!("[{first}+{}]", warp(number)));
        (0..self.threads / WARP).map(load).collect()
    }

    /// The number of the thread in its warp.
    fn lane(&mut self) -> Reg {
        self.text.set(Class::Word, "and.b32", format_args!("{}, {}", self.thread, WARP - 1))
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
