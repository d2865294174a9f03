//! An argument without a default is left out.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 8> {
        let fc = Linear(bias = false);
        x.fc()
    }
}

fn main() {}

// error: Linear needs `out_features`
//          Linear(out_features, bias = true)
//   --> wrong/linear_missing_argument.rs:7:18
