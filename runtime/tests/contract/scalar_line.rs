//! The program `scalar_line` of the corpus. A line through one point.

use crate::assert_recorded;
use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Line(x: f32) -> f32 {
        #[param]
        let w: f32 = ones();
        #[param]
        let b: f32 = zeros();
        w * x + b
    }

    pub step TrainLine(x: f32, y: f32, lr: f32) {
        let line = Line();
        let pred = line(x);
        let error = pred - y;
        let loss = 0.5 * error * error;
        minimize(loss, over = line, with = Sgd(lr));
        metric(loss, pred);
    }

    pub step PredictLine(x: f32) -> f32 {
        let line = Line();
        line(x)
    }
}

#[test]
fn losses_are_the_recorded_ones() -> Result<(), Error> {
    let device = Device::cpu();
    let mut line = Line::new(&device, Seed(0))?;
    line.set("w", &[0.0735371])?;
    line.set("b", &[0.017591512])?;
    let mut train = TrainLine::compile(&device, TrainLine::dims(), &Options::default())?;
    let mut losses = Vec::new();
    for _ in 0..5 {
        losses.push(train.run(&mut line, 2.0, 4.0, 0.1)?.loss);
    }
    assert_recorded(&losses, &[7.354895, 1.838724, 0.459681, 0.114920, 0.028730]);
    let mut predict = PredictLine::compile(&device, PredictLine::dims(), &Options::default())?;
    let (w, b) = (line.get("w")?.to_vec()[0], line.get("b")?.to_vec()[0]);
    let predicted = predict.run(&line, 3.0)?.output;
    assert!((predicted - (3.0 * w + b)).abs() < 1e-6, "{predicted}");
    Ok(())
}
