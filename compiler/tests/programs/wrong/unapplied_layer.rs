//! A layer that is never applied, and one whose parameter is asked for before its input is known.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let fc = Linear(16);
        let spare = Linear(4);
        x.fc()
    }

    pub model Tied(x: f32<N, 16>) -> f32<N, 16> {
        let decoder = Linear(16);
        x.matmul(decoder.weight)
    }
}

fn main() {}

// error: `spare` is never applied, and its shapes depend on its input
//          apply it, or leave it out
//   --> wrong/unapplied_layer.rs:8:21
// error: the shape of `decoder.weight` depends on the input of `decoder`
//          apply `decoder` first
//   --> wrong/unapplied_layer.rs:14:26
