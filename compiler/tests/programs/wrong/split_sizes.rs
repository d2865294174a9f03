//! Parts that do not cover an axis.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let fc = Linear(16);
        let [a, b] = x.split([4, 8], 1);
        let c = x.split(0, 1);
        let d = x.split(4, 0);
        let e = x.chunk(0, 1);
        let [f, g] = x.chunk(3, 1);
        let h = x.chunk(N, 1);
        fc(x)
    }
}

fn main() {}

// error: split: sizes of 12 together do not fit axis 1 of extent 16
//          x is f32<N, 16>
//          x is made at wrong/split_sizes.rs:6:19
//   --> wrong/split_sizes.rs:8:30
// error: split: a part has at least 1 element, not 0
//   --> wrong/split_sizes.rs:9:25
// error: split: how many parts there are depends on open extents
//          N by 4; give the sizes of all parts as a list
//   --> wrong/split_sizes.rs:10:25
// error: chunk: at least 1 part, not 0
//   --> wrong/split_sizes.rs:11:25
// error: the pattern takes 2 values, given is a list of 3
//   --> wrong/split_sizes.rs:12:13
// error: chunk: `chunks` is a number that is known, not an open extent
//   --> wrong/split_sizes.rs:13:25
