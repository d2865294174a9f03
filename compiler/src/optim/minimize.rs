//! What a `minimize` does: gradients are accumulated, then clipped, then parameters are updated, then averaged.
//!
//! Gradients as the loss gives them come in; the next values of parameters and slots leave as results of the graph. With
//! `accumulate = k` only every k-th run updates: parameters, the slots of optimizers, update counts and moving averages stay
//! as they are in the runs between. Parameters of half precision are updated in f32, and so are their slots; only the
//! parameter itself is rounded.

use super::accumulate::accumulate;
use super::arguments::{Argument, Kind};
use super::average::average;
use super::clip::{clip_norm, clip_value};
use super::{Optimizer, Scalar, Slots, Update};
use crate::graph::Builder;

/// Parameters with one optimizer.
pub struct Group {
    /// The optimizer with its arguments.
    pub optimizer: Box<dyn Optimizer>,
    /// The parameters.
    pub updates: Vec<Update>,
}

/// What a `minimize` does beside its optimizer.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How large the norm over all gradients may be.
    pub clip_norm: Option<Scalar>,
    /// How large each element of a gradient may be; what the norm allows is clipped.
    pub clip_value: Option<Scalar>,
    /// How many runs make one update, with the mean of their gradients.
    pub accumulate: u32,
    /// How much of the moving average of a parameter an update keeps; `None` if there is no average.
    pub ema: Option<Scalar>,
}

/// The options as arguments; what is left out is not done.
pub static OPTIONS: &[Argument] = &[
    Argument { name: "clip_norm", kind: Kind::Scalar, default: None },
    Argument { name: "clip_value", kind: Kind::Scalar, default: None },
    Argument { name: "accumulate", kind: Kind::Count, default: None },
    Argument { name: "ema", kind: Kind::Share, default: None },
];

impl Default for Options {
    fn default() -> Options {
        Options { clip_norm: None, clip_value: None, accumulate: 1, ema: None }
    }
}

/// Adds the next value of every parameter and slot to the results of the graph.
pub fn minimize(b: &mut Builder<'_>, mut groups: Vec<Group>, options: &Options, mut slots: Slots) {
    for update in updates(&mut groups) {
        *update = update.clone().widened(b);
    }
    if options.accumulate > 1 {
        accumulate(b, &mut slots, &mut groups, options.accumulate);
    }
    if let Some(most) = options.clip_norm {
        clip_norm(b, &mut groups, most);
    }
    if let Some(most) = options.clip_value {
        clip_value(b, &mut groups, most);
    }
    for (number, group) in groups.iter().enumerate() {
        slots.enter(number);
        let next = group.optimizer.update(b, &group.updates, &mut slots);
        for (update, next) in group.updates.iter().zip(next) {
            let leaf = update.leaf(b);
            slots.keep(b, leaf, next);
            if let Some(decay) = options.ema {
                average(b, &mut slots, update, next, decay);
            }
        }
    }
}

/// The updates of all groups.
pub(super) fn updates(groups: &mut [Group]) -> impl Iterator<Item = &mut Update> {
    groups.iter_mut().flat_map(|group| &mut group.updates)
}
