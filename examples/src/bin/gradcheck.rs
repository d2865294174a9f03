//! Backpropagation beside what it replaces: each derivative of the loss by two more runs, with a parameter a little larger and
//! a little smaller. Both give the same gradients; one takes a run, the other two for every number that is looked at.

use std::time::Instant;
use tapeless::{Device, Options, Seed, model};
use tapeless_examples::ExampleError;
use tapeless_examples::arguments::smoke;

/// How many numbers of each parameter `check_gradients` looks at.
const LOOKED_AT: usize = 24;
const COUNT: usize = 8;
const EDGE: usize = 8;

model! {
    /// A convolution with pooling and two linear layers.
    pub model Net(image: f32<N, 1, 8, 8>) -> f32<N, 4> {
        let conv = Conv2d(6, 3, padding = 1);
        let fc1 = Linear(16);
        let fc2 = Linear(4);
        image.conv().tanh().max_pool2d(2).flatten(1).fc1().tanh().fc2()
    }

    /// One step over a batch.
    pub step Train(image: f32<dyn B, 1, 8, 8>, label: u32<B>, lr: f32) {
        let net = Net();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }
}

fn main() -> Result<(), ExampleError> {
    let runs = if smoke()? { 10 } else { 1000 };
    let mut random = fastrand::Rng::with_seed(0);
    let image: Vec<f32> = (0..COUNT * EDGE * EDGE).map(|_| 2.0 * random.f32() - 1.0).collect();
    let label: Vec<u32> = (0..COUNT as u32).map(|at| at % 4).collect();
    let device = Device::cpu();
    let mut net = Net::new(&device, Seed(0))?;
    let mut train = Train::compile(&device, Train::dims().b(COUNT), &Options::default())?;

    let start = Instant::now();
    let errors = train.check_gradients(&net, &image, &label, 0.0)?;
    let by_differences = start.elapsed().as_secs_f64();
    let mut numbers = 0;
    let mut worst: f64 = 0.0;
    for (key, error) in &errors {
        let count = net.get(key)?.len();
        println!("{key}: {} of {count} derivatives, relative error at most {error:.1e}", count.min(LOOKED_AT));
        numbers += count.min(LOOKED_AT);
        worst = worst.max(*error);
    }
    let start = Instant::now();
    for _ in 0..runs {
        train.run(&mut net, &image, &label, 0.0)?;
    }
    let by_backpropagation = start.elapsed().as_secs_f64() / f64::from(runs);
    println!("by differences, for {numbers} numbers: {:.1} ms", 1e3 * by_differences);
    println!("by backpropagation, for all of them and with the update: {:.3} ms", 1e3 * by_backpropagation);
    println!("result error={worst:.1e} times={:.0}", by_differences / by_backpropagation);
    Ok(())
}
