//! Pictures with their classes, as examples train on them.

/// Pictures of one size with their classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pictures {
    /// How many pixels one picture has.
    pub size: usize,
    /// The pixels of all pictures, 0 to 1.
    pub pixels: Vec<f32>,
    /// The classes.
    pub labels: Vec<u32>,
}

impl Pictures {
    /// How many pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pictures at these positions.
    pub fn select(&self, positions: &[usize]) -> Pictures {
        let mut selected = Pictures { size: self.size, ..Pictures::default() };
        for &at in positions {
            selected.pixels.extend_from_slice(&self.pixels[at * self.size..(at + 1) * self.size]);
            selected.labels.push(self.labels[at]);
        }
        selected
    }

    /// The first pictures, at most so many.
    pub fn first(mut self, count: usize) -> Pictures {
        self.pixels.truncate(count * self.size);
        self.labels.truncate(count);
        self
    }

    /// A random fifth for testing and the rest for training, by seed.
    pub fn split(&self, seed: u64) -> (Pictures, Pictures) {
        let mut order: Vec<usize> = (0..self.len()).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
        let (test, train) = order.split_at(self.len() / 5);
        (self.select(train), self.select(test))
    }
}
