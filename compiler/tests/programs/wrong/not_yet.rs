//! What the language has and this version does not says so.

use tapeless::model;

model! {
    pub model Net(x: f32<N, T, 16>) -> f32<N, T, 8> {
        let recurrent = Gru(8);
        let (y, h) = x.recurrent();
        y
    }
}

fn main() {}

// error: `Gru` is not supported yet
//   --> wrong/not_yet.rs:7:25
