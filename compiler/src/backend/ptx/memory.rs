//! Loads and stores: what elements are in memory, and what registers hold.

use super::EmitError;
use super::barriers::may_be_stored_to;
use super::emitter::{Emitter, Phase};
use super::text::Class;
use super::text::Reg;
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
    /// The element of an iteration.
    pub(super) fn load(&mut self, parameter: ParameterId, index: &Index, group: usize) -> Result<Reg, EmitError> {
        let address = self.address((parameter, index), group)?;
        let dtype = self.kernel.parameters[parameter.0].dtype;
        let (class, ty) = element(dtype);
        let name = format!("{}ld.{}.{ty}", self.bounded(group), self.load_space(parameter));
        let word = self.text.set(class, &name, format_args!("[{address}]"));
        Ok(self.value_of_element(dtype, word))
    }

    /// Stores the element of each iteration; outside of lanes loops, one thread does.
    pub(super) fn store(&mut self, parameter: ParameterId, index: &Index, value: Var) -> Result<(), EmitError> {
        for group in 0..self.groups() {
            let value = self.register(value, group);
            self.store_value(parameter, index, group, value)?;
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
            self.store_value(parameter, index, group, sum)?;
        }
        Ok(())
    }

    fn store_value(
        &mut self,
        parameter: ParameterId,
        index: &Index,
        group: usize,
        value: Reg,
    ) -> Result<(), EmitError> {
        let dtype = self.kernel.parameters[parameter.0].dtype;
        let word = self.element_of_value(dtype, value);
        let address = self.address((parameter, index), group)?;
        let (_, ty) = element(dtype);
        let first = match self.phase {
            Phase::Outside => format!("@{} ", self.is_first),
            Phase::Lanes { .. } => self.bounded(group),
        };
        self.text.line(format_args!("{first}st.{}.{ty} [{address}], {word}", self.space(parameter)));
        Ok(())
    }

    /// The condition of an access that is within bounds.
    fn bounded(&self, group: usize) -> String {
        self.tiles.within.get(group).map(|within| format!("@{within} ")).unwrap_or_default()
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
