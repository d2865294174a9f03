//! A name that is bound without `mut` is assigned, and one that does not exist is used.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let fc = Linear(16);
        let y = fc(x);
        y = relu(y);
        y + z
    }
}

fn main() {}

// error: `y` is not mutable
//          it is made at wrong/not_mutable.rs:8:13: let mut y = …
//   --> wrong/not_mutable.rs:9:9
// error: no binding `z`
//   --> wrong/not_mutable.rs:10:13
