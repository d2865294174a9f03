//! Where the tensors of a store lie: a pure function of the model's description.
//!
//! All tensors share one memory. Those of one element type stand together, parameters before states, else in the order of
//! the description. Invariants: every tensor begins at a multiple of 64 bytes and no two overlap.

use crate::memory::padded;
use tapeless_compiler::description::TensorDecl;
use tapeless_compiler::dtype::DType;

/// Where an array of a store lies, and what it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// The element type.
    pub(crate) dtype: DType,
    /// The extents.
    pub(crate) shape: Vec<usize>,
    /// How many elements.
    pub(crate) elements: usize,
    /// The first byte.
    pub(crate) offset: usize,
}

impl Place {
    /// The place of an array that begins at a byte.
    pub(crate) fn new(dtype: DType, shape: &[usize], offset: usize) -> Place {
        Place { dtype, shape: shape.to_vec(), elements: shape.iter().product(), offset }
    }

    /// The first byte behind the array and its padding.
    pub(crate) fn end(&self) -> usize {
        self.offset + padded(self.elements * self.dtype.size())
    }
}

/// The places of all tensors, in the order of the description.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    /// One per tensor.
    pub(crate) places: Vec<Place>,
    /// How much memory they take.
    pub(crate) bytes: usize,
}

/// Lays the tensors out.
pub(crate) fn layout(tensors: &[TensorDecl]) -> Layout {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&position| (tensors[position].ty.dtype, tensors[position].state));
    let mut places = vec![Place::new(DType::F32, &[], 0); tensors.len()];
    let mut bytes = 0;
    for position in order {
        let ty = &tensors[position].ty;
        places[position] = Place::new(ty.dtype, &ty.known_shape(), bytes);
        bytes = places[position].end();
    }
    Layout { places, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapeless_compiler::description::Initial;
    use tapeless_compiler::shape::{Shape, Type};

    fn tensor(key: &str, dtype: DType, shape: &[usize], state: bool) -> TensorDecl {
        let ty = Type::new(dtype, Shape::from_known(shape));
        TensorDecl { key: key.to_string(), ty, state, initial: Initial::Constant(0.0) }
    }

    #[test]
    fn tensors_of_a_type_stand_together_with_parameters_first() {
        let tensors = [
            tensor("mean", DType::F32, &[17], true),
            tensor("seen", DType::I64, &[], true),
            tensor("weight", DType::F32, &[3, 5], false),
            tensor("bias", DType::F32, &[0], false),
            tensor("gain", DType::F32, &[], false),
        ];
        let layout = layout(&tensors);
        let offsets: Vec<usize> = layout.places.iter().map(|place| place.offset).collect();
        assert_eq!(offsets, [128, 256, 0, 64, 64]);
        assert_eq!(layout.bytes, 320);
        assert_eq!(layout.places[2].shape, [3, 5]);
    }
}
