//! The residual is wider than the branch it is added to.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 8> {
        let fc = Linear(8);
        let y = fc(x);
        y + x
    }
}

fn main() {}

// error: add: extents differ on axis 1
//          y + x: y is f32<N, 8>, x is f32<N, 16>
//          y is made at wrong/linear_extents_differ.rs:8:13, x at wrong/linear_extents_differ.rs:6:29
//   --> wrong/linear_extents_differ.rs:9:11
