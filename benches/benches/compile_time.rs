//! What the compiler itself costs: the macro while a crate builds, and `compile` while a program starts.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use proc_macro2::{TokenStream, TokenTree};
use tapeless::model;
use tapeless_benches::{TrainMlp, TrainTiny, device, options};

model! {
    use tapeless::models::ResNet18;

    /// One step of gradient descent with momentum.
    step TrainResNet18(image: f32<dyn B, 3, 64, 64>, label: u32<B>, lr: f32) {
        let net = ResNet18();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net, with = Sgd(lr, momentum = 0.9));
        metric(loss);
    }
}

/// The contents of the first `model! { … }` in a file.
fn model_of(source: &str) -> TokenStream {
    let tokens: Vec<TokenTree> = source.parse::<TokenStream>().expect("it is Rust").into_iter().collect();
    let body = tokens.windows(3).find_map(|window| match window {
        [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Group(body)] if name == "model" => Some(body.stream()),
        _ => None,
    });
    body.expect("the file has a model")
}

/// The contents of `model! { … }` in the `digits` example.
fn digits_model() -> TokenStream {
    model_of(include_str!("../../examples/src/bin/digits.rs"))
}

/// What the macro gets in the end where a program imports ResNet-50 of the library for a step.
fn resnet50_model() -> TokenStream {
    let blocks = model_of(include_str!("../../runtime/src/models/resnet.rs"));
    let rest = include_str!("../texts/resnet50.model");
    let text =
        format!("@import {{ \"resnet\" {{ {blocks} }} }} @as {{ tapeless::models::ResNet50 }} @rest {{ {rest} }}");
    text.parse().expect("it is made of Rust tokens")
}

/// A hundred blocks out of a loop, with consts, conditions and a counter. A macro that is not optimised, as in a debug build
/// of a user who asks for nothing else, is measured by
/// `cargo --config profile.dev.package.tapeless-compiler.opt-level=0 bench --bench compile_time --profile dev`.
fn tower_model() -> TokenStream {
    include_str!("../texts/tower.model").parse().expect("it is made of Rust tokens")
}

fn compile_time(criterion: &mut Criterion) {
    for (name, tokens) in [("digits", digits_model()), ("100 blocks", tower_model()), ("resnet50", resnet50_model())] {
        let (_, mistakes) = tapeless_compiler::pipeline::derive(tokens.clone());
        assert!(mistakes.is_empty(), "{name}: {mistakes:?}");
        criterion.bench_function(&format!("expand {name}"), |bench| {
            bench.iter_batched(|| tokens.clone(), tapeless_compiler::pipeline::derive, BatchSize::SmallInput);
        });
    }
    let device = device();
    criterion.bench_function("compile tiny", |bench| {
        bench.iter(|| TrainTiny::compile(&device, TrainTiny::dims().b(32), &options()).map(drop));
    });
    criterion.bench_function("compile mlp", |bench| {
        bench.iter(|| TrainMlp::compile(&device, TrainMlp::dims().b(64), &options()).map(drop));
    });
    criterion.bench_function("compile resnet18", |bench| {
        bench.iter(|| TrainResNet18::compile(&device, TrainResNet18::dims().b(8), &options()).map(drop));
    });
}

criterion_group!(benches, compile_time);
criterion_main!(benches);
