//! Groups whose patterns match nothing, or whose arguments are not those of the optimizer.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc1 = Linear(8);
        let fc2 = Linear(4);
        x.fc1().relu().fc2()
    }

    pub step TrainA(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = [("*.bais", lr = 0.0), ("fc2.*", lr = 0.1 * lr)]);
    }

    pub step TrainB(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = [("conv*", lr = 0.0)]);
    }

    pub step TrainC(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = [("*.bias", decay = 0.0)]);
    }

    pub step TrainD(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = [("*.bias", nesterov = true)]);
    }

    pub step TrainE(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = [("*.bias", 0.0)]);
    }

    pub step TrainF(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = [(lr = 0.0), "*.bias"]);
    }

    pub step TrainG(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), groups = ("*.bias", lr = 0.0));
    }
}

fn main() {}

// error: minimize: no parameter matches `*.bais`
//          the nearest: fc2.bias, fc1.bias
//   --> wrong/minimize_groups.rs:15:62
// error: minimize: no parameter matches `conv*`
//          the keys are fc1.weight, fc1.bias, fc2.weight, fc2.bias
//   --> wrong/minimize_groups.rs:21:62
// error: Sgd has no argument `decay`
//          Sgd(lr = 0.001, momentum = 0, dampening = 0, weight_decay = 0, nesterov = false, maximize = false)
//   --> wrong/minimize_groups.rs:27:73
// error: Sgd: nesterov needs a momentum and no dampening
//          Sgd(lr = 0.001, momentum = 0, dampening = 0, weight_decay = 0, nesterov = false, maximize = false)
//   --> wrong/minimize_groups.rs:33:62
// error: minimize: arguments in `groups` have names
//          like groups = [("*.bias", weight_decay = 0.0)]
//   --> wrong/minimize_groups.rs:39:73
// error: minimize: an entry of `groups` is a pattern with arguments
//          like groups = [("*.bias", weight_decay = 0.0)]
//   --> wrong/minimize_groups.rs:45:62
// error: minimize: an entry of `groups` is a pattern with arguments
//          like groups = [("*.bias", weight_decay = 0.0)]
//   --> wrong/minimize_groups.rs:45:74
// error: minimize: `groups` is a list
//          like groups = [("*.bias", weight_decay = 0.0)]
//   --> wrong/minimize_groups.rs:51:61
