//! One training step of ResNet-18 on an image of 64 x 64: forward, loss, backward and update as one program.
//!
//! `cargo run --release --bin resnet18_step -- --weights FILE`, where FILE is a state dict of torchvision's resnet18 in
//! `.safetensors`, `.pth` or `.pt`; without it the parameters begin as PyTorch's would.

use std::time::Instant;
use tapeless::models::ResNet18;
use tapeless::{Device, Error, Options, Seed, model};
use tapeless_examples::ExampleError;
use tapeless_examples::arguments::Arguments;

const PIXELS: usize = 3 * 64 * 64;
const CLASSES: usize = 1000;
const RATE: f32 = 1e-2;

model! {
    use tapeless::models::ResNet18;

    /// One step of gradient descent with momentum.
    pub step Train(image: f32<1, 3, 64, 64>, labels: f32<1, 1000>, lr: f32) {
        let net = ResNet18();
        let loss = (net(image) - labels).sum();
        minimize(loss, over = net, with = Sgd(lr, momentum = 0.9));
        metric(loss);
    }
}

fn main() -> Result<(), ExampleError> {
    let arguments = Arguments::read(&[("weights", "FILE")])?;
    let device = Device::best()?;
    let mut net = ResNet18::new(&device, Seed(0))?;
    if let Some(weights) = arguments.path("weights") {
        net.load(weights)?;
    }
    let mut random = fastrand::Rng::with_seed(0);
    let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| random.f32()).collect() };
    let (image, labels) = (numbers(PIXELS), numbers(CLASSES));

    let start = Instant::now();
    let options = Options { keep_gradients: true, ..Options::default() };
    let mut train = Train::compile(&device, Train::dims(), &options)?;
    println!("compiled for {device} in {:.0} ms", 1e3 * start.elapsed().as_secs_f64());
    let loss = train.run(&mut net, &image, &labels, RATE)?.loss;
    println!("loss {loss}");
    let mut all = 0.0;
    for parameter in net.parameters().into_iter().filter(|parameter| !parameter.state) {
        let norm = norm(&train.gradient(&parameter.key)?);
        println!("gradient of {}: {norm:.6}", parameter.key);
        all += norm * norm;
    }
    let runs = if arguments.smoke { 1 } else { 20 };
    let milliseconds = fastest(&device, &mut net, (&image, &labels), runs)?;
    println!("result loss={loss} gradient_norm={:.6} step_ms={milliseconds:.2}", all.sqrt());
    Ok(())
}

fn norm(gradient: &[f32]) -> f64 {
    gradient.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}

/// How long the step takes without keeping gradients, at least, in milliseconds.
fn fastest(device: &Device, net: &mut ResNet18, (image, labels): (&[f32], &[f32]), runs: usize) -> Result<f64, Error> {
    let mut train = Train::compile(device, Train::dims(), &Options::default())?;
    let mut least = f64::INFINITY;
    for _ in 0..=runs {
        let start = Instant::now();
        train.run(net, image, labels, 0.0)?;
        least = least.min(1e3 * start.elapsed().as_secs_f64());
    }
    Ok(least)
}
