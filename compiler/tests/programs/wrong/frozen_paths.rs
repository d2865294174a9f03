//! A path of keys is a prefix, not a layer; a tensor of a model is not assigned in a step.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let layers = [Linear(16), Linear(16)];
        let mut y = x;
        for layer in layers {
            y = layer(y);
        }
        y
    }

    pub step Apply(x: f32<dyn B, 16>) -> f32<B, 16> {
        let net = Net();
        net.layers.0.bias = 2.0 * net.layers.0.bias;
        net.layers.0(x)
    }

    pub step Train(x: f32<dyn B, 16>, lr: f32) {
        let net = Net();
        let loss = net(x).sum();
        minimize(loss, over = [net.layers.0, net.layers.2], with = Sgd(lr));
        metric(loss);
    }
}

fn main() {}

// error: `net.layers.0.bias` is not assigned here
//          minimize changes parameters, and a state is assigned by its name in the block that has it
//   --> wrong/frozen_paths.rs:17:9
// error: a path of keys is no layer and cannot be applied
//   --> wrong/frozen_paths.rs:18:21
// error: `net.layers` has no layer or parameter `2`
//          net.layers has 0, 1
//   --> wrong/frozen_paths.rs:24:57
