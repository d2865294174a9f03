//! Batches of a data set: how it is cut, and the epochs that go through it.

use super::shuffle::order;
use super::{Columns, DataError, Dataset};

/// How a data set is cut into batches.
#[derive(Clone, Debug)]
pub struct Batches<'d, C> {
    dataset: &'d Dataset<C>,
    size: usize,
    seed: Option<u64>,
    drop_last: bool,
}

/// Some examples.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<E> {
    /// Their elements: a vector for each array of the data set.
    pub rows: E,
    /// How many examples there are.
    pub len: usize,
    /// Which of [`Batches::sizes`] that is: the position of the step that was compiled for it.
    pub kind: usize,
}

impl<'d, C: Columns> Batches<'d, C> {
    pub(super) fn new(dataset: &'d Dataset<C>, size: usize) -> Result<Batches<'d, C>, DataError> {
        match size {
            0 => Err(DataError::NoBatch),
            _ => Ok(Batches { dataset, size, seed: None, drop_last: false }),
        }
    }

    /// In a random order, which is another one in each epoch. The seed and the number of the epoch decide it, so that a run
    /// that is resumed with an epoch sees what it would have seen.
    pub fn shuffled(self, seed: u64) -> Batches<'d, C> {
        Batches { seed: Some(seed), ..self }
    }

    /// Without the last batch if it is smaller than the others.
    pub fn drop_last(self) -> Batches<'d, C> {
        Batches { drop_last: true, ..self }
    }

    /// The sizes that occur, one or two: that of all batches, then that of the last one if it is smaller. A step is
    /// compiled for each.
    pub fn sizes(&self) -> Vec<usize> {
        let (full, rest) = (self.dataset.len() / self.size, self.dataset.len() % self.size);
        let all = (full > 0).then_some(self.size);
        all.into_iter().chain((rest > 0 && !self.drop_last).then_some(rest)).collect()
    }

    /// How many batches an epoch has.
    pub fn count(&self) -> usize {
        if self.drop_last { self.dataset.len() / self.size } else { self.dataset.len().div_ceil(self.size) }
    }

    /// How many examples an epoch goes through.
    pub fn examples(&self) -> usize {
        self.dataset.len().min(self.count() * self.size)
    }

    /// The batches of an epoch.
    pub fn epoch(&self, number: u64) -> Epoch<'d, C> {
        let mut order = match self.seed {
            Some(seed) => order(self.dataset.len(), seed, number),
            None => (0..self.dataset.len()).collect(),
        };
        order.truncate(self.examples());
        Epoch { dataset: self.dataset, size: self.size, order, at: 0 }
    }
}

/// The batches of one epoch.
#[derive(Clone, Debug)]
pub struct Epoch<'d, C> {
    dataset: &'d Dataset<C>,
    size: usize,
    order: Vec<usize>,
    at: usize,
}

impl<C: Columns> Iterator for Epoch<'_, C> {
    type Item = Batch<C::Elements>;

    fn next(&mut self) -> Option<Batch<C::Elements>> {
        let rest = &self.order[self.at..];
        let positions = &rest[..self.size.min(rest.len())];
        if positions.is_empty() {
            return None;
        }
        self.at += positions.len();
        // A smaller batch is of the second kind if there are others, and of the only one if it is all there is.
        let kind = usize::from(positions.len() < self.size && self.order.len() > self.size);
        let rows = self.dataset.columns().select(positions).into_elements();
        Some(Batch { rows, len: positions.len(), kind })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = (self.order.len() - self.at).div_ceil(self.size);
        (count, Some(count))
    }
}

impl<C: Columns> ExactSizeIterator for Epoch<'_, C> {}
