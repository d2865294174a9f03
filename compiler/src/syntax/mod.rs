//! The `model!` language: tokens in, a graph per step and a description per model out.
//!
//! `parse` makes the syntax tree of [`ast`], reporting mistakes of grammar; `elaborate` evaluates consts, conditions and
//! loops, applies layers and builds graphs. Mistakes are collected in [`diagnostic::Diagnostics`]: both go on after one.

pub mod ast;
pub mod diagnostic;
mod display;
mod elaborate;
pub mod import;
pub mod output;
pub mod parse;

use diagnostic::{Diagnostic, Diagnostics};
use import::{Source, Stage, stage};
use proc_macro2::TokenStream;

/// Compiles the contents of one `model! { … }` with its imports: what the macro generates, and all mistakes. Graphs are as
/// written, with gradients and updates; the pipeline finishes them.
pub fn compile(tokens: TokenStream) -> (output::Program, Vec<Diagnostic>) {
    let diagnostics = Diagnostics::default();
    let source = match stage(tokens.clone()) {
        Stage::Whole(source) => source,
        // The elaborator reports what is not there.
        Stage::Missing(_) => Source { imports: Vec::new(), tokens },
    };
    let file = import::file(&source, &diagnostics);
    let mut program = elaborate::elaborate(&file, &diagnostics);
    program.export = import::export(&source, &file);
    (program, diagnostics.into_vec())
}
