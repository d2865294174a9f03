//! The elements of an array of any type, as programs hold them: what steps are given and what they return.

use crate::memory::{Memory, Plain};
use crate::tensor::{Tensor, View};
use half::{bf16, f16};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::plan::Bound;

/// The elements of one array.
#[derive(Clone, Copy, Debug)]
pub enum Elements<'a> {
    /// Of type f32.
    F32(&'a [f32]),
    /// Of type f16.
    F16(&'a [f16]),
    /// Of type bf16.
    Bf16(&'a [bf16]),
    /// Of type f64.
    F64(&'a [f64]),
    /// Of type u32.
    U32(&'a [u32]),
    /// Of type i32.
    I32(&'a [i32]),
    /// Of type i64.
    I64(&'a [i64]),
    /// Of type u8.
    U8(&'a [u8]),
    /// Of type bool, one byte each; steps hold them in four.
    Bool(&'a [bool]),
}

/// A type that elements may have.
pub trait Element: Copy {
    /// What steps and descriptions call it.
    const DTYPE: DType;

    /// The elements if they are of this type.
    fn from_elements(elements: Elements<'_>) -> Option<&[Self]>;
}

/// What holds for every variant.
macro_rules! elements {
    ($($element:ty => $variant:ident),*) => {
        impl Elements<'_> {
            /// How many there are.
            pub(crate) fn len(&self) -> usize {
                match self {
                    $(Elements::$variant(elements) => elements.len(),)*
                }
            }

            /// Their type.
            pub(crate) fn dtype(&self) -> DType {
                match self {
                    $(Elements::$variant(_) => DType::$variant,)*
                }
            }

            /// Where the first one is.
            pub(crate) fn start(&self) -> *const u8 {
                match self {
                    $(Elements::$variant(elements) => elements.as_ptr().cast(),)*
                }
            }
        }

        $(
            impl Element for $element {
                const DTYPE: DType = DType::$variant;

                fn from_elements(elements: Elements<'_>) -> Option<&[$element]> {
                    match elements {
                        Elements::$variant(elements) => Some(elements),
                        _ => None,
                    }
                }
            }

            impl<'a> From<&'a $element> for Elements<'a> {
                fn from(element: &'a $element) -> Elements<'a> {
                    Elements::$variant(std::slice::from_ref(element))
                }
            }

            impl<'a> From<&'a [$element]> for Elements<'a> {
                fn from(elements: &'a [$element]) -> Elements<'a> {
                    Elements::$variant(elements)
                }
            }

            impl<'a, const COUNT: usize> From<&'a [$element; COUNT]> for Elements<'a> {
                fn from(elements: &'a [$element; COUNT]) -> Elements<'a> {
                    Elements::$variant(elements)
                }
            }

            impl<'a> From<&'a Vec<$element>> for Elements<'a> {
                fn from(elements: &'a Vec<$element>) -> Elements<'a> {
                    Elements::$variant(elements)
                }
            }

            impl<'a> From<&'a Tensor<$element>> for Elements<'a> {
                fn from(elements: &'a Tensor<$element>) -> Elements<'a> {
                    Elements::$variant(elements)
                }
            }

            impl<'a> From<&'a View<'_, $element>> for Elements<'a> {
                fn from(elements: &'a View<'_, $element>) -> Elements<'a> {
                    Elements::$variant(elements)
                }
            }
        )*
    };
}

elements!(f32 => F32, f16 => F16, bf16 => Bf16, f64 => F64, u32 => U32, i32 => I32, i64 => I64, u8 => U8, bool => Bool);

impl Elements<'_> {
    /// Writes them to where a step finds an array.
    pub(crate) fn store(&self, memory: &mut Memory, offset: usize) {
        match self {
            Elements::F32(elements) => copy(elements, memory, offset),
            Elements::F16(elements) => copy(elements, memory, offset),
            Elements::Bf16(elements) => copy(elements, memory, offset),
            Elements::F64(elements) => copy(elements, memory, offset),
            Elements::U32(elements) => copy(elements, memory, offset),
            Elements::I32(elements) => copy(elements, memory, offset),
            Elements::I64(elements) => copy(elements, memory, offset),
            Elements::U8(elements) => copy(elements, memory, offset),
            Elements::Bool(elements) => {
                let words = memory.slice_mut::<u32>(offset, elements.len());
                words.iter_mut().zip(*elements).for_each(|(to, from)| *to = u32::from(*from));
            }
        }
    }

    /// The first whole number that the bound is about and does not take, with its position.
    pub(crate) fn outside(&self, bound: &Bound) -> Option<(usize, i64)> {
        match self {
            Elements::U32(elements) => first_outside(elements, bound),
            Elements::I32(elements) => first_outside(elements, bound),
            Elements::I64(elements) => first_outside(elements, bound),
            Elements::U8(elements) => first_outside(elements, bound),
            Elements::F32(_) | Elements::F16(_) | Elements::Bf16(_) | Elements::F64(_) | Elements::Bool(_) => None,
        }
    }
}

fn copy<T: Plain>(elements: &[T], memory: &mut Memory, offset: usize) {
    memory.slice_mut(offset, elements.len()).copy_from_slice(elements);
}

fn first_outside<T: Copy + Into<i64>>(elements: &[T], bound: &Bound) -> Option<(usize, i64)> {
    let outside = |element: T| !bound.takes(element.into());
    let position = match &bound.shown {
        None => elements.iter().position(|&element| outside(element)),
        Some(shown) => shown.find(&mut |position| outside(elements[position])),
    };
    position.map(|position| (position, elements[position].into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_index_out_of_range_is_found() {
        let bound = |below, except| Bound { leaf: 0, shown: None, below, except, what: String::new() };
        assert_eq!(Elements::from(&[3u32, 9, 10, 11]).outside(&bound(10, None)), Some((2, 10)));
        assert_eq!(Elements::from(&[3u32, 9, 10, 11]).outside(&bound(10, Some(10))), Some((3, 11)));
        assert_eq!(Elements::from(&[3i32, -1]).outside(&bound(10, None)), Some((1, -1)));
        assert_eq!(Elements::from(&vec![0u8, 9]).outside(&bound(10, None)), None);
        assert_eq!(Elements::from(&7i64).outside(&bound(0, None)), Some((0, 7)));
    }

    #[test]
    fn elements_know_their_type_and_come_back() {
        let tensor = Tensor::new(&[2], vec![true, false]).expect("two elements");
        let elements = Elements::from(&tensor);
        assert_eq!((elements.len(), elements.dtype()), (2, DType::Bool));
        assert_eq!(bool::from_elements(elements), Some(&[true, false][..]));
        assert_eq!(u32::from_elements(elements), None);
    }
}
