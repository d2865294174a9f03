//! Matrix products: a linear layer of a batch, and squares. Divide 2 * rows * inner * columns by the time for FLOP/s.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tapeless::{Error, Options, Seed};
use tapeless_benches::{ApplyLayer, ApplySquare, Layer, Square, device, numbers};

fn layer(criterion: &mut Criterion) -> Result<(), Error> {
    let device = device();
    let net = Layer::new(&device, Seed(0))?;
    let mut step = ApplyLayer::compile(&device, ApplyLayer::dims().b(64), &Options::default())?;
    let x = numbers(64 * 784);
    let mut group = criterion.benchmark_group("matmul");
    group.throughput(Throughput::Elements(2 * 64 * 784 * 512));
    group.bench_function("64x784->512", |bench| bench.iter(|| step.run(&net, &x).map(|out| out.output[0])));
    group.finish();
    Ok(())
}

fn square(criterion: &mut Criterion) -> Result<(), Error> {
    let device = device();
    let net = Square::new(&device, Seed(0))?;
    let mut step = ApplySquare::compile(&device, ApplySquare::dims().b(512), &Options::default())?;
    let x = numbers(512 * 512);
    let mut group = criterion.benchmark_group("matmul");
    group.sample_size(20).throughput(Throughput::Elements(2 * 512 * 512 * 512));
    group.bench_function("512^3", |bench| bench.iter(|| step.run(&net, &x).map(|out| out.output[0])));
    group.finish();
    Ok(())
}

fn products(criterion: &mut Criterion) {
    for bench in [layer, square] {
        bench(criterion).expect("the models of the benches compile and run");
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
