//! The inputs of a run: what is checked before anything starts, and where kernels find them. Numbers are read where the
//! caller has them; bools are converted.

use super::arguments::Arguments;
use crate::elements::Elements;
use crate::error::Error;
use crate::memory::{Memory, padded};
use crate::store::ty;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::Leaf;
use tapeless_compiler::plan::{Bound, Plan};

/// An input as the step declares it.
#[derive(Debug)]
pub(super) struct InputDecl {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    /// What elements must be that the step uses as indices.
    bounds: Vec<Bound>,
    /// The position among the plan's leaves.
    leaf: usize,
    /// Where the elements go that cannot be read in place.
    converted: Option<usize>,
}

/// The inputs of a step in order of declaration.
pub(super) struct Inputs {
    decls: Vec<InputDecl>,
    converted: Memory,
}

impl Inputs {
    /// The inputs of a plan.
    pub(super) fn new(plan: &Plan) -> Result<Inputs, Error> {
        let (mut decls, mut bytes) = (Vec::new(), 0);
        for (leaf, planned) in plan.leaves.iter().enumerate() {
            let Leaf::User { name } = &planned.leaf else { continue };
            let mut decl = InputDecl {
                name: name.clone(),
                dtype: planned.dtype,
                shape: planned.shape.clone(),
                bounds: plan.bounds.iter().filter(|bound| bound.leaf == leaf).cloned().collect(),
                leaf,
                converted: None,
            };
            if decl.dtype == DType::Bool {
                decl.converted = Some(bytes);
                bytes += padded(decl.elements() * decl.dtype.size());
            }
            decls.push(decl);
        }
        Ok(Inputs { decls, converted: Memory::zeroed(bytes)? })
    }

    /// Holds what a caller gave against the declarations.
    pub(super) fn check(&self, step: &str, inputs: &[Elements<'_>]) -> Result<(), Error> {
        if inputs.len() != self.decls.len() {
            let reason = format!("takes {} inputs, not {}", self.decls.len(), inputs.len());
            return Err(Error::Internal { step: step.to_string(), reason });
        }
        self.decls.iter().zip(inputs).try_for_each(|(decl, input)| decl.check(step, *input))
    }

    /// Tells every launch where the inputs lie. They have been checked.
    pub(super) fn fill(&mut self, inputs: &[Elements<'_>], arguments: &mut Arguments) {
        for (decl, input) in self.decls.iter().zip(inputs) {
            let pointer = match (*input, decl.converted) {
                (Elements::Bool(elements), Some(offset)) => {
                    let converted = self.converted.slice_mut::<u32>(offset, elements.len());
                    converted.iter_mut().zip(elements).for_each(|(to, from)| *to = u32::from(*from));
                    self.converted.pointer(offset).cast_const()
                }
                _ => input.start(),
            };
            // No kernel writes an input: the plan was checked for that.
            arguments.set_leaf(decl.leaf, pointer.cast_mut());
        }
    }
}

impl InputDecl {
    fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    fn check(&self, step: &str, input: Elements<'_>) -> Result<(), Error> {
        if input.dtype() != self.dtype {
            let reason = format!("input `{}` takes {}, not {}", self.name, self.dtype, input.dtype());
            return Err(Error::Internal { step: step.to_string(), reason });
        }
        if input.len() != self.elements() {
            return Err(self.wrong_length(step, input.len()));
        }
        let outside = self.bounds.iter().find_map(|bound| Some((bound.below, input.outside(bound)?)));
        match outside {
            Some((bound, (position, value))) => {
                let (step, input) = (step.to_string(), self.name.clone());
                Err(Error::IndexOutOfRange { step, input, position, value, bound })
            }
            None => Ok(()),
        }
    }

    fn wrong_length(&self, step: &str, found: usize) -> Error {
        Error::InputLength {
            step: step.to_string(),
            input: self.name.clone(),
            ty: ty(self.dtype, &self.shape),
            expected: self.elements(),
            found,
        }
    }
}
