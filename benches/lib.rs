//! The models that the benches train, and batches for them.

pub mod turns;

use tapeless::{Device, Options, model};

model! {
    /// 10, 20, 1 with mean squared error: a step whose arithmetic is next to nothing.
    pub model Tiny(x: f32<N, 10>) -> f32<N, 1> {
        let fc1 = Linear(20);
        let fc2 = Linear(1);
        x.fc1().relu().fc2()
    }

    /// One step of gradient descent.
    pub step TrainTiny(x: f32<dyn B, 10>, y: f32<B, 1>, lr: f32) {
        let net = Tiny();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }

    /// 784, 512, 256, 10 with cross-entropy: a step that is matrix products.
    pub model Mlp(x: f32<N, 784>) -> f32<N, 10> {
        let fc1 = Linear(512);
        let fc2 = Linear(256);
        let fc3 = Linear(10);
        x.fc1().relu().fc2().relu().fc3()
    }

    /// One step of Adam.
    pub step TrainMlp(x: f32<dyn B, 784>, y: u32<B>, lr: f32) {
        let net = Mlp();
        let loss = cross_entropy(net(x), y);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
    }

    /// Two gates and a layer norm of their product: a step that is memory traffic.
    pub model Chain(x: f32<N, 1024>) -> f32<N, 1024> {
        #[param]
        let w1: f32<1024> = uniform(-1.0, 1.0);
        #[param]
        let b1: f32<1024> = zeros();
        #[param]
        let w2: f32<1024> = uniform(-1.0, 1.0);
        #[param]
        let b2: f32<1024> = zeros();
        #[param]
        let g: f32<1024> = ones();
        #[param]
        let b: f32<1024> = zeros();
        let y = tanh(x * w1 + b1) * sigmoid(x * w2 + b2);
        layer_norm(y, [1024], g, b)
    }

    /// One step of gradient descent.
    pub step TrainChain(x: f32<dyn B, 1024>, y: f32<B, 1024>, lr: f32) {
        let net = Chain();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }

    /// One linear layer with bias and ReLU.
    pub model Layer(x: f32<N, 784>) -> f32<N, 512> {
        let fc = Linear(512);
        x.fc().relu()
    }

    /// The layer on a batch.
    pub step ApplyLayer(x: f32<dyn B, 784>) -> f32<B, 512> {
        let net = Layer();
        net(x)
    }

    /// The product of two matrices.
    pub step Product(a: f32<dyn I, dyn K>, b: f32<K, dyn J>) -> f32<I, J> {
        a.matmul(b)
    }
}

/// The processor.
pub fn device() -> Device {
    Device::cpu()
}

/// As many threads as the environment variable `THREADS` says, else one, and vectors of at most as many lanes as `LANES` says.
pub fn options() -> Options {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    Options { threads: number("THREADS").unwrap_or(1), lanes: number("LANES").unwrap_or(0), ..Options::default() }
}

/// Numbers between -1 and 1 that look random and are always the same.
pub fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 7919 % 2003) as f32 / 1001.5 - 1.0).collect()
}

/// Class ids below a bound.
pub fn classes(count: usize, bound: u32) -> Vec<u32> {
    (0..count as u32).map(|i| i * 7 % bound).collect()
}
