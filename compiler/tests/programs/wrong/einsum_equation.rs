//! Equations that do not fit their tensors.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>, y: f32<N, 8>) -> f32<N, 4> {
        let fc = Linear(4);
        let a = einsum("ij,kj->ik", x, y);
        let b = einsum("ij,jk", x);
        let c = einsum("ijk->i", x);
        let d = einsum("ij->ik", x);
        let e = einsum("i.->i", x);
        let f = einsum("ii->i", y.t().matmul(x));
        let g = einsum("ij->ii", x);
        let h = einsum(x, y);
        fc(x)
    }
}

fn main() {}

// error: einsum: extents differ on j
//          einsum("ij,kj->ik", x, y): x is f32<N, 16>, y is f32<N, 8>
//          x is made at wrong/einsum_equation.rs:6:19, y at wrong/einsum_equation.rs:6:34
//   --> wrong/einsum_equation.rs:8:23
// error: einsum: `ij,jk` is about 2 tensors, not 1
//          einsum("ij,jk", x): x is f32<N, 16>
//          x is made at wrong/einsum_equation.rs:6:19
//   --> wrong/einsum_equation.rs:9:23
// error: einsum: `ijk` does not fit 2 axes
//          einsum("ijk->i", x): x is f32<N, 16>
//          x is made at wrong/einsum_equation.rs:6:19
//   --> wrong/einsum_equation.rs:10:23
// error: einsum: the result of `ij->ik` has k, which no operand has
//   --> wrong/einsum_equation.rs:11:24
// error: einsum: `.` in `i.->i` is no label; labels are letters
//   --> wrong/einsum_equation.rs:12:24
// error: einsum: extents differ on i
//          einsum("ii->i", y.t().matmul(x)): y.t().matmul(x) is f32<8, 16>
//   --> wrong/einsum_equation.rs:13:23
// error: einsum: the result of `ij->ii` has i twice
//   --> wrong/einsum_equation.rs:14:24
// error: einsum: `equation` is a string, not a tensor
//          einsum(equation, operands…)
//   --> wrong/einsum_equation.rs:15:24
