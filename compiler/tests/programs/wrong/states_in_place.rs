//! A state of a wrong type inside of a block of a chain, and a state that minimize is asked to train.

use tapeless::model;

model! {
    block Running<const KEEP: f32 = 0.9>(x: f32<N, C>) -> f32<N, C> {
        #[state]
        let mean: f32<C> = zeros();
        mean = KEEP * mean + (1.0 - KEEP) * x.mean(0, keepdim = true);
        x - mean
    }

    pub model Net(x: f32<N, 8>) -> f32<N, 8> {
        let chain = Seq(Linear(8), Running());
        chain(x)
    }

    pub model Counted(x: f32<N, 8>) -> f32<N, 8> {
        #[state]
        let offset: f32<8> = zeros();
        #[param]
        let w: f32<8> = ones();
        x * w + offset
    }

    pub step Train(x: f32<dyn B, 8>, y: f32<B, 8>, lr: f32) {
        let net = Counted();
        let loss = mse(net(x), y);
        minimize(loss, over = net.offset, with = Sgd(lr));
        metric(loss);
    }
}

fn main() {}

// error: `mean` is a state of f32<8>, the value is f32<1, 8>
//          `chain.1` is made at wrong/states_in_place.rs:14:36
//          the state is declared at wrong/states_in_place.rs:8:13
//   --> wrong/states_in_place.rs:9:14
// error: minimize: `over` is a model, a layer of it or a list of them, not a state, which assignments change
//   --> wrong/states_in_place.rs:29:31
