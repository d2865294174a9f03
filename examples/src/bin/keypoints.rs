//! Trains MobileNetV2 to find five points of faces that it draws itself: both eyes, the nose, the corners of the mouth.
//!
//! `cargo run --release --bin keypoints`; `--write-data FILE` writes the pictures into a file, on which
//! `runtime/tests/pytorch/keypoints.py` trains torchvision's network in the same way.

use std::time::Instant;
use tapeless::schedule::Schedule;
use tapeless::{Device, Options, Seed, model};
use tapeless_data::RunningMean;
use tapeless_examples::ExampleError;
use tapeless_examples::arguments::Arguments;
use tapeless_examples::faces::{self, Faces};

const BATCH: usize = 16;
const RATE: f64 = 2e-3;
const SEED: u64 = 7;

model! {
    use tapeless::models::MobileNetV2;

    /// Two numbers for each of five points.
    pub model Keypoints = MobileNetV2(10, DROP = 0.0);

    /// One step of Adam on a batch.
    pub step Train(image: f32<dyn B, 3, dyn H, dyn W>, points: f32<B, 10>, lr: f32) {
        let net = Keypoints();
        let found = net(image).reshape([B, 5, 2]);
        let loss = mse(found, points.reshape([B, 5, 2]));
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
    }

    /// How far the points of a batch are from those that are found, on average.
    pub step Test(image: f32<dyn B, 3, dyn H, dyn W>, points: f32<B, 10>) {
        let net = Keypoints();
        let off = net(image).reshape([B, 5, 2]) - points.reshape([B, 5, 2]);
        metric(error = (off * off).sum(2).sqrt().mean());
    }
}

/// How much is trained on.
struct Extent {
    /// Rows and columns of a picture.
    size: usize,
    /// Pictures for training.
    train: usize,
    /// Pictures for testing.
    test: usize,
    epochs: usize,
}

fn main() -> Result<(), ExampleError> {
    let arguments = Arguments::read(&[("size", "PIXELS"), ("write-data", "FILE")])?;
    let size = arguments.number("size")?;
    let extent = match arguments.smoke {
        true => Extent { size: size.unwrap_or(32), train: 2 * BATCH, test: BATCH, epochs: 2 },
        false => Extent { size: size.unwrap_or(96), train: 60 * BATCH, test: 200, epochs: 25 },
    };
    let train = faces::draw(extent.train, extent.size, SEED)?;
    let test = faces::draw(extent.test, extent.size, SEED + 1)?;
    if let Some(file) = arguments.path("write-data") {
        faces::write(&file, extent.size, [("train", &train), ("test", &test)])?;
    }
    let device = Device::best()?;
    let mut net = Keypoints::new(&device, Seed(SEED))?;

    let start = Instant::now();
    fit(&device, &mut net, &train, &extent)?;
    let seconds = start.elapsed().as_secs_f64();
    let error = error(&device, &net, &test, extent.size)? * extent.size as f64;
    println!("{error:.2} of {} pixels off on average, on {} other faces", extent.size, test.len());
    println!("result error_px={error:.3} seconds={seconds:.1}");
    Ok(())
}

fn fit(device: &Device, net: &mut Keypoints, train: &Faces, extent: &Extent) -> Result<(), ExampleError> {
    let batches = train.batches(BATCH)?.shuffled(SEED).drop_last();
    let dims = Train::dims().b(BATCH).h(extent.size).w(extent.size);
    let mut step = Train::compile(device, dims, &Options::default())?;
    let schedule = Schedule::cosine(RATE, extent.epochs * batches.count(), 0.0);
    for epoch in 0..extent.epochs {
        let (start, mut loss) = (Instant::now(), RunningMean::new());
        for (number, batch) in batches.epoch(epoch as u64).enumerate() {
            // The rate is an input of the step, so nothing is compiled again.
            let rate = schedule.rate(epoch * batches.count() + number);
            let (pixels, points) = &batch.rows;
            loss.add(step.run(net, pixels, points, rate)?.loss, batch.len);
        }
        let (number, seconds) = (epoch + 1, start.elapsed().as_secs_f64());
        println!("epoch {number} of {}: {seconds:.1} s, loss {:.6}", extent.epochs, loss.mean());
    }
    Ok(())
}

/// How far points are from those that are found, on average, as a part of a picture's size.
fn error(device: &Device, net: &Keypoints, test: &Faces, size: usize) -> Result<f64, ExampleError> {
    let batches = test.batches(BATCH)?;
    let compile = |&count: &usize| Test::compile(device, Test::dims().b(count).h(size).w(size), &Options::default());
    let mut steps = batches.sizes().iter().map(compile).collect::<Result<Vec<_>, _>>()?;
    let mut error = RunningMean::new();
    for batch in batches.epoch(0) {
        let (pixels, points) = &batch.rows;
        error.add(steps[batch.kind].run(net, pixels, points)?.error, batch.len);
    }
    Ok(error.mean())
}
