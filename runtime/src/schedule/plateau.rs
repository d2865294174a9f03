//! A rate that falls when a metric no longer gets better. Unlike the schedules it depends on what a run shows.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

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
/// What it has seen is a [`PlateauState`], which is text when it is printed and read. A run that is saved keeps that text
/// beside its model, and goes on from there:
///
/// ```
/// use tapeless::schedule::{Plateau, PlateauOptions};
///
/// let mut plateau = Plateau::new(0.1, PlateauOptions { patience: 1, ..PlateauOptions::default() });
/// let rates = [1.0, 0.5, 0.6, 0.5, 0.4].map(|loss| plateau.observe(loss));
/// assert_eq!(rates, [0.1, 0.1, 0.1, 0.01, 0.01]);
///
/// let text = plateau.state().to_string();
/// assert_eq!(text, "rate=0.010000000000000002 best=0.4 no_better=0 cooling=0");
/// assert_eq!(Plateau::resumed(text.parse()?, *plateau.options()), plateau);
/// # Ok::<(), tapeless::schedule::NoPlateauState>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    options: PlateauOptions,
    state: PlateauState,
}

/// What a [`Plateau`] has seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlateauState {
    /// The rate.
    pub rate: f64,
    /// The best metric so far.
    pub best: Option<f64>,
    /// How many metrics in a row were no better.
    pub no_better: usize,
    /// How many of the next metrics are not held against the rate.
    pub cooling: usize,
}

/// A text is not what a [`PlateauState`] is printed as.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not the state of a plateau, such as `rate=0.1 best=none no_better=0 cooling=0`")]
pub struct NoPlateauState {
    text: String,
}

impl fmt::Display for PlateauState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlateauState { rate, best, no_better, cooling } = self;
        let best = best.map_or("none".to_string(), |best| best.to_string());
        write!(f, "rate={rate} best={best} no_better={no_better} cooling={cooling}")
    }
}

impl FromStr for PlateauState {
    type Err = NoPlateauState;

    fn from_str(text: &str) -> Result<PlateauState, NoPlateauState> {
        read(text).ok_or_else(|| NoPlateauState { text: text.to_string() })
    }
}

fn read(text: &str) -> Option<PlateauState> {
    let mut words = text.split_whitespace();
    let mut value = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
    let (rate, best) = (value("rate")?.parse().ok()?, value("best")?);
    let best = if best == "none" { None } else { Some(best.parse().ok()?) };
    let (no_better, cooling) = (value("no_better")?.parse().ok()?, value("cooling")?.parse().ok()?);
    words.next().is_none().then_some(PlateauState { rate, best, no_better, cooling })
}

impl Plateau {
    /// A rate that has seen nothing yet.
    pub fn new(rate: f64, options: PlateauOptions) -> Plateau {
        Plateau::resumed(PlateauState { rate, best: None, no_better: 0, cooling: 0 }, options)
    }

    /// A rate that goes on from what another one has seen.
    pub fn resumed(state: PlateauState, options: PlateauOptions) -> Plateau {
        Plateau { options, state }
    }

    /// What it has seen.
    pub fn state(&self) -> PlateauState {
        self.state
    }

    /// When the rate falls and how far.
    pub fn options(&self) -> &PlateauOptions {
        &self.options
    }

    /// The rate, as steps take it.
    pub fn rate(&self) -> f32 {
        self.exact() as f32
    }

    /// The rate.
    pub fn exact(&self) -> f64 {
        self.state.rate
    }

    /// Takes in the metric of an epoch, which counts as no better if it is no number, and gives the next rate.
    pub fn observe(&mut self, metric: f64) -> f32 {
        let is_better = self.is_better(metric);
        let state = &mut self.state;
        if is_better {
            (state.best, state.no_better) = (Some(metric), 0);
        } else {
            state.no_better += 1;
        }
        if state.cooling > 0 {
            (state.cooling, state.no_better) = (state.cooling - 1, 0);
        }
        if state.no_better > self.options.patience {
            (state.cooling, state.no_better) = (self.options.cooldown, 0);
            self.fall();
        }
        self.rate()
    }

    fn is_better(&self, metric: f64) -> bool {
        let Some(best) = self.state.best else { return !metric.is_nan() };
        let sign = if self.options.larger_is_better { 1.0 } else { -1.0 };
        let least = match self.options.threshold {
            Threshold::Relative(part) => best * (1.0 + sign * part),
            Threshold::Absolute(much) => best + sign * much,
        };
        if self.options.larger_is_better { metric > least } else { metric < least }
    }

    fn fall(&mut self) {
        let rate = (self.state.rate * self.options.factor).max(self.options.min_lr);
        if self.state.rate - rate > self.options.eps {
            self.state.rate = rate;
        }
    }
}
