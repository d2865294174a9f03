//! A rate that falls when a metric no longer gets better. Unlike the schedules it depends on what a run shows.

/// When a rate falls and how far, with the names and defaults of `ReduceLROnPlateau`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlateauOptions {
    /// What the rate is multiplied by.
    pub factor: f64,
    /// How many metrics in a row may be no better before the rate falls.
    pub patience: usize,
    /// How much better a metric must be to count as better.
    pub threshold: Threshold,
    /// How many metrics after a fall are not held against it.
    pub cooldown: usize,
    /// The smallest rate.
    pub min_lr: f64,
    /// The rate does not change by less than this.
    pub eps: f64,
    /// Whether a metric is better when it is larger, such as an accuracy, rather than smaller, such as a loss.
    pub larger_is_better: bool,
}

/// How much better a metric must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// By this part of the best one.
    Relative(f64),
    /// By this much.
    Absolute(f64),
}

impl Default for PlateauOptions {
    fn default() -> PlateauOptions {
        PlateauOptions {
            factor: 0.1,
            patience: 10,
            threshold: Threshold::Relative(1e-4),
            cooldown: 0,
            min_lr: 0.0,
            eps: 1e-8,
            larger_is_better: false,
        }
    }
}

/// A rate that falls on plateaus of a metric: `ReduceLROnPlateau`.
///
/// ```
/// use tapeless::schedule::{Plateau, PlateauOptions};
///
/// let mut plateau = Plateau::new(0.1, PlateauOptions { patience: 1, ..PlateauOptions::default() });
/// let rates = [1.0, 0.5, 0.6, 0.5, 0.4].map(|loss| plateau.observe(loss));
/// assert_eq!(rates, [0.1, 0.1, 0.1, 0.01, 0.01]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    options: PlateauOptions,
    rate: f64,
    best: Option<f64>,
    no_better: usize,
    cooling: usize,
}

impl Plateau {
    /// A rate that has seen nothing yet.
    pub fn new(rate: f64, options: PlateauOptions) -> Plateau {
        Plateau { options, rate, best: None, no_better: 0, cooling: 0 }
    }

    /// The rate, as steps take it.
    pub fn rate(&self) -> f32 {
        self.exact() as f32
    }

    /// The rate.
    pub fn exact(&self) -> f64 {
        self.rate
    }

    /// Takes in the metric of an epoch, which counts as no better if it is no number, and gives the next rate.
    pub fn observe(&mut self, metric: f64) -> f32 {
        if self.is_better(metric) {
            (self.best, self.no_better) = (Some(metric), 0);
        } else {
            self.no_better += 1;
        }
        if self.cooling > 0 {
            (self.cooling, self.no_better) = (self.cooling - 1, 0);
        }
        if self.no_better > self.options.patience {
            self.fall();
            (self.cooling, self.no_better) = (self.options.cooldown, 0);
        }
        self.rate()
    }

    fn is_better(&self, metric: f64) -> bool {
        let Some(best) = self.best else { return !metric.is_nan() };
        let sign = if self.options.larger_is_better { 1.0 } else { -1.0 };
        let least = match self.options.threshold {
            Threshold::Relative(part) => best * (1.0 + sign * part),
            Threshold::Absolute(much) => best + sign * much,
        };
        if self.options.larger_is_better { metric > least } else { metric < least }
    }

    fn fall(&mut self) {
        let rate = (self.rate * self.options.factor).max(self.options.min_lr);
        if self.rate - rate > self.options.eps {
            self.rate = rate;
        }
    }
}
