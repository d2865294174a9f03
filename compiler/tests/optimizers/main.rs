//! Optimizers and the options of `minimize` against their rules, written out over plain numbers in f64.

mod options;
mod rules;
mod run;
