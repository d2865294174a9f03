//! Borders that do not fit.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 4, 8>) -> f32<N, 4, 16> {
        let fc = Linear(16);
        let a = x.pad([1, 2, 3]);
        let b = x.pad([1, 1, 1, 1, 1, 1, 1, 1]);
        let c = x.pad([8, 0], mode = reflect);
        let d = x.pad([0, -1], replicate);
        let e = x.pad([0, 9], mode = circular);
        let f = x.pad([-9, 0]);
        let g = x.pad([1, 1], mode = mirror);
        fc(x)
    }
}

fn main() {}

// error: pad: the list has two numbers per axis, from the last one backwards; 3 do not fit 3 axes
//          x is f32<N, 4, 8>
//          x is made at wrong/pad_amounts.rs:6:19
//   --> wrong/pad_amounts.rs:8:23
// error: pad: the list has two numbers per axis, from the last one backwards; 8 do not fit 3 axes
//          x is f32<N, 4, 8>
//          x is made at wrong/pad_amounts.rs:6:19
//   --> wrong/pad_amounts.rs:9:23
// error: pad: 8 elements by reflect on axis 2 of extent 8
//          x is f32<N, 4, 8>
//          x is made at wrong/pad_amounts.rs:6:19
//   --> wrong/pad_amounts.rs:10:23
// error: pad: -1 elements by replicate on axis 2 of extent 8
//          x is f32<N, 4, 8>
//          x is made at wrong/pad_amounts.rs:6:19
//   --> wrong/pad_amounts.rs:11:23
// error: pad: 9 elements by circular on axis 2 of extent 8
//          x is f32<N, 4, 8>
//          x is made at wrong/pad_amounts.rs:6:19
//   --> wrong/pad_amounts.rs:12:23
// error: pad: -9 and 0 more on axis 2 of extent 8 leave less than nothing
//          x is f32<N, 4, 8>
//          x is made at wrong/pad_amounts.rs:6:19
//   --> wrong/pad_amounts.rs:13:19
// error: pad: `mode` is one of constant, reflect, replicate, circular, not mirror
//   --> wrong/pad_amounts.rs:14:38
