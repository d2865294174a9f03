//! Pictures with their classes, as examples train on them.

use tapeless_data::{DataError, Dataset, Rows};

/// Pictures of one size, whose pixels are 0 to 1, and their classes.
pub type Pictures = Dataset<(Rows<f32>, Rows<u32>)>;

/// Pictures of so many pixels each.
pub fn pictures(size: usize, pixels: Vec<f32>, classes: Vec<u32>) -> Result<Pictures, DataError> {
    Dataset::new((Rows::new(size, pixels)?, Rows::new(1, classes)?))
}
