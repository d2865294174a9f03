//! Arrays as columns of a data set: the first axis counts examples.

use super::DataError;

/// An array whose rows all have as many elements: 784 for pictures of 28 x 28 pixels, 1 for their classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows<T> {
    size: usize,
    elements: Vec<T>,
}

impl<T: Copy> Rows<T> {
    /// Rows of so many elements each, one behind the other.
    pub fn new(size: usize, elements: Vec<T>) -> Result<Rows<T>, DataError> {
        if size == 0 || !elements.len().is_multiple_of(size) {
            return Err(DataError::Rows { size, elements: elements.len() });
        }
        Ok(Rows { size, elements })
    }

    /// How many elements a row has.
    pub fn size(&self) -> usize {
        self.size
    }

    /// All elements, row by row.
    pub fn elements(&self) -> &[T] {
        &self.elements
    }

    /// The row at this position.
    pub fn row(&self, at: usize) -> &[T] {
        &self.elements[at * self.size..(at + 1) * self.size]
    }
}

/// Arrays whose rows belong together: one, or a pair or a triple of such.
pub trait Columns: Sized {
    /// The elements of some rows, as steps take them: a vector for each array.
    type Elements;

    /// How many rows each array has.
    fn count(&self) -> Result<usize, DataError>;

    /// The rows at these positions, in this order.
    fn select(&self, positions: &[usize]) -> Self;

    /// All elements.
    fn into_elements(self) -> Self::Elements;
}

impl<T: Copy> Columns for Rows<T> {
    type Elements = Vec<T>;

    fn count(&self) -> Result<usize, DataError> {
        Ok(self.elements.len() / self.size)
    }

    fn select(&self, positions: &[usize]) -> Rows<T> {
        let mut elements = Vec::with_capacity(positions.len() * self.size);
        positions.iter().for_each(|&at| elements.extend_from_slice(self.row(at)));
        Rows { size: self.size, elements }
    }

    fn into_elements(self) -> Vec<T> {
        self.elements
    }
}

/// The number that two arrays share.
fn shared(first: usize, other: usize) -> Result<usize, DataError> {
    if first == other { Ok(first) } else { Err(DataError::Lengths { first, other }) }
}

impl<A: Columns, B: Columns> Columns for (A, B) {
    type Elements = (A::Elements, B::Elements);

    fn count(&self) -> Result<usize, DataError> {
        shared(self.0.count()?, self.1.count()?)
    }

    fn select(&self, positions: &[usize]) -> (A, B) {
        (self.0.select(positions), self.1.select(positions))
    }

    fn into_elements(self) -> Self::Elements {
        (self.0.into_elements(), self.1.into_elements())
    }
}

impl<A: Columns, B: Columns, C: Columns> Columns for (A, B, C) {
    type Elements = (A::Elements, B::Elements, C::Elements);

    fn count(&self) -> Result<usize, DataError> {
        shared(shared(self.0.count()?, self.1.count()?)?, self.2.count()?)
    }

    fn select(&self, positions: &[usize]) -> (A, B, C) {
        (self.0.select(positions), self.1.select(positions), self.2.select(positions))
    }

    fn into_elements(self) -> Self::Elements {
        (self.0.into_elements(), self.1.into_elements(), self.2.into_elements())
    }
}
