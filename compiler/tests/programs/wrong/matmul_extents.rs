//! A raw parameter that does not fit its input.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        #[param]
        let w: f32<4, 8> = kaiming_uniform();
        x.matmul(w.t())
    }
}

fn main() {}

// error: matmul: extents differ
//          x.matmul(w.t()): x is f32<N, 16>, w.t() is f32<8, 4>
//          x is made at wrong/matmul_extents.rs:6:19
//   --> wrong/matmul_extents.rs:9:11
