//! Whole training steps: fused, with one kernel per operation, and with each kind of fusion left out alone. Before they are
//! timed one after the other, they take turns.
//!
//! The learning rate is 0, so that every step does the same work however long a bench runs: a model that has learnt its
//! batch by heart has gradients below the smallest normal number, with which processors are slow.

use criterion::{Criterion, criterion_group, criterion_main};
use tapeless::{Error, Fusion, Options, Seed};
use tapeless_benches::turns::{self, Run};
use tapeless_benches::{Chain, Mlp, Tiny, TrainChain, TrainMlp, TrainTiny, classes, device, numbers, options};

/// Rows of the chain: more than caches hold.
const CHAIN_ROWS: usize = 4096;

/// Each of these kinds of fusion left out alone. The pattern names every kind, so that one that is missing here does not
/// compile.
macro_rules! without_each {
    ($($kind:ident),*) => {{
        let Fusion { $($kind: _),* } = Fusion::default();
        [$((concat!("without ", stringify!($kind)), Fusion { $kind: false, ..Fusion::default() })),*]
    }};
}

/// What is compared, by name.
fn variants() -> impl Iterator<Item = (&'static str, Options)> {
    let whole = [("fused", Fusion::default()), ("unfused", Fusion::none())];
    let partly = without_each!(
        elementwise,
        reductions,
        epilogues,
        rows,
        siblings,
        neighbours,
        updates,
        rematerialize,
        prologues
    );
    whole.into_iter().chain(partly).map(|(name, fusion)| (name, Options { fusion, ..options() }))
}

fn tiny(criterion: &mut Criterion) -> Result<(), Error> {
    let device = device();
    let (x, y) = (numbers(32 * 10), numbers(32));
    let (x, y) = (&x, &y);
    let mut runs: Vec<Run<'_>> = Vec::new();
    for (name, options) in variants() {
        let mut net = Tiny::new(&device, Seed(0))?;
        let mut step = TrainTiny::compile(&device, TrainTiny::dims().b(32), &options)?;
        step.run(&mut net, x, y, 0.0)?;
        runs.push((name, Box::new(move || _ = step.run(&mut net, x, y, 0.0).expect("it ran before").loss)));
    }
    measure(criterion, "tiny", runs);
    Ok(())
}

fn mlp(criterion: &mut Criterion) -> Result<(), Error> {
    let device = device();
    let (x, y) = (numbers(64 * 784), classes(64, 10));
    let (x, y) = (&x, &y);
    let mut runs: Vec<Run<'_>> = Vec::new();
    for (name, options) in variants() {
        let mut net = Mlp::new(&device, Seed(0))?;
        let mut step = TrainMlp::compile(&device, TrainMlp::dims().b(64), &options)?;
        step.run(&mut net, x, y, 0.0)?;
        runs.push((name, Box::new(move || _ = step.run(&mut net, x, y, 0.0).expect("it ran before").loss)));
    }
    measure(criterion, "mlp", runs);
    Ok(())
}

fn chain(criterion: &mut Criterion) -> Result<(), Error> {
    let device = device();
    let (x, y) = (numbers(CHAIN_ROWS * 1024), numbers(CHAIN_ROWS * 1024));
    let (x, y) = (&x, &y);
    let mut runs: Vec<Run<'_>> = Vec::new();
    for (name, options) in variants() {
        let mut net = Chain::new(&device, Seed(0))?;
        let mut step = TrainChain::compile(&device, TrainChain::dims().b(CHAIN_ROWS), &options)?;
        step.run(&mut net, x, y, 0.0)?;
        runs.push((name, Box::new(move || _ = step.run(&mut net, x, y, 0.0).expect("it ran before").loss)));
    }
    measure(criterion, "chain", runs);
    Ok(())
}

/// Times all, first in turns.
fn measure(criterion: &mut Criterion, case: &str, mut runs: Vec<Run<'_>>) {
    turns::compare(case, &mut runs);
    let mut group = criterion.benchmark_group(case);
    group.sample_size(20);
    for (name, run) in &mut runs {
        group.bench_function(*name, |bench| bench.iter(&mut *run));
    }
    group.finish();
}

fn steps(criterion: &mut Criterion) {
    for bench in [tiny, mlp, chain] {
        bench(criterion).expect("the models of the benches compile and run");
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
