//! Means over batches of different sizes.

/// The mean of what batches report, each of which counts as much as it has examples: the loss of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RunningMean {
    sum: f64,
    count: usize,
}

impl RunningMean {
    /// Of nothing yet.
    pub fn new() -> RunningMean {
        RunningMean::default()
    }

    /// Takes in the mean of so many examples.
    pub fn add(&mut self, mean: impl Into<f64>, count: usize) {
        self.sum += mean.into() * count as f64;
        self.count += count;
    }

    /// The mean over all examples; of none it is no number.
    pub fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// How many examples there were.
    pub fn count(&self) -> usize {
        self.count
    }
}
