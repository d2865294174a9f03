//! Patterns and assignments that do not fit what they are given.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let (a, b, c) = (x, x);
        let [p, q] = x;
        let mut y = x;
        let mut z = x;
        (y, z) = (x, x, x);
        x.relu() = y;
        let mut list = [1, 2];
        list[2] = 3;
        list[x.sum()] = 3;
        y[0] = x;
        list = [3];
        y + z
    }
}

fn main() {}

// error: the pattern takes 3 values, given is a tuple of 2
//   --> wrong/patterns.rs:7:13
// error: the pattern takes 2 values, given is a tensor
//   --> wrong/patterns.rs:8:13
// error: 2 names are assigned, given is a tuple of 3
//   --> wrong/patterns.rs:11:9
// error: names and elements of lists are assigned, nothing else
//   --> wrong/patterns.rs:12:9
// error: index 2 of a list of 2
//   --> wrong/patterns.rs:14:14
// error: an index is a whole number that is known
//   --> wrong/patterns.rs:15:14
// error: `y` is a tensor, not a list
//   --> wrong/patterns.rs:16:9
