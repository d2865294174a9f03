//! The convolutions of ResNet-18, of images of 64 and 224 pixels, each with its two gradients, on one thread.
//!
//! A line for each says how fast the fastest of some runs was, in operations and as a share of what the processor does at most, and of the
//! roofline, which is the same but where memory is what bounds a run. The gradient for the weight comes with an update of the
//! weight by gradient descent. What a convolution takes beside the product, its padding before all, counts as its time.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::time::{Duration, Instant};
use tapeless::{Error, Options, Profile, Seed, model};
use tapeless_benches::{device, numbers, options};

/// How long the runs of a line of the table take together, and how many there are at least.
const TIME: Duration = Duration::from_millis(150);
const RUNS: usize = 10;

/// A convolution of an image: extents of the batch and of the image, channels, rows of the weight, size, stride, padding.
#[derive(Clone, Copy)]
struct Shape {
    batch: usize,
    extent: usize,
    channels: usize,
    rows: usize,
    size: usize,
    stride: usize,
    padding: usize,
}

impl Shape {
    /// How many windows there are along a side of the image.
    fn count(self) -> usize {
        (self.extent + 2 * self.padding - self.size) / self.stride + 1
    }

    fn input(self) -> usize {
        self.batch * self.channels * self.extent * self.extent
    }

    fn output(self) -> usize {
        self.batch * self.rows * self.count() * self.count()
    }

    /// A multiplication and an addition for each product.
    fn operations(self) -> usize {
        2 * self.output() * self.channels * self.size * self.size
    }

    fn name(self) -> String {
        let Shape { batch, extent, channels, rows, size, stride, .. } = self;
        let stride = if stride > 1 { format!(" / {stride}") } else { String::new() };
        format!("{batch}x{channels}x{extent}x{extent} to {rows}, {size}x{size}{stride}")
    }
}

/// The fastest of some runs of one way through a convolution, in seconds, before they are timed by the bench.
fn time(
    way: &str,
    shape: Shape,
    criterion: &mut Criterion,
    run: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<f64, Error> {
    run()?;
    let (start, mut runs, mut fastest) = (Instant::now(), 0, f64::INFINITY);
    while runs < RUNS || start.elapsed() < TIME {
        let before = Instant::now();
        run()?;
        fastest = fastest.min(before.elapsed().as_secs_f64());
        runs += 1;
    }
    let mut group = criterion.benchmark_group(format!("convolution {}", shape.name()));
    group.sample_size(10).throughput(Throughput::Elements(shape.operations() as u64));
    group.bench_function(way, |bench| bench.iter(|| run().expect("it ran before")));
    group.finish();
    Ok(fastest)
}

/// Prints the line of the table of a way through a convolution.
fn report(way: &str, shape: Shape, seconds: f64, profile: &Profile) {
    let flops = shape.operations() as f64 / seconds;
    println!(
        "{:33} {way:7} {:8.3} ms {:6.1} GFLOP/s {:3.0} % of the peak {:3.0} % of the roofline",
        shape.name(),
        seconds * 1e3,
        flops / 1e9,
        100.0 * flops / profile.peak_flops,
        100.0 * profile.roofline * profile.seconds / seconds,
    );
}

/// Options of the benches, with times.
fn profiled() -> Options {
    Options { profile: true, ..options() }
}

/// A module with a convolution from so many channels to so many, with windows of a size, a stride and a padding, and with what
/// is added to the result of a transposed one, so that it is as large as the input was.
macro_rules! convolution {
    ($module:ident, $channels:tt, $rows:tt, $size:tt, $stride:tt, $padding:tt, $further:tt) => {
        mod $module {
            use super::*;

            model! {
                /// The convolution.
                pub model Forth(x: f32<N, $channels, H, W>) -> f32<N, $rows, _, _> {
                    let conv = Conv2d($rows, $size, stride = $stride, padding = $padding, bias = false);
                    x.conv()
                }

                /// The way back through it.
                pub model Back(y: f32<N, $rows, P, Q>) -> f32<N, $channels, _, _> {
                    let conv = ConvTranspose2d($channels, $size, stride = $stride, padding = $padding, output_padding = $further, bias = false);
                    y.conv()
                }

                /// Its result.
                pub step Output(x: f32<dyn B, $channels, dyn H, dyn W>) -> f32<B, $rows, _, _> {
                    let net = Forth();
                    net(x)
                }

                /// Its gradient for the input.
                pub step Input(y: f32<dyn B, $rows, dyn P, dyn Q>) -> f32<B, $channels, _, _> {
                    let net = Back();
                    net(y)
                }

                /// Its gradient for the weight, and an update.
                pub step Weight(x: f32<dyn B, $channels, dyn H, dyn W>, y: f32<B, $rows, dyn P, dyn Q>, lr: f32) {
                    let net = Forth();
                    let loss = sum(net(x) * y);
                    minimize(loss, over = net, with = Sgd(lr));
                }
            }

            pub fn bench(batch: usize, extent: usize, criterion: &mut Criterion) -> Result<(), Error> {
                let shape = Shape {
                    batch,
                    extent,
                    channels: $channels,
                    rows: $rows,
                    size: $size,
                    stride: $stride,
                    padding: $padding,
                };
                let (device, options, count) = (device(), profiled(), shape.count());
                let (x, y) = (numbers(shape.input()), numbers(shape.output()));
                let (mut forth, back) = (Forth::new(&device, Seed(0))?, Back::new(&device, Seed(0))?);
                let mut output = Output::compile(&device, Output::dims().b(batch).h(extent).w(extent), &options)?;
                let seconds = time("output", shape, criterion, &mut || output.run(&forth, &x).map(drop))?;
                report("output", shape, seconds, &output.profile()?);
                let mut input = Input::compile(&device, Input::dims().b(batch).p(count).q(count), &options)?;
                let seconds = time("input", shape, criterion, &mut || input.run(&back, &y).map(drop))?;
                report("input", shape, seconds, &input.profile()?);
                let dims = Weight::dims().b(batch).h(extent).w(extent).p(count).q(count);
                let mut weight = Weight::compile(&device, dims, &options)?;
                let seconds = time("weight", shape, criterion, &mut || weight.run(&mut forth, &x, &y, 0.0).map(drop))?;
                report("weight", shape, seconds, &weight.profile()?);
                Ok(())
            }
        }
    };
}

convolution!(stem, 3, 64, 7, 2, 3, 1);
convolution!(first, 64, 64, 3, 1, 1, 0);
convolution!(to_second, 64, 128, 3, 2, 1, 1);
convolution!(beside_second, 64, 128, 1, 2, 0, 1);
convolution!(second, 128, 128, 3, 1, 1, 0);
convolution!(to_third, 128, 256, 3, 2, 1, 1);
convolution!(beside_third, 128, 256, 1, 2, 0, 1);
convolution!(third, 256, 256, 3, 1, 1, 0);
convolution!(to_fourth, 256, 512, 3, 2, 1, 1);
convolution!(beside_fourth, 256, 512, 1, 2, 0, 1);
convolution!(fourth, 512, 512, 3, 1, 1, 0);

/// A convolution's bench, and how many times smaller than the image its input is.
type Bench = (fn(usize, usize, &mut Criterion) -> Result<(), Error>, usize);

const CONVOLUTIONS: [Bench; 11] = [
    (stem::bench, 1),
    (first::bench, 4),
    (to_second::bench, 4),
    (beside_second::bench, 4),
    (second::bench, 8),
    (to_third::bench, 8),
    (beside_third::bench, 8),
    (third::bench, 16),
    (to_fourth::bench, 16),
    (beside_fourth::bench, 16),
    (fourth::bench, 32),
];

fn convolutions(criterion: &mut Criterion) {
    for (batch, image) in [(4, 64), (1, 224), (4, 224)] {
        for (bench, smaller) in CONVOLUTIONS {
            bench(batch, image / smaller, criterion).expect("the models of the benches compile and run");
        }
    }
}

criterion_group!(benches, convolutions);
criterion_main!(benches);
