//! Arrays with a shape: borrowed as [`View`], owned as [`Tensor`]. Elements are in row-major order.

use crate::error::Error;
use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// An array that belongs to a store or a step. It derefs to the slice of its elements.
#[derive(Clone, PartialEq)]
pub struct View<'a, T: Clone> {
    elements: Cow<'a, [T]>,
    shape: Cow<'a, [usize]>,
    /// Whether they stand for whole numbers, and are printed so.
    whole: bool,
}

impl<'a, T: Clone> View<'a, T> {
    pub(crate) fn borrowed(elements: &'a [T], shape: &'a [usize]) -> View<'a, T> {
        View { elements: Cow::Borrowed(elements), shape: Cow::Borrowed(shape), whole: false }
    }

    pub(crate) fn converted(elements: Vec<T>, shape: &'a [usize]) -> View<'a, T> {
        View { elements: Cow::Owned(elements), shape: Cow::Borrowed(shape), whole: false }
    }

    /// The same view of elements that stand for whole numbers.
    pub(crate) fn of_integers(self) -> View<'a, T> {
        View { whole: true, ..self }
    }

    /// The extents.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// An owned copy.
    pub fn to_tensor(&self) -> Tensor<T> {
        Tensor { elements: self.elements.to_vec(), shape: self.shape.to_vec() }
    }
}

impl<T: Clone> Deref for View<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.elements
    }
}

impl<T: Clone + fmt::Debug> fmt::Debug for View<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.whole { write!(f, "{:.0?}", self.elements) } else { self.elements.fmt(f) }
    }
}

impl<'v, T: Clone> IntoIterator for &'v View<'_, T> {
    type Item = &'v T;
    type IntoIter = std::slice::Iter<'v, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.elements.iter()
    }
}

/// An owned array. It derefs to the slice of its elements.
#[derive(Clone, PartialEq)]
pub struct Tensor<T> {
    elements: Vec<T>,
    shape: Vec<usize>,
}

impl<T> Tensor<T> {
    /// The tensor of this shape with these elements, in row-major order.
    pub fn new(shape: &[usize], elements: Vec<T>) -> Result<Tensor<T>, Error> {
        match shape.iter().product::<usize>() == elements.len() {
            true => Ok(Tensor { elements, shape: shape.to_vec() }),
            false => Err(Error::TensorLength { shape: shape.to_vec(), found: elements.len() }),
        }
    }

    /// The extents.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements alone.
    pub fn into_vec(self) -> Vec<T> {
        self.elements
    }
}

impl<T> Deref for Tensor<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.elements
    }
}

impl<T> DerefMut for Tensor<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.elements
    }
}

impl<T: fmt::Debug> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.elements.fmt(f)
    }
}

impl<'t, T> IntoIterator for &'t Tensor<T> {
    type Item = &'t T;
    type IntoIter = std::slice::Iter<'t, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.elements.iter()
    }
}

impl<T> IntoIterator for Tensor<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.elements.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_look_like_slices() {
        let view = View::borrowed(&[1.0, 2.5], &[2, 1]);
        assert_eq!((view.shape(), view.len(), view[1]), (&[2, 1][..], 2, 2.5));
        assert_eq!(format!("{view:?}"), "[1.0, 2.5]");
        assert_eq!(format!("{:?}", View::converted(vec![3.0f32, -1.0], &[2]).of_integers()), "[3, -1]");
        assert_eq!((&view).into_iter().sum::<f64>(), 3.5);
        assert_eq!(view.to_vec(), [1.0, 2.5]);
        assert_eq!(view.to_tensor(), Tensor::new(&[2, 1], vec![1.0, 2.5]).expect("two elements"));
    }

    #[test]
    fn tensors_have_as_many_elements_as_their_shape_says() {
        let error = Tensor::new(&[2, 3], vec![0.0; 5]).expect_err("five are not six");
        assert_eq!(error.to_string(), "a tensor of shape [2, 3] has 6 elements, not 5");
    }
}
