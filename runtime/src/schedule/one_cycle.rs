//! The schedule of one cycle: up to a large rate and down to a very small one.

use super::{Schedule, Shape};
use std::f64::consts::PI;

/// A cycle with what `OneCycleLR` lets one choose; [`OneCycle::new`] gives its defaults, and `into` the schedule.
///
/// ```
/// use tapeless::schedule::{Anneal, OneCycle, Schedule};
///
/// let schedule: Schedule = OneCycle { rising: 0.5, anneal: Anneal::Linear, ..OneCycle::new(0.1, 100) }.into();
/// assert!(schedule.rate(0) < 0.005 && schedule.rate(99) < 1e-6);
/// assert_eq!(schedule.rate(49), 0.1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycle {
    /// The largest rate.
    pub largest: f64,
    /// How many updates the cycle has; afterwards the rate stays as it is.
    pub updates: usize,
    /// The share of them in which the rate rises.
    pub rising: f64,
    /// How it goes from one rate to the next.
    pub anneal: Anneal,
    /// The largest rate divided by this is the first one.
    pub first_divisor: f64,
    /// The first rate divided by this is the last one.
    pub last_divisor: f64,
    /// Whether it falls to the first rate in as many updates as it rose in, and only then to the last one.
    pub three_phases: bool,
}

/// How one rate becomes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anneal {
    /// Along half a cosine.
    Cosine,
    /// Along a line.
    Linear,
}

impl OneCycle {
    /// A cycle of so many updates with PyTorch's defaults.
    pub fn new(largest: f64, updates: usize) -> OneCycle {
        OneCycle {
            largest,
            updates,
            rising: 0.3,
            anneal: Anneal::Cosine,
            first_divisor: 25.0,
            last_divisor: 1e4,
            three_phases: false,
        }
    }

    pub(super) fn rate(&self, update: usize) -> f64 {
        let first = self.largest / self.first_divisor;
        let last = first / self.last_divisor;
        let end = self.updates.max(1) as f64 - 1.0;
        let top = (self.rising * self.updates as f64 - 1.0).clamp(0.0, end);
        let update = (update as f64).min(end);
        if update <= top && top > 0.0 {
            return self.between(first, self.largest, update / top);
        }
        let base = 2.0 * self.rising * self.updates as f64 - 2.0;
        match self.three_phases {
            true if update <= base => self.between(self.largest, first, (update - top) / (base - top)),
            true => self.between(first, last, share(update - base, end - base)),
            false => self.between(self.largest, last, share(update - top, end - top)),
        }
    }

    fn between(&self, from: f64, to: f64, share: f64) -> f64 {
        match self.anneal {
            Anneal::Cosine => to + (from - to) / 2.0 * (1.0 + (PI * share).cos()),
            Anneal::Linear => from + (to - from) * share,
        }
    }
}

/// A share of a phase; one without updates is over.
fn share(done: f64, all: f64) -> f64 {
    if all > 0.0 { done / all } else { 1.0 }
}

impl From<OneCycle> for Schedule {
    fn from(cycle: OneCycle) -> Schedule {
        Schedule { rate: cycle.largest, shape: Shape::OneCycle(cycle) }
    }
}
