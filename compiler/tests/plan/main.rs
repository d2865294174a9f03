//! From graphs to plans: what is fused, where it lies, and that it computes what the graph means.

mod costs;
mod fusion;
mod inlining;
mod laws;
mod pipeline;
mod plans;
mod runs;
mod steps;
mod training;
