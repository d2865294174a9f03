//! The program `fan_out` of the corpus. One parameter on two paths.

use crate::assert_recorded;
use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model FanOut(x: f32, y: f32) -> f32 {
        #[param]
        let w: f32 = ones();
        #[param]
        let b: f32 = zeros();
        let first = w * x;
        let second = w * y;
        first + second
    }

    pub step TrainFanOut(x: f32, y: f32, lr: f32) {
        let net = FanOut();
        let sum = net(x, y);
        let loss = sum.tanh().pow(2) + 0 * net.b;
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss, sum);
    }
}

#[test]
fn gradients_of_both_paths_add_up() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = FanOut::new(&device, Seed(0))?;
    net.set("w", &[0.0735371])?;
    net.set("b", &[0.017591512])?;
    let options = Options { keep_gradients: true, ..Options::default() };
    let mut train = TrainFanOut::compile(&device, TrainFanOut::dims(), &options)?;
    let mut losses = Vec::new();
    for run in 0..3 {
        losses.push(train.run(&mut net, 2.0, 4.0, 0.1)?.loss);
        if run == 0 {
            assert!((train.gradient("w")?.to_vec()[0] - 4.12033).abs() < 1e-4);
        }
        assert_eq!(train.gradient("b")?.to_vec(), [0.0]);
    }
    assert_recorded(&losses, &[0.171941, 0.933450, 0.840361]);
    Ok(())
}
