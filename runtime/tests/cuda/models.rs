//! What the tests train.

use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Net(x: f32<N, 6>) -> f32<N, 3> {
        let fc1 = Linear(10);
        let fc2 = Linear(3);
        x.fc1().relu().fc2()
    }

    pub step Train(x: f32<dyn B, 6>, y: f32<B, 3>, lr: f32) -> f32<B, 3> {
        let net = Net();
        let output = net(x);
        let loss = mse(output, y);
        minimize(loss, over = net, with = Adam(lr), ema = 0.5);
        metric(loss, close = (output - y).abs().lt(0.5).sum());
        output
    }

    pub model Noisy(x: f32<N, 6>) -> f32<N, 3> {
        let fc1 = Linear(16);
        let bn1 = BatchNorm1d();
        let drop = Dropout(0.5);
        let fc2 = Linear(3);
        x.fc1().bn1().relu().drop().fc2()
    }

    pub step TrainNoisy(x: f32<dyn B, 6>, y: f32<B, 3>, lr: f32) {
        let net = Noisy();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr, momentum = 0.9), clip_norm = 1.0);
        metric(loss);
    }

    pub model Wide(x: f32<N, 40>) -> f32<N, 36> {
        let fc1 = Linear(64);
        let fc2 = Linear(36);
        x.fc1().relu().fc2()
    }

    pub step TrainWide(x: f32<dyn B, 40>, y: f32<B, 36>, lr: f32) {
        let net = Wide();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = AdamW(lr));
        metric(loss);
    }

    pub step Masked(x: f32<dyn B, 6>, keep: bool<B, 6>, rows: u32<4>) -> f32<4, 6> {
        let kept = select(keep, x, x * 0.5);
        kept.index_select(0, rows)
    }
}

/// The batch of the tests.
pub const BATCH: usize = 5;

/// Inputs and targets of a batch.
pub fn batch(number: usize) -> (Vec<f32>, Vec<f32>) {
    let value = |at: usize| ((at * 7919 + number * 104_729) % 2003) as f32 / 1001.5 - 1.0;
    ((0..BATCH * 6).map(value).collect(), (0..BATCH * 3).map(|at| value(at + 500)).collect())
}

/// A network and its step on a device.
pub fn network(device: &Device, options: &Options) -> Result<(Net, Train), Error> {
    Ok((Net::new(device, Seed(3))?, Train::compile(device, Train::dims().b(BATCH), options)?))
}

/// The losses of some runs.
pub fn train(net: &mut Net, step: &mut Train, runs: std::ops::Range<usize>) -> Result<Vec<f32>, Error> {
    runs.map(|run| {
        let (x, y) = batch(run);
        Ok(step.run(net, &x, &y, 0.01)?.loss)
    })
    .collect()
}

/// Fails if two lists of numbers are further apart than so much, relative to the largest of them.
pub fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance * largest, "element {at}: {found}, not {expected}");
    }
}
