//! Axes in front of matrices that do not broadcast.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 3, 5, 16>, y: f32<2, 16, 4>, ids: u32<16, 4>) -> f32<N, 3, 5, 4> {
        let fc = Linear(4);
        let a = x.matmul(y);
        let b = x.matmul(ids);
        let c = x.matmul(x.mean());
        fc(x)
    }
}

fn main() {}

// error: matmul: extents differ on axis 1
//          x.matmul(y): x is f32<N, 3, 5, 16>, y is f32<2, 16, 4>
//          x is made at wrong/matmul_batches.rs:6:19, y at wrong/matmul_batches.rs:6:40
//   --> wrong/matmul_batches.rs:8:19
// error: matmul: element types differ
//          x.matmul(ids): x is f32<N, 3, 5, 16>, ids is u32<16, 4>
//          x is made at wrong/matmul_batches.rs:6:19, ids at wrong/matmul_batches.rs:6:58
//   --> wrong/matmul_batches.rs:9:19
// error: matmul: a scalar has no axis to contract
//          x.matmul(x.mean()): x is f32<N, 3, 5, 16>, x.mean() is f32
//          x is made at wrong/matmul_batches.rs:6:19
//   --> wrong/matmul_batches.rs:10:19
