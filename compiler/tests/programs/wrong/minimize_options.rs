//! Options of `minimize` that do not exist, have the wrong kind or are out of range.

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
        minimize(loss, over = net, with = Sgd(lr), clip = 1.0);
    }

    pub step TrainB(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), clip_norm = -1.0);
    }

    pub step TrainC(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), accumulate = 0);
    }

    pub step TrainD(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), accumulate = lr);
    }

    pub step TrainE(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr), ema = 1.5, clip_value = true);
    }

    pub step TrainF(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, net);
    }
}

fn main() {}

// error: minimize has no argument `clip`; the nearest: clip_norm
//          minimize(loss, over, with, clip_norm = …, clip_value = …, accumulate = …, ema = …, groups = …)
//   --> wrong/minimize_options.rs:15:52
// error: minimize: clip_norm is -1, but takes a number that is not negative or a float scalar
//          minimize(loss, over, with, clip_norm = …, clip_value = …, accumulate = …, ema = …, groups = …)
//   --> wrong/minimize_options.rs:21:64
// error: minimize: accumulate is 0, but takes a whole number from 1 up
//          minimize(loss, over, with, clip_norm = …, clip_value = …, accumulate = …, ema = …, groups = …)
//   --> wrong/minimize_options.rs:27:65
// error: minimize: accumulate is lr, but takes a whole number from 1 up
//          minimize(loss, over, with, clip_norm = …, clip_value = …, accumulate = …, ema = …, groups = …)
//   --> wrong/minimize_options.rs:33:65
// error: minimize: ema is 1.5, but takes a number from 0 to 1 or a float scalar
//          minimize(loss, over, with, clip_norm = …, clip_value = …, accumulate = …, ema = …, groups = …)
//   --> wrong/minimize_options.rs:39:58
// error: minimize: clip_value is true, but takes a number that is not negative or a float scalar
//          minimize(loss, over, with, clip_norm = …, clip_value = …, accumulate = …, ema = …, groups = …)
//   --> wrong/minimize_options.rs:39:76
// error: minimize needs `with`
//          minimize(loss, over, with, clip_norm = …, clip_value = …, accumulate = …, ema = …, groups = …)
//   --> wrong/minimize_options.rs:45:9
