//! Trains a small network on the embedded digits, then times its step fused and unfused.
//!
//! `cargo run --release --bin digits`

use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};
use tapeless::schedule::Schedule;
use tapeless::{Device, Error, Fusion, Options, Seed, model};
use tapeless_data::{Average, Confusion, RunningMean, Scores};
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

    /// The class that each picture of a batch is taken for.
    pub step Classify(image: f32<dyn B, 64>) -> u32<B> {
        let net = Mlp();
        net(image).argmax(1)
    }
}

fn main() -> Result<(), ExampleError> {
    let smoke = smoke()?;
    let (epochs, seconds) = if smoke { (2, 0.02) } else { (60, 0.5) };
    let digits = digits::embedded()?;
    let (test, train) = digits.split(digits.len() / 5, SEED);
    let device = Device::cpu();
    let mut net = Mlp::new(&device, Seed(SEED))?;

    let start = Instant::now();
    fit(&device, &mut net, &train, epochs)?;
    let confusion = confusion(&device, &net, &test)?;
    println!("{epochs} epochs over {} digits in {:.2} s", train.len(), start.elapsed().as_secs_f64());
    let accuracy = confusion.accuracy();
    println!("{:.1} % of {} others recognised", 100.0 * accuracy, test.len());
    println!("{}\ndigits in rows, what they were taken for in columns:\n{confusion}", confusion.report());

    let [fused, unfused] = step_times(&device, &train, Duration::from_secs_f64(seconds))?;
    println!("one step: {fused:.1} us fused, {unfused:.1} us with one kernel per operation");
    let Scores { precision, recall, f1 } = confusion.average(Average::Macro);
    print!("result accuracy={accuracy:.4} precision={precision:.4} recall={recall:.4} f1={f1:.4} ");
    println!("fused_us={fused:.2} unfused_us={unfused:.2}");
    Ok(())
}

fn fit(device: &Device, net: &mut Mlp, digits: &Pictures, epochs: usize) -> Result<(), ExampleError> {
    let batches = digits.batches(BATCH)?.shuffled(SEED);
    // A step for full batches, and one for what is left over; both keep their slots in the model.
    let compile = |&size: &usize| Train::compile(device, Train::dims().b(size), &Options::default());
    let mut steps = batches.sizes().iter().map(compile).collect::<Result<Vec<_>, _>>()?;
    let schedule = Schedule::cosine(5e-3, epochs, 0.0);
    let style = ProgressStyle::with_template("{bar:40} epoch {pos}/{len}, loss {msg}").expect("the template is valid");
    let bar = ProgressBar::new(epochs as u64).with_style(style);
    for epoch in 0..epochs {
        // The rate is an input of the step, so nothing is compiled again.
        let rate = schedule.rate(epoch);
        let mut loss = RunningMean::new();
        for batch in batches.epoch(epoch as u64) {
            let (pixels, classes) = &batch.rows;
            loss.add(steps[batch.kind].run(net, pixels, classes, rate)?.loss, batch.len);
        }
        bar.set_message(format!("{:.4}", loss.mean()));
        bar.inc(1);
    }
    bar.finish();
    println!();
    Ok(())
}

/// Which digits are taken for which.
fn confusion(device: &Device, net: &Mlp, digits: &Pictures) -> Result<Confusion, ExampleError> {
    let mut step = Classify::compile(device, Classify::dims().b(digits.len()), &Options::default())?;
    let (pixels, classes) = digits.columns();
    let mut confusion = Confusion::new(10);
    confusion.add(&step.run(net, pixels.elements())?.output, classes.elements())?;
    Ok(confusion)
}

/// The median time of a step in microseconds, fused and unfused, in turns.
fn step_times(device: &Device, digits: &Pictures, duration: Duration) -> Result<[f64; 2], Error> {
    const GROUP: usize = 20;
    let unfused = Options { fusion: Fusion::none(), ..Options::default() };
    let mut nets = [Mlp::new(device, Seed(SEED))?, Mlp::new(device, Seed(SEED))?];
    let dims = Train::dims().b(BATCH);
    let mut steps =
        [Train::compile(device, dims.clone(), &Options::default())?, Train::compile(device, dims, &unfused)?];
    let (pixels, classes) = digits.columns();
    let (pixels, classes) = (&pixels.elements()[..BATCH * PIXELS], &classes.elements()[..BATCH]);
    let mut times = [Vec::new(), Vec::new()];
    let start = Instant::now();
    while times[0].len() < 5 || start.elapsed() < duration {
        for ((step, net), times) in steps.iter_mut().zip(&mut nets).zip(&mut times) {
            let group = Instant::now();
            for _ in 0..GROUP {
                step.run(net, pixels, classes, 1e-3)?;
            }
            times.push(group.elapsed().as_secs_f64() * 1e6 / GROUP as f64);
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }))
}
