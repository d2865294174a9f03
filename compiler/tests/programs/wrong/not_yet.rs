//! What the language has and this version does not says so.

use tapeless::model;

model! {
    pub model Net(x: f32<N, T, 16>, y: u32<N, T>) -> f32<N, T, 16> {
        ctc(x, y)
    }
}

fn main() {}

// error: `ctc` is not supported yet
//   --> wrong/not_yet.rs:7:9
