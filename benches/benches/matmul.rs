//! Matrix products on one thread, each beside what the crate `gemm` makes of it: squares, and a linear layer of a batch with
//! bias and ReLU. Throughput is in operations: a multiplication and an addition for each product. Before the two are timed one
//! after the other, they take turns: the ratio of neighbouring slices of time stays what it is where the machine slows down.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use gemm::Parallelism;
use std::time::{Duration, Instant};
use tapeless::{Error, Seed};
use tapeless_benches::{ApplyLayer, Layer, Product, device, numbers, options};

/// How often the two take turns, and for how long each.
const TURNS: usize = 101;
const SLICE: Duration = Duration::from_millis(10);

/// A matrix as `gemm` sees it.
struct Matrix {
    elements: Vec<f32>,
    extents: [usize; 2],
    /// From a row to the next, and from a column to the next.
    strides: [usize; 2],
}

impl Matrix {
    fn new(extents: [usize; 2]) -> Matrix {
        let [rows, columns] = extents;
        Matrix { elements: numbers(rows * columns), extents, strides: [columns, 1] }
    }

    /// The same elements with rows for columns.
    fn transposed(mut self) -> Matrix {
        self.extents.reverse();
        self.strides.reverse();
        self
    }

    /// Sets every element to that of a product of two other matrices.
    fn set_product(&mut self, left: &Matrix, right: &Matrix) {
        let ([rows, depth], [inner, columns]) = (left.extents, right.extents);
        assert_eq!((depth, self.extents), (inner, [rows, columns]), "the extents of a product");
        let strides = |matrix: &Matrix| matrix.strides.map(|stride| stride as isize);
        let ([row, column], [left_row, left_column], [right_row, right_column]) =
            (strides(self), strides(left), strides(right));
        let result = self.elements.as_mut_ptr();
        let (lhs, rhs) = (left.elements.as_ptr(), right.elements.as_ptr());
        // SAFETY: `new` gives a matrix as many elements as the product of its extents and strides that reach each of them
        // once, `transposed` keeps that, and the extents were held against each other above. `gemm` writes the result
        // without reading it, and it is borrowed exclusively.
        unsafe {
            gemm::gemm(
                rows,
                columns,
                depth,
                result,
                column,
                row,
                false,
                lhs,
                left_column,
                left_row,
                rhs,
                right_column,
                right_row,
                0.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

fn group<'c>(criterion: &'c mut Criterion, name: &str, extents: [usize; 3]) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(format!("matmul {name}"));
    group.sample_size(20).throughput(Throughput::Elements(2 * extents.iter().product::<usize>() as u64));
    group
}

/// Times both, first in turns.
fn versus(mut group: BenchmarkGroup<'_, WallTime>, mut tapeless: impl FnMut(), mut gemm: impl FnMut()) {
    let mut ratios: Vec<f64> = (0..TURNS).map(|_| slice(&mut tapeless) / slice(&mut gemm)).collect();
    ratios.sort_by(f64::total_cmp);
    let [low, middle, high] = [TURNS / 4, TURNS / 2, 3 * TURNS / 4].map(|at| ratios[at]);
    println!("\nin turns: tapeless takes {middle:.3} of the time of gemm (quartiles {low:.3} and {high:.3})");
    group.bench_function("tapeless", |bench| bench.iter(&mut tapeless));
    group.bench_function("gemm", |bench| bench.iter(&mut gemm));
    group.finish();
}

/// How many seconds a run takes, on average over a slice of time.
fn slice(run: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut runs = 0;
    while runs == 0 || start.elapsed() < SLICE {
        run();
        runs += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(runs)
}

fn squares(criterion: &mut Criterion) -> Result<(), Error> {
    let device = device();
    for extent in [256, 512, 1024] {
        let dims = Product::dims().i(extent).j(extent).k(extent);
        let mut step = Product::compile(&device, dims, &options())?;
        let [a, b, mut result] = std::array::from_fn(|_| Matrix::new([extent; 2]));
        let found = step.run(&a.elements, &b.elements)?.output.to_vec();
        result.set_product(&a, &b);
        compare(&found, &result.elements);
        let mut run = || step.run(&a.elements, &b.elements).map(|out| out.output[0]);
        let group = group(criterion, &format!("{extent}^3"), [extent; 3]);
        versus(group, || _ = run().expect("it ran before"), || result.set_product(&a, &b));
    }
    Ok(())
}

fn layer(criterion: &mut Criterion) -> Result<(), Error> {
    let device = device();
    let mut net = Layer::new(&device, Seed(0))?;
    let (weight, bias, x) = (Matrix::new([512, 784]), numbers(512), Matrix::new([64, 784]));
    net.set("fc.weight", &weight.elements)?;
    net.set("fc.bias", &bias)?;
    let (weight, mut result) = (weight.transposed(), Matrix::new([64, 512]));
    let mut by_gemm = || {
        result.set_product(&x, &weight);
        for row in result.elements.chunks_exact_mut(512) {
            row.iter_mut().zip(&bias).for_each(|(element, bias)| *element = (*element + bias).max(0.0));
        }
    };
    let mut step = ApplyLayer::compile(&device, ApplyLayer::dims().b(64), &options())?;
    let mut run = || step.run(&net, &x.elements).map(|out| out.output[0]);
    run()?;
    let group = group(criterion, "64x784->512 with bias and relu", [64, 784, 512]);
    versus(group, || _ = run().expect("it ran before"), &mut by_gemm);
    by_gemm();
    compare(&step.run(&net, &x.elements)?.output, &result.elements);
    Ok(())
}

/// Two results of one product: they may differ by the rounding of sums of a thousand numbers of about 20.
fn compare(found: &[f32], expected: &[f32]) {
    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(found.len() == expected.len() && off < 1e-2, "{off} off");
}

fn products(criterion: &mut Criterion) {
    for bench in [squares, layer] {
        bench(criterion).expect("the models of the benches compile and run");
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
