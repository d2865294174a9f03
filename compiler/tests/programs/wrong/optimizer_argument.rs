//! An argument that the optimizer does not take, one of the wrong kind, and one out of range.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc = Linear(4);
        x.fc()
    }

    pub step TrainA(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr, moment = 0.9));
    }

    pub step TrainB(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Adam(lr, betas = 0.9));
    }

    pub step TrainC(x: f32<dyn B, 16>, y: f32<B, 4>) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(0.1, momentum = -0.9));
    }
}

fn main() {}

// error: Sgd has no argument `moment`; the nearest: momentum
//          Sgd(lr = 0.001, momentum = 0, dampening = 0, weight_decay = 0, nesterov = false, maximize = false)
//   --> wrong/optimizer_argument.rs:14:51
// error: Adam: betas is 0.9, but takes a pair of numbers from 0 up to 1
//          Adam(lr = 0.001, betas = (0.9, 0.999), eps = 1e-8, weight_decay = 0, amsgrad = false, maximize = false, decoupled_weight_decay = false)
//   --> wrong/optimizer_argument.rs:20:43
// error: Sgd: momentum is -0.9, but takes a number that is not negative or a float scalar
//          Sgd(lr = 0.001, momentum = 0, dampening = 0, weight_decay = 0, nesterov = false, maximize = false)
//   --> wrong/optimizer_argument.rs:26:43
