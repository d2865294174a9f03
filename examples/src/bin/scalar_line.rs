//! A line through one point, by gradient descent: five steps with every number shown.
//!
//! w = 1, b = 0, x = 2, y = 4, learning rate 0.1, loss 0.5 * (w * x + b - y)^2.

use tapeless::{Device, Options, Seed, model};
use tapeless_examples::ExampleError;
use tapeless_examples::arguments::smoke;

model! {
    /// `w * x + b`
    pub model Line(x: f32) -> f32 {
        #[param]
        let w: f32 = ones();
        #[param]
        let b: f32 = zeros();
        w * x + b
    }

    /// One step of gradient descent.
    pub step Train(x: f32, y: f32, lr: f32) {
        let line = Line();
        let pred = line(x);
        let error = pred - y;
        let loss = 0.5 * error * error;
        minimize(loss, over = line, with = Sgd(lr));
        metric(loss, pred);
    }
}

fn main() -> Result<(), ExampleError> {
    // The run is a moment long, so that --smoke changes nothing.
    smoke()?;
    let device = Device::cpu();
    let mut line = Line::new(&device, Seed(0))?;
    let options = Options { keep_gradients: true, ..Options::default() };
    let mut train = Train::compile(&device, Train::dims(), &options)?;

    println!("step   w.grad   b.grad   prediction   loss      w      b");
    let mut last = 0.0;
    for step in 1..=5 {
        let out = train.run(&mut line, 2.0, 4.0, 0.1)?;
        let (pred, loss) = (out.pred, out.loss);
        let (dw, db) = (train.gradient("w")?[0], train.gradient("b")?[0]);
        let (w, b) = (line.get("w")?[0], line.get("b")?[0]);
        println!("{step:4} {dw:8.4} {db:8.4} {pred:12.2} {loss:6.2} {w:6.2} {b:6.2}");
        last = loss;
    }
    println!("result loss={last:.4} w={:.4} b={:.4}", line.get("w")?[0], line.get("b")?[0]);
    Ok(())
}
