//! Mistakes with lists and loops.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let fixed = [1, 2];
        fixed.push(3);
        let mut list = [];
        list.push(1, 2);
        for i in (0..4).step_by(0) {}
        for i in 0..N {}
        for i in x {}
        let last = list[0];
        let many = [0; 200000];
        let open = [0; N];
        let pairs = fixed.zip(3);
        for i in 0..200000 {}
        x
    }
}

fn main() {}

// error: `fixed` is not mutable: let mut fixed = …
//   --> wrong/lists.rs:8:9
// error: `push` takes one value and stands behind the name of a list
//   --> wrong/lists.rs:10:14
// error: the step is a whole number above 0 that is known
//   --> wrong/lists.rs:11:33
// error: a loop runs over numbers that are known while the macro expands
//   --> wrong/lists.rs:12:18
// error: a loop runs over a range or a list, not a tensor
//   --> wrong/lists.rs:13:18
// error: index 0 of a list of 0
//   --> wrong/lists.rs:14:25
// error: a list has at most 100000 elements, not 200000
//   --> wrong/lists.rs:15:24
// error: the length of a list is a whole number that is known
//   --> wrong/lists.rs:16:24
// error: a loop runs over a range or a list, not a whole number
//   --> wrong/lists.rs:17:31
// error: a loop has at most 100000 rounds, 0..200000 has more
//   --> wrong/lists.rs:18:18
