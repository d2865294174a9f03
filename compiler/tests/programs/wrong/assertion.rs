//! A condition that the author of a block demands.

use tapeless::model;

model! {
    block Halves<const GROUPS: usize>(x: f32<N, D>) -> f32<N, D> {
        assert!(D % GROUPS == 0, "{GROUPS} groups do not divide {D}");
        x
    }

    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let halves = Halves(3);
        let fc = Linear(16);
        x.halves().fc()
    }
}

fn main() {}

// error: 3 groups do not divide 16
//          `halves` is made at wrong/assertion.rs:12:22
//   --> wrong/assertion.rs:7:9
