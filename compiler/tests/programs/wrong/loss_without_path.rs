//! A loss that is an integer, a loss that is no tensor, and an `over` that names no parameters.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc = Linear(4);
        let act = Relu();
        x.fc().act()
    }

    pub step Count(x: f32<dyn B, 16>, lr: f32) {
        let net = Net();
        let right = net(x).argmax(1).eq(2).sum();
        minimize(right, over = net, with = Sgd(lr));
        metric(right);
    }

    pub step Fixed(x: f32<dyn B, 16>, lr: f32) {
        let net = Net();
        minimize(0.5, over = net, with = Sgd(lr));
        metric(y = net(x));
    }

    pub step Input(x: f32<dyn B, 16>, lr: f32) {
        let net = Net();
        let loss = net(x).sum();
        minimize(loss, over = [net, x], with = Sgd(lr));
        metric(loss);
    }

    pub step Layer(x: f32<dyn B, 16>, lr: f32) {
        let net = Net();
        let loss = net(x).sum();
        minimize(loss, over = net.act, with = Sgd(lr));
        metric(loss);
    }

    pub step Missing(x: f32<dyn B, 16>, lr: f32) {
        let net = Net();
        let loss = net(x).sum();
        minimize(loss, over = net, with = Sgd);
        minimize(loss, with = Sgd(lr));
        metric(loss);
    }
}

fn main() {}

// error: minimize: the loss is u32, which has no gradient
//   --> wrong/loss_without_path.rs:15:18
// error: minimize: the loss is a scalar tensor, not a number
//   --> wrong/loss_without_path.rs:21:18
// error: minimize: `over` is a model, a layer of it or a list of them, not a tensor that is no parameter
//   --> wrong/loss_without_path.rs:28:37
// error: `net` has no layer or parameter `act`
//          Net has fc
//   --> wrong/loss_without_path.rs:35:35
// error: `Sgd` needs its arguments: Sgd(…)
//   --> wrong/loss_without_path.rs:42:43
// error: minimize needs `over`
//          minimize(loss, over, with, clip_norm = …, clip_value = …, accumulate = …, ema = …, groups = …)
//   --> wrong/loss_without_path.rs:43:9
