//! What the compiler itself costs: the macro while a crate builds, and `compile` while a program starts.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use proc_macro2::{TokenStream, TokenTree};
use tapeless_benches::{TrainMlp, TrainTiny, device, options};

/// The contents of `model! { … }` in the `digits` example.
fn digits_model() -> TokenStream {
    let source = include_str!("../../examples/src/bin/digits.rs");
    let tokens: Vec<TokenTree> = source.parse::<TokenStream>().expect("it is Rust").into_iter().collect();
    let body = tokens.windows(3).find_map(|window| match window {
        [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Group(body)] if name == "model" => Some(body.stream()),
        _ => None,
    });
    body.expect("the example has a model")
}

/// A hundred blocks out of a loop, with consts, conditions and a counter. Measured with a macro that is not optimised, as
/// in a debug build of the user's: `cargo bench --bench compile_time --profile dev`.
fn tower_model() -> TokenStream {
    include_str!("../texts/tower.model").parse().expect("it is made of Rust tokens")
}

fn compile_time(criterion: &mut Criterion) {
    let tokens = digits_model();
    criterion.bench_function("expand digits", |bench| {
        bench.iter_batched(|| tokens.clone(), tapeless_compiler::pipeline::derive, BatchSize::SmallInput);
    });
    let tokens = tower_model();
    criterion.bench_function("expand 100 blocks", |bench| {
        bench.iter_batched(|| tokens.clone(), tapeless_compiler::pipeline::derive, BatchSize::SmallInput);
    });
    let device = device();
    criterion.bench_function("compile tiny", |bench| {
        bench.iter(|| TrainTiny::compile(&device, TrainTiny::dims().b(32), &options()).map(drop));
    });
    criterion.bench_function("compile mlp", |bench| {
        bench.iter(|| TrainMlp::compile(&device, TrainMlp::dims().b(64), &options()).map(drop));
    });
}

criterion_group!(benches, compile_time);
criterion_main!(benches);
