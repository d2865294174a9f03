//! Elementwise functions and functions of rows, each alone on 1024 x 1024 elements. Throughput is in bytes: every element is
//! read once and written once.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tapeless::{Error, model};
use tapeless_benches::{device, numbers, options};

/// Rows, and elements of a row.
const EXTENT: usize = 1024;

model! {
    pub step Relu(x: f32<dyn N, 1024>) -> f32<N, 1024> {
        x.relu()
    }

    pub step Gelu(x: f32<dyn N, 1024>) -> f32<N, 1024> {
        x.gelu()
    }

    pub step Tanh(x: f32<dyn N, 1024>) -> f32<N, 1024> {
        x.tanh()
    }

    pub step Exp(x: f32<dyn N, 1024>) -> f32<N, 1024> {
        x.exp()
    }

    pub step Sigmoid(x: f32<dyn N, 1024>) -> f32<N, 1024> {
        x.sigmoid()
    }

    pub step Softmax(x: f32<dyn N, 1024>) -> f32<N, 1024> {
        x.softmax(1)
    }

    pub step LayerNorm(x: f32<dyn N, 1024>) -> f32<N, 1024> {
        layer_norm(x, [1024])
    }
}

/// A bench of each of these steps by name.
macro_rules! bench_steps {
    ($criterion:ident, $($name:literal $step:ident),*) => {{
        let (device, x) = (device(), numbers(EXTENT * EXTENT));
        let mut group = $criterion.benchmark_group("elementwise");
        group.throughput(Throughput::Bytes(2 * size_of_val(x.as_slice()) as u64));
        $(
            let mut step = $step::compile(&device, $step::dims().n(EXTENT), &options())?;
            group.bench_function($name, |bench| bench.iter(|| step.run(&x).map(|out| out.output[0])));
        )*
        group.finish();
    }};
}

fn functions(criterion: &mut Criterion) -> Result<(), Error> {
    bench_steps!(
        criterion,
        "relu" Relu,
        "gelu" Gelu,
        "tanh" Tanh,
        "exp" Exp,
        "sigmoid" Sigmoid,
        "softmax of rows" Softmax,
        "layer norm of rows" LayerNorm
    );
    Ok(())
}

fn elementwise(criterion: &mut Criterion) {
    functions(criterion).expect("the steps of the benches compile and run");
}

criterion_group!(benches, elementwise);
criterion_main!(benches);
