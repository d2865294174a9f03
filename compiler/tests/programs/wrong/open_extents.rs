//! Conditions and numbers that depend on open extents.

use tapeless::model;

model! {
    pub model Net(x: f32<N, T>) -> f32<N, T> {
        let y = if T > 4 { x } else { -x };
        let z = if T != 4 { y } else { -y };
        #[param]
        let w: f32<T> = ones();
        assert!(T % 2 == 1 || N == 1, "{T} is even");
        z * w
    }

    pub model Short(x: f32<N, 4>) -> f32<N, 4> {
        assert!(4 % 3 == 0, "the width is no multiple of 3");
        assert!(x.sum() > 0.0, "the sum is not above 0");
        x
    }
}

fn main() {}

// error: the condition of `if` depends on open extents, known only when the step is compiled
//          write the extents out, or make them consts
//   --> wrong/open_extents.rs:7:20
// error: `!=` of open extents is known only when the step is compiled
//          write the extents out, or make them consts
//   --> wrong/open_extents.rs:8:22
// error: w: shape f32<T> is not known from the model's signature and consts
//          T is open at wrong/open_extents.rs:6:29
//          write them out (x: f32<N, 28>) or make them consts of the model
//   --> wrong/open_extents.rs:10:16
// error: `||` of open extents is known only when the step is compiled
//          what `&&` joins becomes checks of `compile`
//   --> wrong/open_extents.rs:11:28
// error: the width is no multiple of 3
//   --> wrong/open_extents.rs:16:9
// error: the condition of `assert!` is a bool, not a tensor
//   --> wrong/open_extents.rs:17:17
