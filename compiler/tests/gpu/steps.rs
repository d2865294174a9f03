//! Steps in the language, planned for a GPU.

use proc_macro2::TokenStream;
use tapeless_compiler::pipeline::{self, Options};
use tapeless_compiler::plan::Plan;
use tapeless_compiler::target::Target;

/// The plan of the only step of a text, for these extents of its open axes and blocks of so many threads.
pub fn plan(text: &str, dims: &[(&str, usize)], threads: usize) -> Plan {
    let tokens: TokenStream = text.parse().expect("the text is tokens");
    let (program, diagnostics) = pipeline::derive(tokens);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let target = Target::gpu(threads);
    pipeline::plan(&program.steps[0].graph, dims, &Options::default(), &target)
        .unwrap_or_else(|error| panic!("{error}"))
}
