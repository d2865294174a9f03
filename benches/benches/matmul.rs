//! Matrix products, each beside what the crate `gemm` makes of it: a linear layer of a batch, the three products of the
//! layers of an MLP, and squares. Throughput is in operations: a multiplication and an addition for each product.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use gemm::Parallelism;
use tapeless::{Device, Error, Options, Seed};
use tapeless_benches::{ApplyLayer, Forward, InputGradient, Layer, WeightGradient, numbers};

/// A matrix as `gemm` sees it.
struct Matrix {
    elements: Vec<f32>,
    /// From a row to the next, and from a column to the next.
    strides: [isize; 2],
}

impl Matrix {
    fn new([rows, columns]: [usize; 2]) -> Matrix {
        Matrix { elements: numbers(rows * columns), strides: [columns as isize, 1] }
    }

    fn transposed(mut self) -> Matrix {
        self.strides.reverse();
        self
    }
}

/// The product of a matrix of these rows and depth with one of this depth and these columns.
fn multiply(result: &mut Matrix, left: &Matrix, right: &Matrix, [rows, columns, depth]: [usize; 3]) {
    // SAFETY: the matrices have as many elements as the extents say, and their strides stay inside of them.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            result.elements.as_mut_ptr(),
            result.strides[1],
            result.strides[0],
            false,
            left.elements.as_ptr(),
            left.strides[1],
            left.strides[0],
            right.elements.as_ptr(),
            right.strides[1],
            right.strides[0],
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

fn group<'c>(criterion: &'c mut Criterion, name: &str, extents: [usize; 3]) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20).throughput(Throughput::Elements(2 * extents.iter().product::<usize>() as u64));
    group
}

/// A layer of a batch of 64 with bias and ReLU.
fn layer(criterion: &mut Criterion) -> Result<(), Error> {
    let device = Device::cpu();
    let net = Layer::new(&device, Seed(0))?;
    let mut step = ApplyLayer::compile(&device, ApplyLayer::dims().b(64), &Options::default())?;
    let extents = [64, 512, 784];
    let x = Matrix::new([64, 784]);
    let mut group = group(criterion, "linear 64x784->512 with bias and relu", extents);
    group.bench_function("tapeless", |bench| bench.iter(|| step.run(&net, &x.elements).map(|out| out.output[0])));
    let (weight, bias) = (Matrix::new([512, 784]).transposed(), numbers(512));
    let mut result = Matrix::new([64, 512]);
    group.bench_function("gemm", |bench| {
        bench.iter(|| {
            multiply(&mut result, &x, &weight, extents);
            for row in result.elements.chunks_mut(512) {
                row.iter_mut().zip(&bias).for_each(|(element, bias)| *element = (*element + bias).max(0.0));
            }
        });
    });
    group.finish();
    Ok(())
}

/// The products that the layers of the MLP take forward and backward.
fn layers(criterion: &mut Criterion) -> Result<(), Error> {
    let device = Device::cpu();
    for [outputs, inputs] in [[512, 784], [256, 512], [10, 256]] {
        let size = format!("64x{inputs}->{outputs}");
        forward(criterion, &device, &size, [64, outputs, inputs])?;
        input_gradient(criterion, &device, &size, [64, outputs, inputs])?;
        weight_gradient(criterion, &device, &size, [64, outputs, inputs])?;
    }
    Ok(())
}

fn squares(criterion: &mut Criterion) -> Result<(), Error> {
    let device = Device::cpu();
    for extent in [256, 512, 1024] {
        forward(criterion, &device, &format!("{extent}^3"), [extent; 3])?;
    }
    Ok(())
}

fn forward(criterion: &mut Criterion, device: &Device, size: &str, [i, j, k]: [usize; 3]) -> Result<(), Error> {
    let mut step = Forward::compile(device, Forward::dims().i(i).j(j).k(k), &Options::default())?;
    let (x, w, mut result) = (Matrix::new([i, k]), Matrix::new([j, k]).transposed(), Matrix::new([i, j]));
    let mut group = group(criterion, &format!("forward {size}"), [i, j, k]);
    group
        .bench_function("tapeless", |bench| bench.iter(|| step.run(&x.elements, &w.elements).map(|out| out.output[0])));
    group.bench_function("gemm", |bench| bench.iter(|| multiply(&mut result, &x, &w, [i, j, k])));
    group.finish();
    Ok(())
}

fn input_gradient(criterion: &mut Criterion, device: &Device, size: &str, [i, j, k]: [usize; 3]) -> Result<(), Error> {
    let mut step = InputGradient::compile(device, InputGradient::dims().i(i).j(j).k(k), &Options::default())?;
    let (g, w, mut result) = (Matrix::new([i, j]), Matrix::new([j, k]), Matrix::new([i, k]));
    let mut group = group(criterion, &format!("input gradient {size}"), [i, j, k]);
    group
        .bench_function("tapeless", |bench| bench.iter(|| step.run(&g.elements, &w.elements).map(|out| out.output[0])));
    group.bench_function("gemm", |bench| bench.iter(|| multiply(&mut result, &g, &w, [i, k, j])));
    group.finish();
    Ok(())
}

fn weight_gradient(criterion: &mut Criterion, device: &Device, size: &str, [i, j, k]: [usize; 3]) -> Result<(), Error> {
    let mut step = WeightGradient::compile(device, WeightGradient::dims().i(i).j(j).k(k), &Options::default())?;
    let (g, x, mut result) = (Matrix::new([i, j]).transposed(), Matrix::new([i, k]), Matrix::new([j, k]));
    let mut group = group(criterion, &format!("weight gradient {size}"), [i, j, k]);
    group
        .bench_function("tapeless", |bench| bench.iter(|| step.run(&g.elements, &x.elements).map(|out| out.output[0])));
    group.bench_function("gemm", |bench| bench.iter(|| multiply(&mut result, &g, &x, [j, k, i])));
    group.finish();
    Ok(())
}

fn products(criterion: &mut Criterion) {
    for bench in [layer, layers, squares] {
        bench(criterion).expect("the steps of the benches compile and run");
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
