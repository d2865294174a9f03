//! The inputs of a run: what is checked before anything starts.

use crate::device::Executable;
use crate::elements::Elements;
use crate::error::Error;
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
}

/// The inputs of a step in order of declaration.
pub(super) struct Inputs(Vec<InputDecl>);

impl Inputs {
    /// The inputs of a plan.
    pub(super) fn new(plan: &Plan) -> Inputs {
        let mut decls = Vec::new();
        for (leaf, planned) in plan.leaves.iter().enumerate() {
            let Leaf::User { name } = &planned.leaf else { continue };
            decls.push(InputDecl {
                name: name.clone(),
                dtype: planned.dtype,
                shape: planned.shape.clone(),
                bounds: plan.bounds.iter().filter(|bound| bound.leaf == leaf).cloned().collect(),
                leaf,
            });
        }
        Inputs(decls)
    }

    /// Holds what a caller gave against the declarations.
    pub(super) fn check(&self, step: &str, inputs: &[Elements<'_>]) -> Result<(), Error> {
        if inputs.len() != self.0.len() {
            let reason = format!("takes {} inputs, not {}", self.0.len(), inputs.len());
            return Err(Error::Internal { step: step.to_string(), reason });
        }
        self.0.iter().zip(inputs).try_for_each(|(decl, input)| decl.check(step, *input))
    }

    /// Tells every launch where the inputs lie. They have been checked.
    pub(super) fn fill(&self, inputs: &[Elements<'_>], executable: &mut dyn Executable) {
        for (decl, input) in self.0.iter().zip(inputs) {
            executable.set_input(decl.leaf, *input);
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
