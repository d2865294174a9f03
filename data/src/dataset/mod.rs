//! Data sets in memory: arrays whose rows belong together, an example each, and the batches that they are cut into.

mod batches;
mod rows;
mod shuffle;

pub use batches::{Batch, Batches, Epoch};
pub use rows::{Columns, Rows};
pub use shuffle::order;

use thiserror::Error;

/// Why arrays are no data set, or cannot be cut into batches.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DataError {
    /// An array does not end with a row.
    #[error("{elements} elements are no rows of {size}")]
    Rows {
        /// How many elements a row has.
        size: usize,
        /// How many there are.
        elements: usize,
    },
    /// Two arrays have different numbers of rows.
    #[error("one array has {first} rows, another one has {other}")]
    Lengths {
        /// How many rows the first array has.
        first: usize,
        /// How many the other one has.
        other: usize,
    },
    /// Batches of no examples.
    #[error("a batch has at least one example")]
    NoBatch,
}

/// Examples, each of which is a row in every array: `Dataset<(Rows<f32>, Rows<u32>)>` for pictures and their classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset<C> {
    columns: C,
    len: usize,
}

impl<C: Columns> Dataset<C> {
    /// The examples that are rows of these arrays: one of them, or a tuple.
    pub fn new(columns: C) -> Result<Dataset<C>, DataError> {
        let len = columns.count()?;
        Ok(Dataset { columns, len })
    }

    /// How many examples there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The arrays.
    pub fn columns(&self) -> &C {
        &self.columns
    }

    /// The examples at these positions, which are below [`Dataset::len`], in this order.
    pub fn select(&self, positions: &[usize]) -> Dataset<C> {
        Dataset { columns: self.columns.select(positions), len: positions.len() }
    }

    /// The first examples, at most so many.
    pub fn first(&self, count: usize) -> Dataset<C> {
        self.select(&(0..count.min(self.len)).collect::<Vec<_>>())
    }

    /// So many examples drawn at random, at most all, and the rest. Equal seeds draw the same ones on every machine.
    pub fn split(&self, count: usize, seed: u64) -> (Dataset<C>, Dataset<C>) {
        let order = order(self.len, seed, 0);
        let (drawn, rest) = order.split_at(count.min(self.len));
        (self.select(drawn), self.select(rest))
    }

    /// Batches of so many examples, in the order of the examples, the last one with what is left over.
    pub fn batches(&self, size: usize) -> Result<Batches<'_, C>, DataError> {
        Batches::new(self, size)
    }
}

#[cfg(test)]
mod tests;
