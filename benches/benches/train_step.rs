//! Whole training steps, fused and with one kernel per operation.
//!
//! The learning rate is 0, so that every step does the same work however long a bench runs: a model that has learnt its
//! batch by heart has gradients below the smallest normal number, with which processors are slow.

use criterion::{Criterion, criterion_group, criterion_main};
use tapeless::{Error, Fusion, Options, Seed};
use tapeless_benches::{Chain, Mlp, Tiny, TrainChain, TrainMlp, TrainTiny, classes, device, numbers};

/// Rows of the chain: more than caches hold.
const CHAIN_ROWS: usize = 4096;

fn variants() -> [(&'static str, Options); 2] {
    [("fused", Options::default()), ("unfused", Options { fusion: Fusion::none(), ..Options::default() })]
}

fn tiny(criterion: &mut Criterion) -> Result<(), Error> {
    let device = device();
    let (x, y) = (numbers(32 * 10), numbers(32));
    for (name, options) in variants() {
        let mut net = Tiny::new(&device, Seed(0))?;
        let mut step = TrainTiny::compile(&device, TrainTiny::dims().b(32), &options)?;
        step.run(&mut net, &x, &y, 0.0)?;
        let mut group = criterion.benchmark_group("tiny");
        group.bench_function(name, |bench| bench.iter(|| step.run(&mut net, &x, &y, 0.0).map(|out| out.loss)));
        group.finish();
    }
    Ok(())
}

fn mlp(criterion: &mut Criterion) -> Result<(), Error> {
    let device = device();
    let (x, y) = (numbers(64 * 784), classes(64, 10));
    for (name, options) in variants() {
        let mut net = Mlp::new(&device, Seed(0))?;
        let mut step = TrainMlp::compile(&device, TrainMlp::dims().b(64), &options)?;
        step.run(&mut net, &x, &y, 0.0)?;
        let mut group = criterion.benchmark_group("mlp");
        group.sample_size(20);
        group.bench_function(name, |bench| bench.iter(|| step.run(&mut net, &x, &y, 0.0).map(|out| out.loss)));
        group.finish();
    }
    Ok(())
}

fn chain(criterion: &mut Criterion) -> Result<(), Error> {
    let device = device();
    let (x, y) = (numbers(CHAIN_ROWS * 1024), numbers(CHAIN_ROWS * 1024));
    for (name, options) in variants() {
        let mut net = Chain::new(&device, Seed(0))?;
        let mut step = TrainChain::compile(&device, TrainChain::dims().b(CHAIN_ROWS), &options)?;
        step.run(&mut net, &x, &y, 0.0)?;
        let mut group = criterion.benchmark_group("chain");
        group.sample_size(20);
        group.bench_function(name, |bench| bench.iter(|| step.run(&mut net, &x, &y, 0.0).map(|out| out.loss)));
        group.finish();
    }
    Ok(())
}

fn steps(criterion: &mut Criterion) {
    for bench in [tiny, mlp, chain] {
        bench(criterion).expect("the models of the benches compile and run");
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
