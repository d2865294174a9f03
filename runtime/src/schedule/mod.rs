//! Learning rates that change. A rate is an input of a step, so a schedule is no part of one: it is a function from the
//! number of updates so far to the next rate, by the rules of PyTorch's schedulers, and nothing is compiled again. Since it
//! keeps nothing, a run that is resumed asks for the rate of the update that it is at.

mod one_cycle;
mod plateau;

pub use one_cycle::{Anneal, OneCycle};
pub use plateau::{NoPlateauState, Plateau, PlateauOptions, PlateauState, Threshold};

use std::f64::consts::PI;

/// A learning rate for every update.
///
/// ```
/// use tapeless::schedule::Schedule;
///
/// // Five updates of warm-up from a tenth of the rate, then 25 along a cosine.
/// let schedule = Schedule::cosine(0.05, 25, 0.0).warm_up(5, 0.1);
/// let rates: Vec<f32> = [0, 4, 5, 30].map(|update| schedule.rate(update)).to_vec();
/// assert_eq!(rates, [0.005, 0.041, 0.05, 0.0]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    rate: f64,
    shape: Shape,
}

/// How a rate changes.
#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Constant,
    /// A part of the rate at first.
    Hold {
        part: f64,
        updates: usize,
    },
    Step {
        every: usize,
        factor: f64,
    },
    MultiStep {
        at: Vec<usize>,
        factor: f64,
    },
    Exponential {
        factor: f64,
    },
    Linear {
        from: f64,
        to: f64,
        updates: usize,
    },
    Polynomial {
        updates: usize,
        power: f64,
    },
    Cosine {
        updates: usize,
        lowest: f64,
    },
    OneCycle(OneCycle),
    /// One until an update, then the other one from its beginning.
    Sequence {
        first: Box<Schedule>,
        at: usize,
        then: Box<Schedule>,
    },
    Product(Box<Schedule>, Box<Schedule>),
}

impl Schedule {
    /// The same rate always.
    pub fn constant(rate: f64) -> Schedule {
        Schedule { rate, shape: Shape::Constant }
    }

    /// A part of the rate for so many updates, then all of it: `ConstantLR`.
    pub fn hold(rate: f64, part: f64, updates: usize) -> Schedule {
        Schedule { rate, shape: Shape::Hold { part, updates } }
    }

    /// Times the factor after every so many updates, at least one: `StepLR`.
    pub fn step(rate: f64, every: usize, factor: f64) -> Schedule {
        Schedule { rate, shape: Shape::Step { every: every.max(1), factor } }
    }

    /// Times the factor at each of these updates, twice where one stands twice: `MultiStepLR`.
    pub fn multi_step(rate: f64, at: &[usize], factor: f64) -> Schedule {
        Schedule { rate, shape: Shape::MultiStep { at: at.to_vec(), factor } }
    }

    /// Times the factor after every update: `ExponentialLR`.
    pub fn exponential(rate: f64, factor: f64) -> Schedule {
        Schedule { rate, shape: Shape::Exponential { factor } }
    }

    /// From one part of the rate to another along a line, in so many updates: `LinearLR`.
    pub fn linear(rate: f64, from: f64, to: f64, updates: usize) -> Schedule {
        Schedule { rate, shape: Shape::Linear { from, to, updates } }
    }

    /// From the rate to 0 along a power of what is left of so many updates: `PolynomialLR`.
    pub fn polynomial(rate: f64, updates: usize, power: f64) -> Schedule {
        Schedule { rate, shape: Shape::Polynomial { updates, power } }
    }

    /// From the rate to the lowest one along half a cosine, in so many updates, and then up again: `CosineAnnealingLR`.
    pub fn cosine(rate: f64, updates: usize, lowest: f64) -> Schedule {
        Schedule { rate, shape: Shape::Cosine { updates, lowest } }
    }

    /// Up to the largest rate and down to almost nothing in so many updates: `OneCycleLR`.
    pub fn one_cycle(largest: f64, updates: usize) -> Schedule {
        OneCycle::new(largest, updates).into()
    }

    /// This one until an update, then another one from its beginning: `SequentialLR`.
    pub fn then(self, at: usize, then: Schedule) -> Schedule {
        Schedule { rate: self.rate, shape: Shape::Sequence { first: Box::new(self), at, then: Box::new(then) } }
    }

    /// Along a line from a part of the rate in so many updates, then this one from its beginning.
    pub fn warm_up(self, updates: usize, from: f64) -> Schedule {
        Schedule::linear(self.rate, from, 1.0, updates).then(updates, self)
    }

    /// This one times another one, which mostly begins with the rate 1: `ChainedScheduler`.
    pub fn times(self, other: Schedule) -> Schedule {
        Schedule { rate: self.rate * other.rate, shape: Shape::Product(Box::new(self), Box::new(other)) }
    }

    /// The rate of the update before which there were so many, as steps take it.
    pub fn rate(&self, update: usize) -> f32 {
        self.exact(update) as f32
    }

    /// The rate of the update before which there were so many.
    pub fn exact(&self, update: usize) -> f64 {
        let rate = self.rate;
        match &self.shape {
            Shape::Constant => rate,
            Shape::Hold { part, updates } => rate * if update < *updates { *part } else { 1.0 },
            Shape::Step { every, factor } => rate * power(*factor, update / every),
            Shape::MultiStep { at, factor } => rate * power(*factor, at.iter().filter(|at| **at <= update).count()),
            Shape::Exponential { factor } => rate * power(*factor, update),
            Shape::Linear { from, to, updates } => rate * (from + (to - from) * done(update, *updates)),
            Shape::Polynomial { updates, power } => rate * (1.0 - done(update, *updates)).powf(*power),
            Shape::Cosine { updates, lowest } => {
                let turn = PI * update as f64 / (*updates).max(1) as f64;
                lowest + 0.5 * (rate - lowest) * (1.0 + turn.cos())
            }
            Shape::OneCycle(cycle) => cycle.rate(update),
            Shape::Sequence { first, at, .. } if update < *at => first.exact(update),
            Shape::Sequence { at, then, .. } => then.exact(update - at),
            Shape::Product(a, b) => a.exact(update) * b.exact(update),
        }
    }
}

/// The share of so many updates that is done; of none all are.
fn done(update: usize, updates: usize) -> f64 {
    if update >= updates { 1.0 } else { update as f64 / updates as f64 }
}

fn power(factor: f64, times: usize) -> f64 {
    factor.powf(times as f64)
}
