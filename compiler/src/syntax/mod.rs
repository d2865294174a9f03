//! The `model!` language: tokens in, a graph per step and a description per model out.
//!
//! `parse` makes the syntax tree of [`ast`], reporting mistakes of grammar; `elaborate` evaluates consts, conditions and
//! loops, applies layers and builds graphs. Mistakes are collected in [`diagnostic::Diagnostics`]: both go on after one.

pub mod ast;
pub mod diagnostic;
mod display;
pub mod nearest;
pub mod output;
pub mod parse;
