//! The inputs of a run: what a caller gives, and what is checked before anything starts.

use super::arguments::Arguments;
use crate::error::Error;
use crate::memory::{Memory, padded};
use crate::store::ty;
use crate::tensor::{Tensor, View};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::Leaf;
use tapeless_compiler::plan::Plan;

/// The elements of one input. Numbers are read where they are; bools are converted.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// For inputs of f32.
    F32(&'a [f32]),
    /// For inputs of u32.
    U32(&'a [u32]),
    /// For inputs of i32.
    I32(&'a [i32]),
    /// For inputs of bool.
    Bool(&'a [bool]),
}

impl Input<'_> {
    fn len(&self) -> usize {
        match self {
            Input::F32(elements) => elements.len(),
            Input::U32(elements) => elements.len(),
            Input::I32(elements) => elements.len(),
            Input::Bool(elements) => elements.len(),
        }
    }

    fn dtype(&self) -> DType {
        match self {
            Input::F32(_) => DType::F32,
            Input::U32(_) => DType::U32,
            Input::I32(_) => DType::I32,
            Input::Bool(_) => DType::Bool,
        }
    }

    /// The first element that is not in `0..bound`, with its position.
    fn outside(&self, bound: usize) -> Option<(usize, i64)> {
        let outside = |(_, element): &(usize, i64)| usize::try_from(*element).map_or(true, |index| index >= bound);
        match self {
            Input::U32(elements) => elements.iter().map(|&x| i64::from(x)).enumerate().find(outside),
            Input::I32(elements) => elements.iter().map(|&x| i64::from(x)).enumerate().find(outside),
            Input::F32(_) | Input::Bool(_) => None,
        }
    }
}

/// The ways to give the elements of a type: one by reference, or many.
macro_rules! inputs {
    ($($element:ty => $variant:ident),*) => {$(
        impl<'a> From<&'a $element> for Input<'a> {
            fn from(element: &'a $element) -> Input<'a> {
                Input::$variant(std::slice::from_ref(element))
            }
        }

        impl<'a> From<&'a [$element]> for Input<'a> {
            fn from(elements: &'a [$element]) -> Input<'a> {
                Input::$variant(elements)
            }
        }

        impl<'a, const COUNT: usize> From<&'a [$element; COUNT]> for Input<'a> {
            fn from(elements: &'a [$element; COUNT]) -> Input<'a> {
                Input::$variant(elements)
            }
        }

        impl<'a> From<&'a Vec<$element>> for Input<'a> {
            fn from(elements: &'a Vec<$element>) -> Input<'a> {
                Input::$variant(elements)
            }
        }

        impl<'a> From<&'a Tensor<$element>> for Input<'a> {
            fn from(elements: &'a Tensor<$element>) -> Input<'a> {
                Input::$variant(elements)
            }
        }

        impl<'a> From<&'a View<'_, $element>> for Input<'a> {
            fn from(elements: &'a View<'_, $element>) -> Input<'a> {
                Input::$variant(elements)
            }
        }
    )*};
}

inputs!(f32 => F32, u32 => U32, i32 => I32, bool => Bool);

/// An input as the step declares it.
#[derive(Debug)]
pub(super) struct InputDecl {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    /// What every element must be below, if the step uses them as indices.
    bound: Option<usize>,
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
                bound: plan.bounds.iter().find(|bound| bound.leaf == leaf).map(|bound| bound.below),
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
    pub(super) fn check(&self, step: &str, inputs: &[Input<'_>]) -> Result<(), Error> {
        if inputs.len() != self.decls.len() {
            let reason = format!("takes {} inputs, not {}", self.decls.len(), inputs.len());
            return Err(Error::Internal { step: step.to_string(), reason });
        }
        self.decls.iter().zip(inputs).try_for_each(|(decl, input)| decl.check(step, *input))
    }

    /// Tells every launch where the inputs lie. They have been checked.
    pub(super) fn fill(&mut self, inputs: &[Input<'_>], arguments: &mut Arguments) {
        for (decl, input) in self.decls.iter().zip(inputs) {
            let pointer = match (*input, decl.converted) {
                (Input::Bool(elements), Some(offset)) => {
                    let converted = self.converted.slice_mut::<u32>(offset, elements.len());
                    converted.iter_mut().zip(elements).for_each(|(to, from)| *to = u32::from(*from));
                    self.converted.pointer(offset).cast_const()
                }
                (Input::F32(elements), _) => elements.as_ptr().cast(),
                (Input::U32(elements), _) => elements.as_ptr().cast(),
                (Input::I32(elements), _) => elements.as_ptr().cast(),
                (Input::Bool(_), None) => unreachable!("inputs of bool are converted"),
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

    fn check(&self, step: &str, input: Input<'_>) -> Result<(), Error> {
        if input.dtype() != self.dtype {
            let reason = format!("input `{}` takes {}, not {}", self.name, self.dtype, input.dtype());
            return Err(Error::Internal { step: step.to_string(), reason });
        }
        if input.len() != self.elements() {
            return Err(self.wrong_length(step, input.len()));
        }
        match self.bound.and_then(|bound| Some((bound, input.outside(bound)?))) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_index_out_of_range_is_found() {
        assert_eq!(Input::from(&[3u32, 9, 10, 11]).outside(10), Some((2, 10)));
        assert_eq!(Input::from(&[3i32, -1]).outside(10), Some((1, -1)));
        assert_eq!(Input::from(&vec![0u32, 9]).outside(10), None);
        assert_eq!(Input::from(&7u32).outside(0), Some((0, 7)));
    }
}
