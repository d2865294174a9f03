//! The embedded digits: 1,797 pictures of 8 x 8 pixels with their classes, in a seeded order.

use crate::ExampleError;

/// Pixels of one picture.
pub const PIXELS: usize = 64;

/// Pictures with their classes.
#[derive(Clone, Debug, Default)]
pub struct Digits {
    /// The pixels of all pictures, 0 to 1.
    pub pixels: Vec<f32>,
    /// The classes, 0 to 9.
    pub labels: Vec<u32>,
}

impl Digits {
    /// All pictures in the order of the file.
    pub fn embedded() -> Result<Digits, ExampleError> {
        let mut digits = Digits::default();
        for (number, line) in include_str!("../data/digits.csv").lines().enumerate() {
            let wrong = || ExampleError::Line { line: number + 1, found: line.to_string() };
            let values = line.split(',').map(str::parse).collect::<Result<Vec<u32>, _>>().map_err(|_| wrong())?;
            let (label, pixels) = values.split_last().filter(|(_, p)| p.len() == PIXELS).ok_or_else(wrong)?;
            digits.pixels.extend(pixels.iter().map(|&pixel| pixel as f32 / 16.0));
            digits.labels.push(*label);
        }
        Ok(digits)
    }

    /// How many pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pictures at these positions.
    pub fn select(&self, positions: &[usize]) -> Digits {
        let mut selected = Digits::default();
        for &at in positions {
            selected.pixels.extend_from_slice(&self.pixels[at * PIXELS..(at + 1) * PIXELS]);
            selected.labels.push(self.labels[at]);
        }
        selected
    }

    /// A random fifth for testing and the rest for training, by seed.
    pub fn split(&self, seed: u64) -> (Digits, Digits) {
        let mut order: Vec<usize> = (0..self.len()).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
        let (test, train) = order.split_at(self.len() / 5);
        (self.select(train), self.select(test))
    }
}
