//! Trains a small network on the embedded digits, then times its step fused and unfused.
//!
//! `cargo run --release --bin digits`

use indicatif::{ProgressBar, ProgressStyle};
use std::f32::consts::PI;
use std::time::{Duration, Instant};
use tapeless::{Device, Error, Fusion, Options, Seed, model};
use tapeless_examples::ExampleError;
use tapeless_examples::arguments::smoke;
use tapeless_examples::digits::{self, PIXELS};
use tapeless_examples::pictures::Pictures;

const BATCH: usize = 32;
const SEED: u64 = 7;

model! {
    /// 64 pixels, one hidden layer, ten classes.
    pub model Mlp(image: f32<N, 64>) -> f32<N, 10> {
        let fc1 = Linear(256);
        let fc2 = Linear(10);
        image.fc1().relu().fc2()
    }

    /// One step of Adam on a batch.
    pub step Train(image: f32<dyn B, 64>, label: u32<B>, lr: f32) {
        let net = Mlp();
        let loss = cross_entropy(net(image), label, label_smoothing = 0.1);
        minimize(loss, over = net, with = Adam(lr, weight_decay = 1e-4));
        metric(loss);
    }

    /// How many pictures of a batch are recognised.
    pub step Test(image: f32<dyn B, 64>, label: u32<B>) {
        let net = Mlp();
        metric(correct = net(image).argmax(1).eq(label).sum());
    }
}

fn main() -> Result<(), ExampleError> {
    let smoke = smoke()?;
    let (epochs, seconds) = if smoke { (2, 0.02) } else { (60, 0.5) };
    let (train, test) = digits::embedded()?.split(SEED);
    let device = Device::cpu();
    let mut net = Mlp::new(&device, Seed(SEED))?;

    let start = Instant::now();
    fit(&device, &mut net, &train, epochs)?;
    let accuracy = accuracy(&device, &net, &test)?;
    println!("{epochs} epochs over {} digits in {:.2} s", train.len(), start.elapsed().as_secs_f64());
    println!("{:.1} % of {} others recognised", 100.0 * accuracy, test.len());

    let [fused, unfused] = step_times(&device, &train, Duration::from_secs_f64(seconds))?;
    println!("one step: {fused:.1} us fused, {unfused:.1} us with one kernel per operation");
    println!("result accuracy={accuracy:.4} fused_us={fused:.2} unfused_us={unfused:.2}");
    Ok(())
}

fn fit(device: &Device, net: &mut Mlp, digits: &Pictures, epochs: usize) -> Result<(), Error> {
    let mut step = Train::compile(device, Train::dims().b(BATCH), &Options::default())?;
    let mut order: Vec<usize> = (0..digits.len()).collect();
    let mut random = fastrand::Rng::with_seed(SEED);
    let style = ProgressStyle::with_template("{bar:40} epoch {pos}/{len}, loss {msg}").expect("the template is valid");
    let bar = ProgressBar::new(epochs as u64).with_style(style);
    for epoch in 0..epochs {
        // The rate falls along a cosine; it is an input of the step, so nothing is compiled again.
        let rate = 2.5e-3 * (1.0 + (PI * epoch as f32 / epochs as f32).cos());
        random.shuffle(&mut order);
        let mut total = 0.0;
        for batch in order.chunks_exact(BATCH).map(|batch| digits.select(batch)) {
            total += step.run(net, &batch.pixels, &batch.labels, rate)?.loss;
        }
        bar.set_message(format!("{:.4}", total / (order.len() / BATCH) as f32));
        bar.inc(1);
    }
    bar.finish();
    println!();
    Ok(())
}

fn accuracy(device: &Device, net: &Mlp, digits: &Pictures) -> Result<f64, Error> {
    let mut step = Test::compile(device, Test::dims().b(digits.len()), &Options::default())?;
    let correct = step.run(net, &digits.pixels, &digits.labels)?.correct;
    Ok(f64::from(correct) / digits.len() as f64)
}

/// The median time of a step in microseconds, fused and unfused, in turns.
fn step_times(device: &Device, digits: &Pictures, duration: Duration) -> Result<[f64; 2], Error> {
    const GROUP: usize = 20;
    let unfused = Options { fusion: Fusion::none(), ..Options::default() };
    let mut nets = [Mlp::new(device, Seed(SEED))?, Mlp::new(device, Seed(SEED))?];
    let dims = Train::dims().b(BATCH);
    let mut steps =
        [Train::compile(device, dims.clone(), &Options::default())?, Train::compile(device, dims, &unfused)?];
    let (pixels, labels) = (&digits.pixels[..BATCH * PIXELS], &digits.labels[..BATCH]);
    let mut times = [Vec::new(), Vec::new()];
    let start = Instant::now();
    while times[0].len() < 5 || start.elapsed() < duration {
        for ((step, net), times) in steps.iter_mut().zip(&mut nets).zip(&mut times) {
            let group = Instant::now();
            for _ in 0..GROUP {
                step.run(net, pixels, labels, 1e-3)?;
            }
            times.push(group.elapsed().as_secs_f64() * 1e6 / GROUP as f64);
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }))
}
