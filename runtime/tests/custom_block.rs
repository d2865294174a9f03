//! Blocks written by hand, used from another `model!` of the same crate: their keys, their states, and two applications of one
//! of them in a step.

use tapeless::{DType, Device, Error, Options, Seed, model};

mod layers {
    use tapeless::model;

    model! {
        pub block Dense<const O: usize>(x: f32<N, I>) -> f32<N, O> {
            #[param]
            let weight: f32<O, I> = kaiming_uniform();
            #[param]
            let bias: f32<O> = uniform(-0.1, 0.1);
            x.matmul(weight.t()) + bias
        }

        pub block Center<const MOMENTUM: f32 = 0.1>(x: f32<N, C>) -> f32<N, C> {
            #[state]
            let mean: f32<C> = zeros();
            let centre = if training { x.mean(0) } else { mean };
            mean = (1.0 - MOMENTUM) * mean + MOMENTUM * x.mean(0);
            x - centre
        }

        pub block Count(x: f32<N, C>) {
            #[state]
            let seen: u32 = zeros();
            seen = seen + 1;
            x
        }

        pub block Scale(x: f32<N, C>) -> _ {
            #[param]
            let gain: f32<C> = ones();
            #[param]
            let shift: f32<C> = constant(0.5);
            x * gain + shift
        }
    }
}

model! {
    use crate::layers::{Center, Count, Dense, Scale};

    block Gate(x: f32<N, C>) -> f32<N, C> {
        let scale = Scale();
        let dense = Dense(C);
        x * x.dense().scale().sigmoid()
    }

    pub model Custom(x: f32<N, 16>) -> f32<N, 4> {
        let center = Center(MOMENTUM = 0.5);
        let dense1 = Dense(32);
        let gate = Gate();
        let dense2 = Dense(4);
        let count = Count();
        x.center().dense1().tanh().gate().dense2().count()
    }

    pub step TrainCustom(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Custom();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
    }

    pub step TrainTwice(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Custom();
        let loss = mse(net(x), y) + mse(net(-x), -y);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
    }

    pub step ApplyCustom(x: f32<dyn B, 16>) -> f32<B, 4> {
        let net = Custom();
        net(x)
    }
}

fn inputs() -> (Vec<f32>, Vec<f32>) {
    let x = (0..8 * 16).map(|i| (i * 11 % 23) as f32 / 23.0).collect();
    (x, (0..8 * 4).map(|i| (i * 5 % 7) as f32 / 7.0).collect())
}

/// The mean of the column of the inputs.
fn means(x: &[f32]) -> Vec<f32> {
    (0..16).map(|column| x.iter().skip(column).step_by(16).sum::<f32>() / 8.0).collect()
}

fn close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }
}

#[test]
fn keys_are_paths_and_states_are_listed() -> Result<(), Error> {
    let net = Custom::new(&Device::cpu(), Seed(0))?;
    let listed: Vec<_> = net.parameters().into_iter().map(|p| (p.key, p.dtype, p.shape, p.state)).collect();
    let f32 = |key: &str, shape: &[usize], state| (key.to_string(), DType::F32, shape.to_vec(), state);
    let expected = [
        f32("center.mean", &[16], true),
        f32("dense1.weight", &[32, 16], false),
        f32("dense1.bias", &[32], false),
        f32("gate.scale.gain", &[32], false),
        f32("gate.scale.shift", &[32], false),
        f32("gate.dense.weight", &[32, 32], false),
        f32("gate.dense.bias", &[32], false),
        f32("dense2.weight", &[4, 32], false),
        f32("dense2.bias", &[4], false),
        ("count.seen".into(), DType::U32, vec![], true),
    ];
    assert_eq!(listed, expected);
    assert_eq!(net.get("gate.scale.shift")?.to_vec(), [0.5; 32]);
    assert!(net.get("dense1.bias")?.iter().all(|x| x.abs() <= 0.1));
    Ok(())
}

#[test]
fn states_chain_through_the_applications_of_a_step() -> Result<(), Error> {
    let (device, (x, y)) = (Device::cpu(), inputs());
    let mut net = Custom::new(&device, Seed(0))?;
    let mut train = TrainCustom::compile(&device, TrainCustom::dims().b(8), &Options::default())?;
    let first = train.run(&mut net, &x, &y, 0.01)?.loss;
    let half: Vec<f32> = means(&x).iter().map(|mean| 0.5 * mean).collect();
    close(&net.get("center.mean")?, &half);
    for _ in 1..10 {
        train.run(&mut net, &x, &y, 0.01)?;
    }
    assert!(train.run(&mut net, &x, &y, 0.0)?.loss < 0.9 * first);
    assert_eq!(net.get("count.seen")?.to_vec(), [11.0]);

    // The second application goes on from the first one's mean: 0.25 m + 0.5 x - 0.5 x.
    let before = net.get("center.mean")?.to_vec();
    let mut twice = TrainTwice::compile(&device, TrainTwice::dims().b(8), &Options::default())?;
    twice.run(&mut net, &x, &y, 0.01)?;
    let expected: Vec<f32> = before.iter().zip(means(&x)).map(|(old, x)| 0.25 * old + 0.25 * x - 0.5 * x).collect();
    close(&net.get("center.mean")?, &expected);
    assert_eq!(net.get("count.seen")?.to_vec(), [13.0]);

    let mut apply = ApplyCustom::compile(&device, ApplyCustom::dims().b(8), &Options::default())?;
    assert_eq!(apply.run(&net, &x)?.output.shape(), [8, 4]);
    assert_eq!((net.get("count.seen")?.to_vec(), net.get("center.mean")?.to_vec()), (vec![13.0], expected));
    Ok(())
}
