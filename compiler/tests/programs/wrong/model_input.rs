//! A step gives a model another width than its signature takes.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc = Linear(4);
        x.fc()
    }

    pub step Predict(x: f32<dyn B, 20>) -> f32<B, 4> {
        let net = Net();
        net(x)
    }
}

fn main() {}

// error: net: `x` takes f32<N, 16>, x is f32<B, 20>
//          the signature is at wrong/model_input.rs:6:22
//          x is made at wrong/model_input.rs:11:22
//   --> wrong/model_input.rs:13:13
