//! An option word that does not exist.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc = Linear(4);
        x.fc()
    }

    pub step Test(x: f32<dyn B, 16>, y: f32<B, 4>) {
        let net = Net();
        metric(loss = mse(net(x), y, reduction = avg));
    }
}

fn main() {}

// error: mse: `reduction` is one of mean, sum, none, not avg
//   --> wrong/word_argument.rs:13:50
