//! The Rust that `model!` becomes: an error per mistake, a type per model, and what [`crate::step`] makes per step.
//!
//! Types and signatures are there whatever the mistakes, so that the rest of the user's program sees them. All paths are
//! absolute, and everything that can be seen is documented, since lints of the user's crate apply.

use crate::{names, step};
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use tapeless_compiler::description;
use tapeless_compiler::syntax::diagnostic::{Diagnostic, position};
use tapeless_compiler::syntax::output::{Export, Model, Program};

/// All that a `model! { … }` becomes.
pub fn generate(mut program: Program, mut diagnostics: Vec<Diagnostic>) -> TokenStream {
    for clash in names::settle(&mut program) {
        // What has a name twice may have been found before.
        if !diagnostics.iter().any(|known| position(known.span) == position(clash.span)) {
            diagnostics.push(clash);
        }
    }
    let errors = diagnostics.iter().map(error);
    let models = program.models.iter().map(model);
    let steps = program.steps.iter().map(step::step);
    let export = program.export.iter().filter_map(export);
    quote! { #(#errors)* #(#models)* #(#steps)* #(#export)* }
}

/// The macro that hands the blocks on to other `model!`, under the name of each; `None` if it would be no macro.
fn export(export: &Export) -> Option<TokenStream> {
    let Export { scope, items, names } = export;
    if has_dollar(items) {
        return None;
    }
    let bring = format_ident!("__tapeless_items_{scope}");
    let is_public = |visibility: &TokenStream| visibility.to_string() == "pub";
    let exported = names.iter().any(|(visibility, _)| is_public(visibility)).then(|| quote!(#[macro_export]));
    let aliases = names.iter().map(|(visibility, name)| {
        let name = names::of(name);
        quote! { #[doc(hidden)] #[allow(unused_imports)] #visibility use #bring as #name; }
    });
    Some(quote! {
        #[doc(hidden)]
        #[allow(unused_macros, non_local_definitions)]
        #exported
        macro_rules! #bring {
            ($($rest:tt)*) => { ::tapeless::model! { @import { #scope { #items } } $($rest)* } };
        }
        #(#aliases)*
    })
}

/// Whether there is a `$`, which means something in `macro_rules!` and nothing in the language.
fn has_dollar(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Punct(sign) => sign.as_char() == '$',
        TokenTree::Group(group) => has_dollar(&group.stream()),
        _ => false,
    })
}

/// The user's doc comments, or a line in their place.
pub fn docs(written: &[String], otherwise: String) -> TokenStream {
    let otherwise = written.is_empty().then_some(otherwise);
    let lines = written.iter().chain(&otherwise);
    quote! { #(#[doc = #lines])* }
}

/// The user's own span, not one of the call's: rustc then shows the tokens without a word on macros.
fn error(diagnostic: &Diagnostic) -> TokenStream {
    let message = diagnostic.message();
    quote_spanned! { diagnostic.span => ::core::compile_error! { #message } }
}

fn model(model: &Model) -> TokenStream {
    let Model { visibility, name, .. } = model;
    let docs = docs(&model.docs, format!(" The parameters and states of the model `{}`.", name.name));
    let (word, name) = (&name.name, names::of(name));
    let (text, debug) = (description::print(&model.description), debug(word, &name));
    quote! {
        #docs
        #visibility struct #name {
            store: ::tapeless::Store,
        }

        impl #name {
            const DESCRIPTION: &'static str = #text;

            /// The model with its parameters at their initial values.
            pub fn new(
                device: &::tapeless::Device,
                seed: ::tapeless::Seed,
            ) -> ::core::result::Result<Self, ::tapeless::Error> {
                ::tapeless::Store::new(Self::DESCRIPTION, device, seed).map(|store| Self { store })
            }

            /// The model with the moving averages that a step with `ema` keeps in place of its parameters, and states as
            /// they are.
            pub fn averaged(&self, step: &str) -> ::core::result::Result<Self, ::tapeless::Error> {
                self.store.averaged(step).map(|store| Self { store })
            }
        }

        impl ::core::ops::Deref for #name {
            type Target = ::tapeless::Store;

            fn deref(&self) -> &::tapeless::Store {
                &self.store
            }
        }

        impl ::core::ops::DerefMut for #name {
            fn deref_mut(&mut self) -> &mut ::tapeless::Store {
                &mut self.store
            }
        }

        #debug
    }
}

/// `Debug` that says the name of the type.
pub fn debug(text: &str, name: &Ident) -> TokenStream {
    quote! {
        impl ::core::fmt::Debug for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#text).finish_non_exhaustive()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proc_macro2::Span;
    use tapeless_compiler::description::{Initial, ModelDescription, TensorDecl};
    use tapeless_compiler::dtype::DType;
    use tapeless_compiler::graph::{Graph, Leaf, Role, StoreDecl};
    use tapeless_compiler::shape::{Extent, Shape, Symbol, Type};
    use tapeless_compiler::syntax::ast;
    use tapeless_compiler::syntax::output::{Input, Metric, Output, Step, StoreArgument};

    fn ident(name: &str) -> ast::Ident {
        ast::Ident { name: name.to_string(), span: Span::call_site() }
    }

    fn line() -> Model {
        let ty = Type::new(DType::F32, Shape::scalar());
        let tensor = |key: &str, value| TensorDecl {
            key: key.to_string(),
            ty: ty.clone(),
            state: false,
            initial: Initial::Constant(value),
        };
        let description =
            ModelDescription { name: "Line".to_string(), tensors: vec![tensor("w", 1.0), tensor("b", 0.0)] };
        Model { visibility: quote!(pub), docs: vec![" A line.".to_string()], name: ident("Line"), description }
    }

    fn input(name: &str, dtype: DType, scalar: bool) -> Input {
        Input { name: ident(name), dtype, scalar }
    }

    fn metric(name: &str, dtype: DType, scalar: bool) -> Metric {
        Metric { name: ident(name), dtype, scalar }
    }

    /// A step over two models with an open extent, an input named like a model, and results of every kind.
    fn train() -> Step {
        let mut graph = Graph::new("TrainLine");
        graph.dims = vec![Symbol::new("B")];
        let store = |binding: &str| StoreDecl { binding: binding.to_string(), model: "Line".to_string() };
        graph.stores = vec![store("line"), store("other")];
        let many = Type::new(DType::F32, Shape::new(vec![Extent::symbol(Symbol::new("B"))]));
        let x = graph.leaf(Leaf::User { name: "x".to_string() }, many);
        let w = graph.leaf(Leaf::Parameter { store: 0, key: "w".to_string() }, Type::new(DType::F32, Shape::scalar()));
        graph.result(Role::Metric("loss".to_string()), w);
        graph.result(Role::Next(w), w);
        graph.result(Role::Metric("each".to_string()), x);
        graph.result(Role::Output(0), x);
        graph.result(Role::Output(1), w);
        let array = || Output::Tensor { dtype: DType::F32, scalar: false };
        let number = || Output::Tensor { dtype: DType::F32, scalar: true };
        let store =
            |binding, mutable| StoreArgument { binding: ident(binding), model: ident("Line"), path: None, mutable };
        Step {
            visibility: quote!(pub),
            docs: Vec::new(),
            name: ident("TrainLine"),
            dims: vec![ident("B"), ident("TYPE")],
            stores: vec![store("line", true), store("other", false)],
            inputs: vec![
                input("line", DType::F32, false),
                input("label", DType::U32, false),
                input("type", DType::Bool, false),
                input("half", DType::Bf16, false),
                input("lr", DType::F32, true),
                input("count", DType::I32, true),
            ],
            metrics: vec![metric("loss", DType::F32, true), metric("each", DType::F32, false)],
            output: Some(Output::Tuple(vec![array(), Output::Tuple(vec![number()])])),
            graph,
        }
    }

    /// A step without extents, models, inputs and results.
    fn idle() -> Step {
        Step {
            visibility: TokenStream::new(),
            docs: Vec::new(),
            name: ident("Idle"),
            dims: Vec::new(),
            stores: Vec::new(),
            inputs: Vec::new(),
            metrics: Vec::new(),
            output: None,
            graph: Graph::new("Idle"),
        }
    }

    fn rust(program: Program, diagnostics: Vec<Diagnostic>) -> String {
        let file = syn::parse2(generate(program, diagnostics)).expect("what is generated is Rust");
        prettyplease::unparse(&file)
    }

    /// The file is compiled by `tests/generated.rs`.
    #[test]
    fn a_model_and_two_steps() {
        let text = rust(Program { models: vec![line()], steps: vec![train(), idle()], export: None }, Vec::new());
        insta::with_settings!({ snapshot_path => "../tests/generated", prepend_module_to_snapshot => false }, {
            insta::assert_binary_snapshot!("program.rs", text.into_bytes());
        });
    }

    #[test]
    fn a_mistake_is_an_error_beside_the_types() {
        let mistake = Diagnostic::new(Span::call_site(), "no optimizer `Sdg`").note("the nearest: Sgd");
        let text = rust(Program { models: vec![line()], steps: Vec::new(), export: None }, vec![mistake]);
        assert!(
            text.starts_with("::core::compile_error! {\n    \"no optimizer `Sdg`\\n  the nearest: Sgd\"\n}\n"),
            "{text}"
        );
        assert!(text.contains("pub struct Line {"), "{text}");
    }

    #[test]
    fn names_that_cannot_share_a_program_are_reported() {
        let mut step = train();
        step.dims.push(ident("b"));
        step.metrics.extend([metric("loss", DType::F32, true), metric("output", DType::F32, true)]);
        let mut clash = line();
        clash.name = ident("TrainLineDims");
        let mut program =
            Program { models: vec![line(), line(), clash], steps: vec![step.clone(), step], export: None };
        program.steps[1].name = ident("Other");
        let headlines: Vec<String> = names::settle(&mut program).into_iter().map(|d| d.headline).collect();
        assert_eq!(
            headlines,
            [
                "two types are named `Line`",
                "two types are named `TrainLineDims`",
                "`dyn B` and `dyn b` have one setter: .b(…)",
                "two metrics are named `loss`",
                "a metric cannot be named `output` in a step with a return type",
            ]
        );
        assert_eq!((program.models.len(), program.steps.len()), (2, 1));
        syn::parse2::<syn::File>(generate(program, Vec::new())).expect("what is left is Rust");
    }
}
