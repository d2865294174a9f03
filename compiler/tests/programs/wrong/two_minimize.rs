//! Two updates of one parameter in a step.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc1 = Linear(8);
        let fc2 = Linear(4);
        x.fc1().relu().fc2()
    }

    pub step Train(x: f32<dyn B, 16>, y: f32<B, 4>, lr: f32) {
        let net = Net();
        let loss = mse(net(x), y);
        minimize(loss, over = net, with = Sgd(lr));
        minimize(loss, over = net.fc2, with = Adam(lr));
    }
}

fn main() {}

// error: two minimize update `fc2.weight`
//          updates happen together: give each its own parameters, or write two steps
//   --> wrong/two_minimize.rs:16:31
