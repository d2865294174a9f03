//! What the language has and this version does not says so.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        #[param]
        let w: f32<4, 16> = orthogonal();
        x.matmul(w.t())
    }
}

fn main() {}

// error: `orthogonal` is not supported yet
//   --> wrong/not_yet.rs:8:29
