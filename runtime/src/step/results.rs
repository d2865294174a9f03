//! The results of a run: where they lie, and how they are seen.

use crate::memory::Memory;
use crate::tensor::View;
use std::fmt::Debug;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::Role;
use tapeless_compiler::plan::{Place, Plan, PlanResult};

/// A result of a step.
pub(super) struct StepResult {
    pub(super) role: Role,
    dtype: DType,
    shape: Vec<usize>,
    elements: usize,
    /// The first byte in the workspace.
    offset: usize,
    /// The elements as bools, after a run, if that is their type.
    bools: Vec<bool>,
}

impl StepResult {
    /// The result of a plan on a workspace, or what is wrong with it.
    pub(super) fn new(plan: &Plan, result: &PlanResult) -> Result<StepResult, String> {
        let buffer = &plan.buffers[result.buffer.0];
        let elements = result.shape.iter().product();
        let Place::Workspace(offset) = buffer.place else {
            return Err(format!("the result {:?} lies in a leaf", result.role));
        };
        if elements != buffer.elements {
            return Err(format!("the result {:?} is not its buffer", result.role));
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

    /// Converts what is not seen in place.
    pub(super) fn convert(&mut self, workspace: &Memory) {
        if self.dtype == DType::Bool {
            let stored = workspace.slice::<u32>(self.offset, self.elements);
            self.bools.iter_mut().zip(stored).for_each(|(to, from)| *to = *from != 0);
        }
    }

    /// The elements, which are of the type that the generated code asks for.
    pub(super) fn view<'a, T: Element>(&'a self, workspace: &'a Memory) -> View<'a, T> {
        assert_eq!(T::DTYPE, self.dtype, "generated code knows the type of {:?}", self.role);
        View::borrowed(T::elements(self, workspace), &self.shape)
    }
}

/// What an element of a result may be.
pub trait Element: Stored {}

/// How elements of a type lie in a result.
pub trait Stored: Copy + Debug {
    /// The element type.
    const DTYPE: DType;

    /// All elements of a result.
    fn elements<'a>(result: &'a StepResult, workspace: &'a Memory) -> &'a [Self];
}

/// Types that are seen in place.
macro_rules! stored {
    ($($element:ty => $dtype:ident),*) => {$(
        impl Element for $element {}
        impl Stored for $element {
            const DTYPE: DType = DType::$dtype;
            fn elements<'a>(result: &'a StepResult, workspace: &'a Memory) -> &'a [Self] {
                workspace.slice(result.offset, result.elements)
            }
        }
    )*};
}

stored!(f32 => F32, f64 => F64, u32 => U32, i32 => I32, i64 => I64, u8 => U8);

impl Element for bool {}
impl Stored for bool {
    const DTYPE: DType = DType::Bool;
    fn elements<'a>(result: &'a StepResult, _workspace: &'a Memory) -> &'a [Self] {
        &result.bools
    }
}
