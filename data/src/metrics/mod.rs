//! Metrics of training and of classification, summed up over batches.

mod confusion;
mod mean;

pub use confusion::{Average, Confusion, MetricError, Report, Scores};
pub use mean::RunningMean;

#[cfg(test)]
mod tests;
