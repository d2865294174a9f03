//! The `model!` macro: the compiler's language on one side, plain Rust on the other.
//!
//! All that is thought about a model happens in `tapeless-compiler`; here its findings become types, methods and errors.

mod generate;
mod names;
mod step;

use proc_macro::TokenStream;
use tapeless_compiler::pipeline;
use tapeless_compiler::syntax::import::{Stage, stage};

/// Models and the steps that train and evaluate them, checked and differentiated while the crate compiles.
///
/// Each `model Name` becomes a type that holds its parameters: `Name::new(&device, seed)`. Each `step Name` becomes a
/// program: `Name::compile(&device, Name::dims(), &options)` makes its machine code, and `run` takes the models in the order
/// of their `let`, then the inputs, and returns a field per metric, with the value of the body in `output`.
///
/// `use path::Name;` as first items brings blocks and models of another `model!`, of this crate or of another one.
#[proc_macro]
pub fn model(tokens: TokenStream) -> TokenStream {
    let tokens = proc_macro2::TokenStream::from(tokens);
    if let Stage::Missing(call) = stage(tokens.clone()) {
        return call.into();
    }
    let (program, diagnostics) = pipeline::derive(tokens);
    generate::generate(program, diagnostics).into()
}
