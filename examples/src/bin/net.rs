//! The smallest network with a hidden layer: ten numbers in, one out, a hundred epochs of gradient descent.

use tapeless::{Device, Options, Seed, model};
use tapeless_examples::ExampleError;
use tapeless_examples::arguments::smoke;

const COUNT: usize = 32;
const INPUTS: usize = 10;

model! {
    /// 10, 20, 1.
    pub model Net(x: f32<N, 10>) -> f32<N, 1> {
        #[name("")]
        let layers = Seq(Linear(20), relu, Linear(1));
        layers(x)
    }

    /// One step over a batch.
    pub step Train(x: f32<dyn B, 10>, y: f32<B, 1>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }
}

fn main() -> Result<(), ExampleError> {
    let epochs = if smoke()? { 3 } else { 100 };
    let mut random = fastrand::Rng::with_seed(0);
    let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| 2.0 * random.f32() - 1.0).collect() };
    let x = numbers(COUNT * INPUTS);
    let y = numbers(COUNT);

    let device = Device::cpu();
    let mut net = Net::new(&device, Seed(0))?;
    let mut train = Train::compile(&device, Train::dims().b(COUNT), &Options::default())?;
    let (mut first, mut last) = (None, 0.0);
    for epoch in 1..=epochs {
        last = train.run(&mut net, &x, &y, 0.01)?.loss;
        first.get_or_insert(last);
        if epoch % 10 == 0 || epoch == 1 {
            println!("epoch {epoch:3}: loss {last:.5}");
        }
    }
    println!("result first_loss={:.5} loss={last:.5}", first.unwrap_or(last));
    Ok(())
}
