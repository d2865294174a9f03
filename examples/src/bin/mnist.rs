//! Trains a network on MNIST: two hidden layers, or, with `--model lenet`, two convolutions.
//!
//! `cargo run --release --bin mnist -- --data DIR`, where DIR holds the four files of MNIST

use std::time::Instant;
use tapeless::models::LeNet;
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
    use tapeless::models::LeNet;

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

    /// One step of Adam on a batch.
    pub step TrainLeNet(image: f32<dyn B, 784>, label: u32<B>, lr: f32) {
        let net = LeNet();
        let loss = cross_entropy(net(image.reshape([B, 1, 28, 28])), label, label_smoothing = 0.1);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
    }

    /// How many pictures of a batch are recognised.
    pub step TestLeNet(image: f32<dyn B, 784>, label: u32<B>) {
        let net = LeNet();
        metric(correct = net(image.reshape([B, 1, 28, 28])).argmax(1).eq(label).sum());
    }
}

/// A network with its steps, each compiled for one size of a batch.
trait Network: Sized {
    /// The step that trains.
    type Train;
    /// The step that counts what is recognised.
    type Test;

    fn new(device: &Device) -> Result<Self, Error>;
    fn compile_train(device: &Device, size: usize) -> Result<Self::Train, Error>;
    fn compile_test(device: &Device, size: usize) -> Result<Self::Test, Error>;
    /// The loss of a batch.
    fn train(&mut self, step: &mut Self::Train, batch: (&[f32], &[u32]), rate: f32) -> Result<f32, Error>;
    /// How many of a batch are recognised.
    fn test(&self, step: &mut Self::Test, batch: (&[f32], &[u32])) -> Result<u32, Error>;
}

macro_rules! network {
    ($model:ident, $train:ident, $test:ident) => {
        impl Network for $model {
            type Train = $train;
            type Test = $test;

            fn new(device: &Device) -> Result<Self, Error> {
                $model::new(device, Seed(SEED))
            }

            fn compile_train(device: &Device, size: usize) -> Result<$train, Error> {
                $train::compile(device, $train::dims().b(size), &Options::default())
            }

            fn compile_test(device: &Device, size: usize) -> Result<$test, Error> {
                $test::compile(device, $test::dims().b(size), &Options::default())
            }

            fn train(&mut self, step: &mut $train, batch: (&[f32], &[u32]), rate: f32) -> Result<f32, Error> {
                Ok(step.run(self, batch.0, batch.1, rate)?.loss)
            }

            fn test(&self, step: &mut $test, batch: (&[f32], &[u32])) -> Result<u32, Error> {
                Ok(step.run(self, batch.0, batch.1)?.correct)
            }
        }
    };
}
network!(Mlp, Train, Test);
network!(LeNet, TrainLeNet, TestLeNet);

fn main() -> Result<(), ExampleError> {
    let arguments = Arguments::read(&[("data", "DIR"), ("model", "mlp|lenet")])?;
    match arguments.word("model").as_deref() {
        None | Some("mlp") => run::<Mlp>(&arguments),
        Some("lenet") => run::<LeNet>(&arguments),
        Some(given) => Err(ExampleError::NoSuch { option: "model", known: "mlp, lenet", given: given.to_string() }),
    }
}

fn run<N: Network>(arguments: &Arguments) -> Result<(), ExampleError> {
    let (train, test) = pictures(arguments)?;
    let epochs = if arguments.smoke { 2 } else { EPOCHS };
    let device = Device::cpu();
    let mut net = N::new(&device)?;

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
    match (&arguments.path("data"), arguments.smoke) {
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

fn fit<N: Network>(device: &Device, net: &mut N, train: &Pictures, epochs: usize) -> Result<(), ExampleError> {
    let batches = train.batches(BATCH)?.shuffled(SEED);
    // A step for full batches, and one for what is left over; both keep their slots in the model.
    let compile = |&size: &usize| N::compile_train(device, size);
    let mut steps = batches.sizes().iter().map(compile).collect::<Result<Vec<_>, _>>()?;
    let schedule = Schedule::cosine(RATE, epochs * batches.count(), 0.0);
    for epoch in 0..epochs {
        let (start, mut loss) = (Instant::now(), RunningMean::new());
        for (number, batch) in batches.epoch(epoch as u64).enumerate() {
            // The rate is an input of the step, so nothing is compiled again.
            let rate = schedule.rate(epoch * batches.count() + number);
            let (pixels, classes) = &batch.rows;
            loss.add(net.train(&mut steps[batch.kind], (pixels, classes), rate)?, batch.len);
        }
        let (seconds, pictures) = (start.elapsed().as_secs_f64(), loss.count());
        println!("epoch {} of {epochs}: {pictures} pictures in {seconds:.2} s, loss {:.4}", epoch + 1, loss.mean());
    }
    Ok(())
}

/// The share of pictures that are recognised, a hundred at a time.
fn accuracy<N: Network>(device: &Device, net: &N, test: &Pictures) -> Result<f64, ExampleError> {
    let batches = test.batches(100.min(test.len()))?;
    let compile = |&size: &usize| N::compile_test(device, size);
    let mut steps = batches.sizes().iter().map(compile).collect::<Result<Vec<_>, _>>()?;
    let mut correct = 0;
    for batch in batches.epoch(0) {
        let (pixels, classes) = &batch.rows;
        correct += net.test(&mut steps[batch.kind], (pixels, classes))?;
    }
    Ok(f64::from(correct) / test.len() as f64)
}
