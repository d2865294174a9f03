//! Fits y = 2x + 1 to four points, and does the same by hand beside it.

use tapeless::{Device, Options, Seed, model};
use tapeless_examples::ExampleError;
use tapeless_examples::arguments::smoke;

const X: [f32; 4] = [1.0, 2.0, 3.0, 4.0];
const Y: [f32; 4] = [3.0, 5.0, 7.0, 9.0];
const RATE: f32 = 0.01;
const EPOCHS: usize = 20;

model! {
    /// A line that begins flat.
    pub model Fit(x: f32<N>) -> f32<N> {
        #[param]
        let w: f32 = zeros();
        #[param]
        let b: f32 = zeros();
        w * x + b
    }

    /// One step over all points.
    pub step Train(x: f32<dyn B>, y: f32<B>, lr: f32) {
        let fit = Fit();
        let loss = mse(fit(x), y);
        minimize(loss, over = fit, with = Sgd(lr));
        metric(loss);
    }
}

/// One step by hand: the loss before it, and the line after it.
fn step_by_hand(w: f32, b: f32) -> (f32, f32, f32) {
    let count = X.len() as f32;
    let errors = X.iter().zip(&Y).map(|(x, y)| (x, w * x + b - y));
    let (mut loss, mut dw, mut db) = (0.0, 0.0, 0.0);
    for (x, error) in errors {
        loss += error * error / count;
        dw += 2.0 * error * x / count;
        db += 2.0 * error / count;
    }
    (loss, w - RATE * dw, b - RATE * db)
}

fn main() -> Result<(), ExampleError> {
    // The run is a moment long, so that --smoke changes nothing.
    smoke()?;
    let device = Device::cpu();
    let mut fit = Fit::new(&device, Seed(0))?;
    let mut train = Train::compile(&device, Train::dims().b(X.len()), &Options::default())?;
    let (mut w, mut b, mut widest) = (0.0, 0.0, 0.0f32);

    println!("epoch |     loss        w        b | by hand:  loss        w        b");
    for epoch in 1..=EPOCHS {
        let loss = train.run(&mut fit, &X, &Y, RATE)?.loss;
        let (loss_by_hand, next_w, next_b) = step_by_hand(w, b);
        (w, b) = (next_w, next_b);
        let (fit_w, fit_b) = (fit.get("w")?[0], fit.get("b")?[0]);
        widest = widest.max((fit_w - w).abs()).max((fit_b - b).abs());
        if epoch % 2 == 0 {
            println!("{epoch:5} | {loss:8.4} {fit_w:8.4} {fit_b:8.4} | {loss_by_hand:14.4} {w:8.4} {b:8.4}");
        }
    }
    let (fit_w, fit_b) = (fit.get("w")?[0], fit.get("b")?[0]);
    println!("result w={fit_w:.4} b={fit_b:.4} difference={widest:.1e}");
    Ok(())
}
