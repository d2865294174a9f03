//! The Rust of one step: the program, its extents and what a run returns.

use crate::generate::{debug, docs};
use crate::names;
use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{self, Graph, Role};
use tapeless_compiler::syntax::output::{Output, Step};

/// The types of a step.
pub fn step(step: &Step) -> TokenStream {
    let (program, dims, results) = (program(step), dims(step), results(step));
    quote! { #program #dims #results }
}

fn program(step: &Step) -> TokenStream {
    let visibility = &step.visibility;
    let docs = docs(&step.docs, format!(" The step `{}`, compiled for a device.", step.name.name));
    let name = names::of(&step.name);
    let (text, debug) = (graph::print(&step.graph), debug(&step.name.name, &name));
    let (compile, run) = (compile(step), run(step));
    quote! {
        #docs
        #visibility struct #name {
            step: ::tapeless::Step,
        }

        impl #name {
            const GRAPH: &'static str = #text;

            #compile
            #run
        }

        impl ::core::ops::Deref for #name {
            type Target = ::tapeless::Step;

            fn deref(&self) -> &::tapeless::Step {
                &self.step
            }
        }

        #debug
    }
}

/// The functions that give the open extents and take them back.
fn compile(step: &Step) -> TokenStream {
    let dims = names::derived(&step.name, "Dims");
    let symbols = step.dims.iter().map(|dim| &dim.name);
    let fields: Vec<Ident> = step.dims.iter().map(names::dim).collect();
    quote! {
        /// The extents that the step is compiled for, none of them set.
        pub fn dims() -> #dims {
            <#dims as ::core::default::Default>::default()
        }

        /// Compiles the step for these extents.
        pub fn compile(
            device: &::tapeless::Device,
            dims: #dims,
            options: &::tapeless::Options,
        ) -> ::core::result::Result<Self, ::tapeless::Error> {
            let #dims { #(#fields),* } = dims;
            ::tapeless::Step::compile(Self::GRAPH, device, &[#((#symbols, #fields)),*], options)
                .map(|step| Self { step })
        }
    }
}

/// The method that takes the models, then the inputs.
fn run(step: &Step) -> TokenStream {
    let given = step.stores.iter().map(|store| &store.binding).chain(step.inputs.iter().map(|input| &input.name));
    let parameters = names::parameters(given);
    let (models, inputs) = parameters.split_at(step.stores.len());
    let model_types = step.stores.iter().map(|store| {
        let model = match &store.path {
            Some(path) => path.clone(),
            None => names::of(&store.model).into_token_stream(),
        };
        if store.mutable { quote!(&mut #model) } else { quote!(&#model) }
    });
    let stores = step.stores.iter().zip(models).map(|(store, model)| match store.mutable {
        true => quote!(::tapeless::generated::StoreArgument::Exclusive(#model)),
        false => quote!(::tapeless::generated::StoreArgument::Shared(#model)),
    });
    let input_types = step.inputs.iter().map(|input| {
        let element = element(input.dtype);
        if input.scalar { element } else { quote!(&[#element]) }
    });
    let values = step.inputs.iter().zip(inputs).map(|(input, name)| match input.scalar {
        true => quote!(::core::convert::From::from(&#name)),
        false => quote!(::core::convert::From::from(#name)),
    });
    let output = names::derived(&step.name, "Output");
    let lifetime = has_views(step).then(|| quote!(<'_>));
    let fields = result_values(step);
    let many = (parameters.len() > 6).then(|| quote!(#[allow(clippy::too_many_arguments)]));
    let run = quote! {
        /// Runs the step once. On an error nothing has changed.
        #many
        pub fn run(
            &mut self,
            #(#models: #model_types,)*
            #(#inputs: #input_types,)*
        ) -> ::core::result::Result<#output #lifetime, ::tapeless::Error> {
            self.step.run(&mut [#(#stores),*], &[#(#values),*])?;
            ::core::result::Result::Ok(#output { #fields })
        }
    };
    let check = trains(step).then(|| check(step, &parameters));
    quote! { #run #check }
}

/// Whether a step minimizes something. After a mistake its graph is empty, but the models that it changes are known.
fn trains(step: &Step) -> bool {
    let gradient = |role: &Role| matches!(role, Role::Gradient { .. });
    match step.graph.results.is_empty() {
        true => step.stores.iter().any(|store| store.mutable),
        false => step.graph.results.iter().any(|result| gradient(&result.role)),
    }
}

/// The method that holds gradients against numerical differences. It takes what `run` takes, and changes none of it.
fn check(step: &Step, parameters: &[Ident]) -> TokenStream {
    let (models, inputs) = parameters.split_at(step.stores.len());
    let model_types = step.stores.iter().map(|store| match &store.path {
        Some(path) => path.clone(),
        None => names::of(&store.model).into_token_stream(),
    });
    let input_types = step.inputs.iter().map(|input| {
        let element = element(input.dtype);
        if input.scalar { element } else { quote!(&[#element]) }
    });
    let values = step.inputs.iter().zip(inputs).map(|(input, name)| match input.scalar {
        true => quote!(::core::convert::From::from(&#name)),
        false => quote!(::core::convert::From::from(#name)),
    });
    let many = (parameters.len() > 6).then(|| quote!(#[allow(clippy::too_many_arguments)]));
    quote! {
        /// Holds the gradient of every parameter against numerical differences of the loss in f64: the key, and the largest
        /// error relative to the largest derivative in that parameter. At most 24 elements of each are looked at.
        #many
        pub fn check_gradients(
            &self,
            #(#models: &#model_types,)*
            #(#inputs: #input_types,)*
        ) -> ::core::result::Result<
            ::std::vec::Vec<(::std::string::String, f64)>,
            ::tapeless::Error,
        > {
            self.step.check_gradients(&[#(::core::ops::Deref::deref(#models)),*], &[#(#values),*])
        }
    }
}

fn dims(step: &Step) -> TokenStream {
    let visibility = &step.visibility;
    let name = names::derived(&step.name, "Dims");
    let doc = format!(" The extents that [`{}`] is compiled for.", step.name.name);
    let fields: Vec<Ident> = step.dims.iter().map(names::dim).collect();
    let setter_docs = step.dims.iter().map(|dim| format!(" Sets `{}`.", dim.name));
    let setters = (!fields.is_empty()).then(|| {
        quote! {
            impl #name {
                #(
                    #[doc = #setter_docs]
                    pub fn #fields(mut self, extent: usize) -> Self {
                        self.#fields = ::core::option::Option::Some(extent);
                        self
                    }
                )*
            }
        }
    });
    quote! {
        #[doc = #doc]
        #[derive(::core::clone::Clone, ::core::fmt::Debug, ::core::default::Default)]
        #visibility struct #name {
            #(#fields: ::core::option::Option<usize>,)*
        }

        #setters
    }
}

fn results(step: &Step) -> TokenStream {
    let visibility = &step.visibility;
    let name = names::derived(&step.name, "Output");
    let doc = format!(" What a run of [`{}`] returns.", step.name.name);
    let lifetime = has_views(step).then(|| quote!(<'a>));
    let metrics = step.metrics.iter().map(|metric| {
        let doc = format!(" The metric `{}`.", metric.name.name);
        let (field, ty) = (names::of(&metric.name), result_type(metric.dtype, metric.scalar));
        quote! { #[doc = #doc] pub #field: #ty, }
    });
    let output = step.output.as_ref().map(|output| {
        let ty = output_type(output);
        quote! { #[doc = " The value of the step."] pub output: #ty, }
    });
    quote! {
        #[doc = #doc]
        #[derive(::core::fmt::Debug)]
        #visibility struct #name #lifetime {
            #(#metrics)*
            #output
        }
    }
}

/// The fields of what a run returns, read from the step.
fn result_values(step: &Step) -> TokenStream {
    let metrics = step.metrics.iter().map(|metric| {
        let field = names::of(&metric.name);
        let position = position(&step.graph, &Role::Metric(metric.name.name.clone()));
        let value = result_value(metric.dtype, metric.scalar, position);
        quote!(#field: #value,)
    });
    let output = step.output.as_ref().map(|output| {
        let value = output_value(output, &step.graph, &mut 0);
        quote!(output: #value)
    });
    quote!(#(#metrics)* #output)
}

fn output_type(output: &Output) -> TokenStream {
    match output {
        Output::Tensor { dtype, scalar } => result_type(*dtype, *scalar),
        Output::Tuple(parts) => {
            let parts = parts.iter().map(output_type);
            quote!((#(#parts,)*))
        }
    }
}

/// `next` counts the tensors of the output from left to right.
fn output_value(output: &Output, graph: &Graph, next: &mut usize) -> TokenStream {
    match output {
        Output::Tensor { dtype, scalar } => {
            *next += 1;
            result_value(*dtype, *scalar, position(graph, &Role::Output(*next - 1)))
        }
        Output::Tuple(parts) => {
            let parts = parts.iter().map(|part| output_value(part, graph, next));
            quote!((#(#parts,)*))
        }
    }
}

fn result_type(dtype: DType, scalar: bool) -> TokenStream {
    let element = element(dtype);
    if scalar { element } else { quote!(::tapeless::View<'a, #element>) }
}

fn result_value(dtype: DType, scalar: bool, position: Literal) -> TokenStream {
    let element = element(dtype);
    if scalar { quote!(self.step.scalar::<#element>(#position)) } else { quote!(self.step.view::<#element>(#position)) }
}

/// Where the running step has a result. After a mistake the graph may lack it; nothing runs then, and any number will do.
fn position(graph: &Graph, role: &Role) -> Literal {
    let mut roles = graph.results.iter().map(|result| &result.role).filter(|role| !matches!(role, Role::Next(_)));
    Literal::usize_unsuffixed(roles.position(|found| found == role).unwrap_or_default())
}

fn has_views(step: &Step) -> bool {
    step.metrics.iter().any(|metric| !metric.scalar) || step.output.as_ref().is_some_and(output_has_views)
}

fn output_has_views(output: &Output) -> bool {
    match output {
        Output::Tensor { scalar, .. } => !scalar,
        Output::Tuple(parts) => parts.iter().any(output_has_views),
    }
}

/// The type that a program of the user's holds elements in.
fn element(dtype: DType) -> TokenStream {
    match dtype {
        DType::F32 => quote!(f32),
        DType::F16 => quote!(::tapeless::f16),
        DType::Bf16 => quote!(::tapeless::bf16),
        DType::F64 => quote!(f64),
        DType::U32 => quote!(u32),
        DType::I32 => quote!(i32),
        DType::U8 => quote!(u8),
        DType::Bool => quote!(bool),
        DType::I64 => quote!(i64),
    }
}
