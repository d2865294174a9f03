//! The runtime as generated code and its users see it.

mod programs;
mod steps;
mod stores;
