//! The `model!` macro: the compiler's language on one side, plain Rust on the other.
//!
//! All that is thought about a model happens in `tapeless-compiler`; here its findings become types, methods and errors.

mod generate;
mod names;
mod step;

use proc_macro::TokenStream;

/// Models and the steps that train and evaluate them, checked and differentiated while the crate compiles.
///
/// Each `model Name` becomes a type that holds its parameters: `Name::new(&device, seed)`. Each `step Name` becomes a
/// program: `Name::compile(&device, Name::dims(), &options)` makes its machine code, and `run` takes the models in the order
/// of their `let`, then the inputs, and returns a field per metric, with the value of the body in `output`.
#[proc_macro]
pub fn model(tokens: TokenStream) -> TokenStream {
    let (program, diagnostics) = tapeless_compiler::pipeline::derive(tokens.into());
    generate::generate(program, diagnostics).into()
}
