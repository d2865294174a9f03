//! Arrays of the reference evaluator.

use crate::dtype::DType;
use crate::nest::strides;

/// A dense row-major array whose elements are held as f64, whatever their type; integers of 32 bits and bools are exact.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The element type.
    pub dtype: DType,
    /// The extents.
    pub shape: Vec<usize>,
    /// The elements in row-major order.
    pub elements: Vec<f64>,
}

impl Array {
    /// An array of these elements.
    pub fn new(dtype: DType, shape: &[usize], elements: Vec<f64>) -> Array {
        assert_eq!(shape.iter().product::<usize>(), elements.len(), "an array has one element per point of its shape");
        Array { dtype, shape: shape.to_vec(), elements }
    }

    /// The array whose element at each position is what `element` gives for it.
    pub fn build(dtype: DType, shape: &[usize], mut element: impl FnMut(&[usize]) -> f64) -> Array {
        let mut elements = Vec::new();
        for_each_point(shape, |point| elements.push(element(point)));
        Array::new(dtype, shape, elements)
    }

    /// The array with one element everywhere.
    pub fn filled(dtype: DType, shape: &[usize], element: f64) -> Array {
        Array::new(dtype, shape, vec![element; shape.iter().product()])
    }

    /// The element at a position.
    pub fn at(&self, point: &[usize]) -> f64 {
        self.elements[self.position(point)]
    }

    /// Changes the element at a position.
    pub fn set(&mut self, point: &[usize], element: f64) {
        let position = self.position(point);
        self.elements[position] = element;
    }

    fn position(&self, point: &[usize]) -> usize {
        point.iter().zip(strides(&self.shape)).map(|(&index, stride)| index * stride as usize).sum()
    }
}

/// Visits every point of a rectangle in row-major order.
pub fn for_each_point(shape: &[usize], mut visit: impl FnMut(&[usize])) {
    if shape.contains(&0) {
        return;
    }
    let mut point = vec![0; shape.len()];
    loop {
        visit(&point);
        let Some(axis) = (0..shape.len()).rev().find(|&axis| point[axis] + 1 < shape[axis]) else {
            return;
        };
        point[axis] += 1;
        point[axis + 1..].fill(0);
    }
}
