//! Steps on several threads: the same bits as on one, however the work is split and whoever else uses the device.

use tapeless::{Device, Error, Options, Seed, model};

model! {
    /// Products, a row-wise loss and an optimizer with slots, all large enough to be spread.
    pub model Mlp(x: f32<N, 200>) -> f32<N, 10> {
        let fc1 = Linear(256);
        let norm = LayerNorm([256]);
        let fc2 = Linear(136);
        let fc3 = Linear(10);
        x.fc1().norm().gelu().fc2().relu().fc3()
    }

    pub step Train(x: f32<dyn B, 200>, y: u32<B>, lr: f32) -> f32<B, 10> {
        let net = Mlp();
        let logits = net(x);
        let loss = cross_entropy(logits, y);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
        logits
    }

    /// Elementwise, with sums along the rows and across them.
    pub model Chain(x: f32<N, 100>) -> f32<N, 100> {
        #[param]
        let w: f32<100> = uniform(-1.0, 1.0);
        #[param]
        let b: f32<100> = uniform(-1.0, 1.0);
        let norm = LayerNorm([100]);
        (tanh(x * w) * sigmoid(x + b)).norm()
    }

    pub step TrainChain(x: f32<dyn B, 100>, y: f32<B, 100>) -> f32<B, 100> {
        let net = Chain();
        let out = net(x);
        let loss = mse(out, y);
        minimize(loss, over = net, with = Sgd(0.1));
        metric(loss);
        out
    }
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 7919 % 2003) as f32 / 1001.5 - 1.0).collect()
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// The bits of all that some steps leave behind.
fn mlp(device: &Device, threads: usize, batch: usize, steps: usize) -> Result<Vec<Vec<u32>>, Error> {
    let options = Options { threads, ..Options::default() };
    let mut net = Mlp::new(device, Seed(3))?;
    let mut step = Train::compile(device, Train::dims().b(batch), &options)?;
    let (x, y): (_, Vec<u32>) = (numbers(batch * 200), (0..batch as u32).map(|i| i % 10).collect());
    let mut left = Vec::new();
    for _ in 0..steps {
        let out = step.run(&mut net, &x, &y, 1e-3)?;
        left.push(bits(&out.output));
        left.push(bits(&[out.loss]));
    }
    for parameter in ["fc1.weight", "fc1.bias", "norm.weight", "norm.bias", "fc2.weight", "fc3.weight"] {
        left.push(bits(&net.get(parameter)?));
    }
    Ok(left)
}

fn chain(device: &Device, threads: usize, batch: usize) -> Result<Vec<Vec<u32>>, Error> {
    let options = Options { threads, ..Options::default() };
    let mut net = Chain::new(device, Seed(3))?;
    let mut step = TrainChain::compile(device, TrainChain::dims().b(batch), &options)?;
    let (x, y) = (numbers(batch * 100), numbers(batch * 100 + 7)[7..].to_vec());
    let mut left = Vec::new();
    for _ in 0..3 {
        let out = step.run(&mut net, &x, &y)?;
        left.push(bits(&out.output));
        left.push(bits(&[out.loss]));
    }
    for parameter in ["w", "b", "norm.weight", "norm.bias"] {
        left.push(bits(&net.get(parameter)?));
    }
    Ok(left)
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() -> Result<(), Error> {
    let device = Device::cpu();
    for batch in [64, 61] {
        let expected = mlp(&device, 1, batch, 3)?;
        for threads in [2, 3, 5] {
            assert_eq!(mlp(&device, threads, batch, 3)?, expected, "mlp of {batch} on {threads} threads");
        }
    }
    for batch in [1024, 1021] {
        let expected = chain(&device, 1, batch)?;
        for threads in [2, 3, 5] {
            assert_eq!(chain(&device, threads, batch)?, expected, "chain of {batch} on {threads} threads");
        }
    }
    Ok(())
}

#[test]
fn runs_do_not_differ() -> Result<(), Error> {
    let device = Device::cpu();
    let expected = mlp(&device, 2, 64, 2)?;
    for _ in 0..10 {
        assert_eq!(mlp(&device, 2, 64, 2)?, expected);
    }
    Ok(())
}

#[test]
fn steps_of_several_threads_share_a_device() -> Result<(), Error> {
    let device = Device::cpu();
    let expected = mlp(&device, 1, 64, 5)?;
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| mlp(&device, 2, 64, 5))).collect();
        for run in runs {
            assert_eq!(run.join().expect("no thread panics")?, expected);
        }
        Ok(())
    })
}

#[test]
fn the_steps_here_are_spread() -> Result<(), Error> {
    let step = Train::compile(&Device::cpu(), Train::dims().b(64), &Options::default())?;
    assert!(step.is_spread());
    let step = TrainChain::compile(&Device::cpu(), TrainChain::dims().b(1021), &Options::default())?;
    assert!(step.is_spread());
    Ok(())
}

#[test]
fn fewer_lanes_can_be_asked_for() -> Result<(), Error> {
    let device = Device::cpu();
    let left = |lanes: usize| {
        let options = Options { lanes, ..Options::default() };
        let mut net = Chain::new(&device, Seed(3))?;
        let mut step = TrainChain::compile(&device, TrainChain::dims().b(9), &options)?;
        let out = step.run(&mut net, &numbers(900), &numbers(900))?;
        Ok::<_, Error>((bits(&out.output), out.loss))
    };
    let narrow = Device::cpu_with_lanes(4);
    let mut net = Chain::new(&narrow, Seed(3))?;
    let mut step = TrainChain::compile(&narrow, TrainChain::dims().b(9), &Options::default())?;
    let out = step.run(&mut net, &numbers(900), &numbers(900))?;
    let expected = (bits(&out.output), out.loss);
    assert_eq!(left(4)?, expected);
    let difference = (left(0)?.1 - expected.1).abs();
    assert!(difference < 1e-6, "eight lanes differ by {difference}");
    Ok(())
}
