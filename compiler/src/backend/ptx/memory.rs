//! Loads and stores: what elements are in memory, and what registers hold.

use super::EmitError;
use super::barriers::may_be_stored_to;
use super::beside::Beside;
use super::emitter::Emitter;
use super::text::{Class, Reg};
use crate::dtype::DType;
use crate::kernel::{ParameterId, Usage, Var};
use crate::nest::Index;
use crate::scalar::ScalarOp;

/// What registers an element is loaded to and stored from, and what instructions call it.
fn element(dtype: DType) -> (Class, &'static str) {
    match dtype {
        DType::F32 => (Class::F32, "f32"),
        DType::F64 => (Class::F64, "f64"),
        DType::I64 => (Class::Long, "u64"),
        DType::I32 | DType::U32 | DType::Bool => (Class::Word, "u32"),
        DType::F16 | DType::Bf16 => (Class::Half, "b16"),
        DType::U8 => (Class::Word, "u8"),
    }
}

impl Emitter<'_> {
    /// The elements of all iterations that run together.
    pub(super) fn loads(&mut self, parameter: ParameterId, index: &Index) -> Result<Vec<Reg>, EmitError> {
        let mut values = Vec::with_capacity(self.groups());
        let beside = self.beside(parameter, index);
        while values.len() < self.groups() {
            let group = values.len();
            match beside {
                Beside::Vector(count) => values.extend(self.load_vector(parameter, index, group, count)?),
                Beside::Same(count) => values.extend(vec![self.load(parameter, index, group)?; count]),
            }
        }
        Ok(values)
    }

    /// Elements that lie side by side.
    fn load_vector(
        &mut self,
        parameter: ParameterId,
        index: &Index,
        group: usize,
        count: usize,
    ) -> Result<Vec<Reg>, EmitError> {
        let address = self.address((parameter, index), group)?;
        let dtype = self.kernel.parameters[parameter.0].dtype;
        let (class, ty) = element(dtype);
        let (condition, space) = (self.condition_of_load(group), self.load_space(parameter));
        let words: Vec<Reg> = (0..count).map(|_| self.text.reg(class)).collect();
        self.text.line(format_args!("{condition}ld.{space}.v{count}.{ty} {}, [{address}]", vector(&words)));
        Ok(words.into_iter().map(|word| self.value_of_element(dtype, word)).collect())
    }

    /// The element of an iteration.
    pub(super) fn load(&mut self, parameter: ParameterId, index: &Index, group: usize) -> Result<Reg, EmitError> {
        let address = self.address((parameter, index), group)?;
        let dtype = self.kernel.parameters[parameter.0].dtype;
        let (class, ty) = element(dtype);
        let name = format!("{}ld.{}.{ty}", self.condition_of_load(group), self.load_space(parameter));
        let word = self.text.set(class, &name, format_args!("[{address}]"));
        Ok(self.value_of_element(dtype, word))
    }

    /// Stores the element of each iteration; outside of lanes loops, one thread does.
    pub(super) fn store(&mut self, parameter: ParameterId, index: &Index, value: Var) -> Result<(), EmitError> {
        let count = match self.beside(parameter, index) {
            Beside::Vector(count) => count,
            Beside::Same(_) => 1,
        };
        for group in (0..self.groups()).step_by(count) {
            let values: Vec<Reg> = (group..group + count).map(|group| self.register(value, group)).collect();
            self.store_values(parameter, index, group, &values)?;
        }
        Ok(())
    }

    /// Adds to the element of each iteration, which are different ones.
    pub(super) fn accumulate(&mut self, parameter: ParameterId, index: &Index, value: Var) -> Result<(), EmitError> {
        let dtype = self.kernel.parameters[parameter.0].dtype;
        for group in 0..self.groups() {
            let before = self.load(parameter, index, group)?.to_string();
            let value = self.operand(value, group);
            let sum = self.text.apply(ScalarOp::Add, dtype, &[before, value])?;
            self.store_values(parameter, index, group, &[sum])?;
        }
        Ok(())
    }

    /// Stores values side by side.
    fn store_values(
        &mut self,
        parameter: ParameterId,
        index: &Index,
        group: usize,
        values: &[Reg],
    ) -> Result<(), EmitError> {
        let dtype = self.kernel.parameters[parameter.0].dtype;
        let words: Vec<Reg> = values.iter().map(|&value| self.element_of_value(dtype, value)).collect();
        let address = self.address((parameter, index), group)?;
        let (_, ty) = element(dtype);
        let (condition, space) = (self.condition(group), self.space(parameter));
        match words.as_slice() {
            [word] => self.text.line(format_args!("{condition}st.{space}.{ty} [{address}], {word}")),
            words => {
                let (count, vector) = (words.len(), vector(words));
                self.text.line(format_args!("{condition}st.{space}.v{count}.{ty} [{address}], {vector}"));
            }
        }
        Ok(())
    }

    /// The condition in front of a load; what is outside of lanes loops all threads load.
    fn condition_of_load(&self, group: usize) -> String {
        if self.together().is_some() { self.condition(group) } else { String::new() }
    }

    fn space(&self, parameter: ParameterId) -> &'static str {
        if self.kernel.parameters[parameter.0].usage == Usage::Local { "shared" } else { "global" }
    }

    /// What nothing stores to while the kernel runs may come through the cache that is never made up to date.
    pub(super) fn load_space(&self, parameter: ParameterId) -> &'static str {
        match self.kernel.parameters[parameter.0].usage {
            Usage::Read if !may_be_stored_to(self.kernel, parameter) => "global.nc",
            _ => self.space(parameter),
        }
    }

    /// What registers hold for what an element is in memory.
    fn value_of_element(&mut self, dtype: DType, word: Reg) -> Reg {
        match dtype {
            DType::Bool => self.text.set(Class::Predicate, "setp.ne.u32", format_args!("{word}, 0")),
            DType::F16 | DType::Bf16 => self.text.widened(dtype, word),
            _ => word,
        }
    }

    /// What a value is in memory.
    fn element_of_value(&mut self, dtype: DType, value: Reg) -> Reg {
        match dtype {
            DType::Bool => self.text.set(Class::Word, "selp.u32", format_args!("1, 0, {value}")),
            DType::F16 | DType::Bf16 => self.text.half(dtype, &value.to_string()),
            _ => value,
        }
    }
}

/// Registers as the operand of an instruction for several elements.
fn vector(words: &[Reg]) -> String {
    let words: Vec<String> = words.iter().map(Reg::to_string).collect();
    format!("{{{}}}", words.join(", "))
}
