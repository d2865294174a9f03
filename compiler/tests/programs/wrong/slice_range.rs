//! Ranges that leave the axis, and what is no range.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc = Linear(4);
        let y = x.slice(1, 8..20);
        let z = x.slice(1, ..-20);
        let w = x.slice(1, 5..3);
        let v = x.slice(1, 3);
        let u = x.slice(1, 0..8, step = 0);
        let t = x.at(1, 16);
        fc(x)
    }
}

fn main() {}

// error: slice: 8..20 ends behind axis 1 of extent 16
//          x is f32<N, 16>
//          x is made at wrong/slice_range.rs:6:19
//   --> wrong/slice_range.rs:8:19
// error: slice: -20 from the end of axis 1 of extent 16
//          x is f32<N, 16>
//          x is made at wrong/slice_range.rs:6:19
//   --> wrong/slice_range.rs:9:28
// error: slice: 5..3 ends before it starts
//          x is f32<N, 16>
//          x is made at wrong/slice_range.rs:6:19
//   --> wrong/slice_range.rs:10:19
// error: slice: `range` is a range, not a whole number
//          slice(input, axis, range, step = 1)
//   --> wrong/slice_range.rs:11:28
// error: slice: steps by 0, which is less than 1
//          x is f32<N, 16>
//          x is made at wrong/slice_range.rs:6:19
//   --> wrong/slice_range.rs:12:19
// error: at: index 16 of axis 1, whose extent is 16
//          x is f32<N, 16>
//          x is made at wrong/slice_range.rs:6:19
//   --> wrong/slice_range.rs:13:25
