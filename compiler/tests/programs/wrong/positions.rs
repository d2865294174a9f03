//! Arguments of functions that turn tensors or make positions.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc = Linear(4);
        let a = arange(5, 2);
        let b = arange(0, 5, 0);
        let c = arange(-3, 5);
        let d = x.roll([1, 2], 1);
        let e = x.roll(1, 3);
        let f = x.flip([0, 0]);
        let g = x.mean(1).tril();
        let h = x.repeat_interleave(-1, 1);
        let i = x.permute([0, 2]);
        let j = eye(0 - 1);
        fc(x)
    }
}

fn main() {}

// error: arange: 2 is not reached from 5 in steps of 1
//          arange(start, end = …, step = 1)
//   --> wrong/positions.rs:8:23
// error: arange: the step is 0
//          arange(start, end = …, step = 1)
//   --> wrong/positions.rs:9:23
// error: arange: starts at -3, but gives u32
//          arange(start, end = …, step = 1)
//   --> wrong/positions.rs:10:23
// error: roll: 2 shifts for 1 axis
//   --> wrong/positions.rs:11:24
// error: roll: axis 3 of f32<N, 16>, which has axes 0 and 1
//          x is made at wrong/positions.rs:6:19
//   --> wrong/positions.rs:12:27
// error: flip: axis 0 twice
//   --> wrong/positions.rs:13:24
// error: tril: takes matrices, f32<N> has less than 2 axes
//          x.mean(1) is f32<N>
//   --> wrong/positions.rs:14:27
// error: repeat_interleave: -1 times
//   --> wrong/positions.rs:15:37
// error: permute: the axes name each of the 2 axes once
//          x is f32<N, 16>
//          x is made at wrong/positions.rs:6:19
//   --> wrong/positions.rs:16:27
// error: eye: -1 is no extent
//   --> wrong/positions.rs:17:20
