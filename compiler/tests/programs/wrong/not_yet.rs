//! What the language has and this version does not says so.

use tapeless::model;

model! {
    pub model Net(x: f32<N, T, 16>) -> f32<N, T, 16> {
        let attend = TransformerEncoderLayer(16, 4);
        x.attend()
    }
}

fn main() {}

// error: `TransformerEncoderLayer` is not supported yet
//   --> wrong/not_yet.rs:7:22
