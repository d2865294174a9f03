//! The results of a run: where they lie, and how they are seen.

use crate::elements::{Element, Elements};
use crate::memory::Memory;
use crate::tensor::View;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::Role;
use tapeless_compiler::plan::{Plan, PlanResult};

/// A result of a step.
pub(super) struct StepResult {
    pub(super) role: Role,
    dtype: DType,
    shape: Vec<usize>,
    elements: usize,
    /// The first byte in the memory of results, or of gradients.
    offset: usize,
    /// The elements as bools, after a run, if that is their type.
    bools: Vec<bool>,
}

impl StepResult {
    /// The result of a plan that begins at this byte, or what is wrong with the plan.
    pub(super) fn new(plan: &Plan, result: &PlanResult, offset: usize) -> Result<StepResult, String> {
        let buffer = &plan.buffers[result.buffer.0];
        let elements = result.shape.iter().product();
        if elements != buffer.elements {
            return Err(format!("the result {:?} is no array of {elements} elements", result.role));
        }
        let bools = if buffer.dtype == DType::Bool { vec![false; elements] } else { Vec::new() };
        Ok(StepResult {
            role: result.role.clone(),
            dtype: buffer.dtype,
            shape: result.shape.clone(),
            elements,
            offset,
            bools,
        })
    }

    /// Whether it is kept for the user who asks for it, not shown after each run.
    pub(super) fn is_gradient(&self) -> bool {
        matches!(self.role, Role::Gradient { .. })
    }

    /// Converts what is not seen in place.
    pub(super) fn convert(&mut self, memory: &Memory) {
        if self.dtype == DType::Bool {
            let stored = memory.slice::<u32>(self.offset, self.elements);
            self.bools.iter_mut().zip(stored).for_each(|(to, from)| *to = *from != 0);
        }
    }

    /// The elements, which are of the type that the generated code asks for.
    pub(super) fn view<'a, T: Element>(&'a self, memory: &'a Memory) -> View<'a, T> {
        let elements = T::from_elements(self.elements(memory));
        View::borrowed(elements.expect("generated code knows the types of results"), &self.shape)
    }

    /// The elements of a float as f32.
    pub(super) fn floats<'a>(&'a self, memory: &'a Memory) -> View<'a, f32> {
        let converted = |elements| View::converted(elements, &self.shape);
        match self.elements(memory) {
            Elements::F16(elements) => converted(elements.iter().map(|x| x.to_f32()).collect()),
            Elements::Bf16(elements) => converted(elements.iter().map(|x| x.to_f32()).collect()),
            Elements::F64(elements) => converted(elements.iter().map(|&x| x as f32).collect()),
            _ => self.view(memory),
        }
    }

    /// The elements as they are.
    pub(super) fn elements<'a>(&'a self, memory: &'a Memory) -> Elements<'a> {
        let (offset, elements) = (self.offset, self.elements);
        match self.dtype {
            DType::F32 => Elements::F32(memory.slice(offset, elements)),
            DType::F16 => Elements::F16(memory.slice(offset, elements)),
            DType::Bf16 => Elements::Bf16(memory.slice(offset, elements)),
            DType::F64 => Elements::F64(memory.slice(offset, elements)),
            DType::U32 => Elements::U32(memory.slice(offset, elements)),
            DType::I32 => Elements::I32(memory.slice(offset, elements)),
            DType::I64 => Elements::I64(memory.slice(offset, elements)),
            DType::U8 => Elements::U8(memory.slice(offset, elements)),
            DType::Bool => Elements::Bool(&self.bools),
        }
    }
}
