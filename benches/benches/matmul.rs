//! Matrix products on one thread, each beside what the crate `gemm` makes of it: squares, and a linear layer of a batch with
//! bias and ReLU. Throughput is in operations: a multiplication and an addition for each product. Before the two are timed one
//! after the other, they take turns.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gemm::Parallelism;
use tapeless::{Error, Seed};
use tapeless_benches::turns::{self, Run};
use tapeless_benches::{ApplyLayer, Layer, Product, device, numbers, options};

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

/// Times both, first in turns.
fn versus(name: &str, extents: [usize; 3], criterion: &mut Criterion, mut runs: [Run<'_>; 2]) {
    turns::compare(name, &mut runs);
    let mut group = criterion.benchmark_group(format!("matmul {name}"));
    group.sample_size(20).throughput(Throughput::Elements(2 * extents.iter().product::<usize>() as u64));
    for (name, run) in &mut runs {
        group.bench_function(*name, |bench| bench.iter(&mut *run));
    }
    group.finish();
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
        let tapeless = || _ = step.run(&a.elements, &b.elements).expect("it ran before").output[0];
        let gemm = || result.set_product(&a, &b);
        let runs: [Run<'_>; 2] = [("gemm", Box::new(gemm)), ("tapeless", Box::new(tapeless))];
        versus(&format!("{extent}^3"), [extent; 3], criterion, runs);
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
    let by_gemm = |result: &mut Matrix| {
        result.set_product(&x, &weight);
        for row in result.elements.chunks_exact_mut(512) {
            row.iter_mut().zip(&bias).for_each(|(element, bias)| *element = (*element + bias).max(0.0));
        }
    };
    let mut step = ApplyLayer::compile(&device, ApplyLayer::dims().b(64), &options())?;
    by_gemm(&mut result);
    compare(&step.run(&net, &x.elements)?.output, &result.elements);
    let tapeless = || _ = step.run(&net, &x.elements).expect("it ran before").output[0];
    let runs: [Run<'_>; 2] = [("gemm", Box::new(|| by_gemm(&mut result))), ("tapeless", Box::new(tapeless))];
    versus("64x784->512 with bias and relu", [64, 784, 512], criterion, runs);
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
