//! `#[remat]` before what makes no tensor, and other attributes before a loop.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        #[remat]
        let fc = Linear(16);
        let mut y = fc(x);
        #[train]
        for _ in 0..2 {
            y = relu(y);
        }
        y
    }
}

fn main() {}

// error: #[remat] stands before a loop or a `let` of a tensor, not of a layer
//   --> wrong/remat.rs:7:11
// error: before a loop stands `#[remat]` only
//   --> wrong/remat.rs:10:11
