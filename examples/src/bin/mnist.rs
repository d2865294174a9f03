//! Trains a network with two hidden layers on MNIST.
//!
//! `cargo run --release --bin mnist -- --data DIR`, where DIR holds the four files of MNIST

use std::time::Instant;
use tapeless::schedule::Schedule;
use tapeless::{Device, Error, Options, Seed, model};
use tapeless_data::RunningMean;
use tapeless_examples::arguments::Arguments;
use tapeless_examples::pictures::Pictures;
use tapeless_examples::{ExampleError, digits, mnist};

const BATCH: usize = 64;
const EPOCHS: usize = 5;
const RATE: f64 = 2e-3;
const SEED: u64 = 7;

model! {
    /// 784 pixels, two hidden layers, ten classes.
    pub model Mlp(image: f32<N, 784>) -> f32<N, 10> {
        let fc1 = Linear(512);
        let fc2 = Linear(256);
        let fc3 = Linear(10);
        image.fc1().relu().fc2().relu().fc3()
    }

    /// One step of Adam on a batch.
    pub step Train(image: f32<dyn B, 784>, label: u32<B>, lr: f32) {
        let net = Mlp();
        let loss = cross_entropy(net(image), label, label_smoothing = 0.1);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
    }

    /// How many pictures of a batch are recognised.
    pub step Test(image: f32<dyn B, 784>, label: u32<B>) {
        let net = Mlp();
        metric(correct = net(image).argmax(1).eq(label).sum());
    }
}

fn main() -> Result<(), ExampleError> {
    let arguments = Arguments::read()?;
    let (train, test) = pictures(&arguments)?;
    let epochs = if arguments.smoke { 2 } else { EPOCHS };
    let device = Device::cpu();
    let mut net = Mlp::new(&device, Seed(SEED))?;

    let start = Instant::now();
    fit(&device, &mut net, &train, epochs)?;
    let accuracy = accuracy(&device, &net, &test)?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{:.2} % of {} others recognised", 100.0 * accuracy, test.len());
    println!("result accuracy={accuracy:.4} seconds={seconds:.2}");
    Ok(())
}

/// The pictures for training and those for testing.
fn pictures(arguments: &Arguments) -> Result<(Pictures, Pictures), ExampleError> {
    match (&arguments.data, arguments.smoke) {
        (Some(directory), false) => Ok(mnist::read(directory)?),
        (Some(directory), true) => {
            let (train, test) = mnist::read(directory)?;
            Ok((train.first(20 * BATCH), test.first(5 * BATCH)))
        }
        (None, true) => {
            println!("no --data: the embedded digits, scaled to 28 x 28 pixels, stand in for MNIST");
            let digits = digits::scaled(mnist::EDGE)?;
            let (test, train) = digits.split(digits.len() / 5, SEED);
            Ok((train, test))
        }
        (None, false) => {
            Err(ExampleError::NoData { files: "the four files of MNIST, such as train-images-idx3-ubyte" })
        }
    }
}

fn fit(device: &Device, net: &mut Mlp, train: &Pictures, epochs: usize) -> Result<(), ExampleError> {
    let batches = train.batches(BATCH)?.shuffled(SEED);
    // A step for full batches, and one for what is left over; both keep their slots in the model.
    let compile = |&size: &usize| Train::compile(device, Train::dims().b(size), &Options::default());
    let mut steps = batches.sizes().iter().map(compile).collect::<Result<Vec<_>, _>>()?;
    let schedule = Schedule::cosine(RATE, epochs * batches.count(), 0.0);
    for epoch in 0..epochs {
        let (start, mut loss) = (Instant::now(), RunningMean::new());
        for (number, batch) in batches.epoch(epoch as u64).enumerate() {
            // The rate is an input of the step, so nothing is compiled again.
            let rate = schedule.rate(epoch * batches.count() + number);
            let (pixels, classes) = &batch.rows;
            loss.add(steps[batch.kind].run(net, pixels, classes, rate)?.loss, batch.len);
        }
        let (seconds, pictures) = (start.elapsed().as_secs_f64(), loss.count());
        println!("epoch {} of {epochs}: {pictures} pictures in {seconds:.2} s, loss {:.4}", epoch + 1, loss.mean());
    }
    Ok(())
}

fn accuracy(device: &Device, net: &Mlp, test: &Pictures) -> Result<f64, Error> {
    let mut step = Test::compile(device, Test::dims().b(test.len()), &Options::default())?;
    let (pixels, classes) = test.columns();
    let correct = step.run(net, pixels.elements(), classes.elements())?.correct;
    Ok(f64::from(correct) / test.len() as f64)
}
