//! One small network under every option of `minimize` at once: a schedule, accumulation, clipping, groups, a moving average
//! and several optimizers over one model, each with slots of its own.

use std::f32::consts::PI;
use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Small(x: f32<N, 8>) -> f32<N, 4> {
        #[name("")]
        let layers = Seq(Linear(16), Tanh(), Linear(4));
        layers(x)
    }

    pub step TrainPlain(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }

    pub step TrainMixed(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) {
        let net = Small();
        let loss = huber(net(x), y, delta = 0.5) + 1e-4 * net.0.weight.pow(2).sum();
        minimize(
            loss,
            over = net,
            with = AdamW(lr, weight_decay = 0.01),
            accumulate = 4,
            clip_norm = 1.0,
            ema = 0.999,
            groups = [("*.bias", weight_decay = 0.0), ("2.*", lr = 0.1 * lr)],
        );
        metric(loss);
    }

    pub step Test(x: f32<dyn B, 8>, y: f32<B, 4>) {
        let net = Small();
        metric(loss = mse(net(x), y));
    }
}

const UPDATES: usize = 30;

fn cosine(step: usize, high: f32, low: f32) -> f32 {
    low + 0.5 * (high - low) * (1.0 + (PI * step as f32 / UPDATES as f32).cos())
}

fn inputs() -> (Vec<f32>, Vec<f32>) {
    let x = (0..12 * 8).map(|i| (i * 19 % 31) as f32 / 15.5 - 1.0).collect();
    (x, (0..12 * 4).map(|i| (i * 7 % 13) as f32 / 6.5 - 1.0).collect())
}

#[test]
fn a_schedule_is_an_input() -> Result<(), Error> {
    let (device, (x, y)) = (Device::cpu(), inputs());
    let mut net = Small::new(&device, Seed(0))?;
    let keys: Vec<String> = net.parameters().iter().map(|p| format!("{} {:?}", p.key, p.shape)).collect();
    assert_eq!(keys, ["0.weight [16, 8]", "0.bias [16]", "2.weight [4, 16]", "2.bias [4]"]);
    let mut plain = TrainPlain::compile(&device, TrainPlain::dims().b(12), &Options::default())?;
    let mut last = f32::INFINITY;
    for step in 0..UPDATES {
        let loss = plain.run(&mut net, &x, &y, cosine(step, 0.05, 0.001))?.loss;
        assert!(loss < last, "step {step}: {loss} after {last}");
        last = loss;
    }
    Ok(())
}

#[test]
fn all_options_go_together() -> Result<(), Error> {
    let (device, (x, y)) = (Device::cpu(), inputs());
    let mut net = Small::new(&device, Seed(0))?;
    let mut mixed = TrainMixed::compile(&device, TrainMixed::dims().b(3), &Options::default())?;
    let mut test = Test::compile(&device, Test::dims().b(12), &Options::default())?;
    let first = test.run(&net, &x, &y)?.loss;
    let mut expected: Vec<f64> = Vec::new();
    for step in 0..UPDATES {
        let rate = cosine(step, 0.01, 0.0);
        let before = [net.get("0.weight")?.to_vec(), net.get("2.weight")?.to_vec()];
        for (run, (x, y)) in x.chunks(3 * 8).zip(y.chunks(3 * 4)).enumerate() {
            mixed.run(&mut net, x, y, rate)?;
            assert_eq!(net.get("0.weight")?.to_vec() == before[0], run < 3, "update {step}, run {run}");
        }
        // A step of Adam is hardly ever longer than the rate, which is a tenth for the second layer.
        for (key, before, most) in [("0.weight", &before[0], rate), ("2.weight", &before[1], 0.1 * rate)] {
            let after = net.get(key)?;
            let change = after.iter().zip(before).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(change > 0.1 * most && change < 1.5 * most, "update {step}, {key}: {change} at most {most}");
        }
        let weight: Vec<f64> = net.get("0.weight")?.iter().map(|&x| f64::from(x)).collect();
        expected = match step {
            0 => weight,
            _ => expected.iter().zip(weight).map(|(average, x)| 0.999 * average + 0.001 * x).collect(),
        };
    }
    let averaged = net.averaged("TrainMixed")?;
    let (last, average) = (test.run(&net, &x, &y)?.loss, test.run(&averaged, &x, &y)?.loss);
    assert!(last < average && average < first, "{first}, {average}, {last}");
    let far = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() > 1e-6;
    assert!(
        !averaged.get("0.weight")?.iter().zip(&expected).any(far),
        "{:?}, not {expected:?}",
        averaged.get("0.weight")?
    );
    assert!(matches!(net.averaged("TrainPlain"), Err(Error::NotAveraged { .. })));
    Ok(())
}
