//! Trains a network with two hidden layers on MNIST.
//!
//! `cargo run --release --bin mnist -- --data DIR`, where DIR holds the four files of MNIST

use std::f32::consts::PI;
use std::time::Instant;
use tapeless::{Device, Error, Options, Seed, model};
use tapeless_examples::arguments::Arguments;
use tapeless_examples::pictures::Pictures;
use tapeless_examples::{ExampleError, digits, mnist};

const BATCH: usize = 64;
const EPOCHS: usize = 5;
const RATE: f32 = 2e-3;
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
            Ok(digits::scaled(mnist::EDGE)?.split(SEED))
        }
        (None, false) => {
            Err(ExampleError::NoData { files: "the four files of MNIST, such as train-images-idx3-ubyte" })
        }
    }
}

fn fit(device: &Device, net: &mut Mlp, train: &Pictures, epochs: usize) -> Result<(), Error> {
    let mut step = Train::compile(device, Train::dims().b(BATCH), &Options::default())?;
    let mut order: Vec<usize> = (0..train.len()).collect();
    let mut random = fastrand::Rng::with_seed(SEED);
    let batches = train.len() / BATCH;
    for epoch in 0..epochs {
        let start = Instant::now();
        random.shuffle(&mut order);
        let mut total = 0.0;
        for (number, batch) in order.chunks_exact(BATCH).map(|batch| train.select(batch)).enumerate() {
            // The rate falls along a cosine; it is an input of the step, so nothing is compiled again.
            let progress = (epoch * batches + number) as f32 / (epochs * batches) as f32;
            let rate = 0.5 * RATE * (1.0 + (PI * progress).cos());
            total += step.run(net, &batch.pixels, &batch.labels, rate)?.loss;
        }
        let (loss, seconds) = (total / batches as f32, start.elapsed().as_secs_f64());
        println!("epoch {} of {epochs}: {} pictures in {seconds:.2} s, loss {loss:.4}", epoch + 1, batches * BATCH);
    }
    Ok(())
}

fn accuracy(device: &Device, net: &Mlp, test: &Pictures) -> Result<f64, Error> {
    let mut step = Test::compile(device, Test::dims().b(test.len()), &Options::default())?;
    let correct = step.run(net, &test.pixels, &test.labels)?.correct;
    Ok(f64::from(correct) / test.len() as f64)
}
