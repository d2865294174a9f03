//! Tuples where single values are wanted, and the other way round.

use tapeless::model;

model! {
    block Split(x: f32<N, C>) -> (f32<N, C>, f32<N, C>) {
        (x, -x)
    }

    block Sum(a: f32<N, C>, b: f32<N, C>) -> f32<N, C> {
        (a, b)
    }

    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let split = Split();
        let y = x.split();
        y + x
    }

    pub model Wide(x: f32<N, 16>) -> f32<N, 16> {
        let sum = Sum();
        let split = Split();
        let (a, b) = x.split();
        let c = sum(x.split());
        let d = x.split().2;
        sum(a, b)
    }

    pub model Both(x: f32<N, 16>) -> (f32<N, 16>, f32<N, 16>) {
        x
    }
}

fn main() {}

// error: Sum: the body gives a tuple of 2, the signature says f32<N, 16>
//          `sum` is made at wrong/tuples.rs:21:19
//   --> wrong/tuples.rs:11:9
// error: expected a tensor or a number, not a tuple of 2
//          take it apart: let (a, b) = …
//   --> wrong/tuples.rs:17:9
// error: sum takes 2 values, not 1
//   --> wrong/tuples.rs:24:20
// error: there is no element `2` among 2
//   --> wrong/tuples.rs:25:27
// error: Both: the body gives a tensor, the signature says a tuple of 2
//          the signature is at wrong/tuples.rs:29:38
//   --> wrong/tuples.rs:30:9
