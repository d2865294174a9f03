//! A block applied to too many values, to a number, and made with a const of the wrong type.

use tapeless::model;

model! {
    block Scale<const BY: f32>(x: f32<N, D>) -> f32<N, D> {
        BY * x
    }

    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let a = Scale(2.0);
        let b = Scale(BY = true);
        let fc = Linear(16);
        fc(a(x, x)) + a(3)
    }
}

fn main() {}

// error: Scale: `BY` is f32, not a bool
//          Scale(BY)
//   --> wrong/block_arguments.rs:12:28
// error: a takes 1 value, not 2
//   --> wrong/block_arguments.rs:14:13
// error: a: `x` takes a tensor, not a whole number
//          `a` is made at wrong/block_arguments.rs:11:17
//   --> wrong/block_arguments.rs:14:25
