//! Mistakes with consts.

use tapeless::model;

model! {
    block Scale<const BY: f32, const TIMES: usize = 2>(x: f32<N, C>) -> f32<N, C> {
        BY * TIMES * x
    }

    pub model Net<const WIDTH: usize = 16>(x: f32<N, 16>) -> f32<N, 16> {
        let a = Scale(2.0, TIMES = 1.5);
        let b = Scale(true);
        const HALF: usize = WIDTH as bool;
        const TENSOR: f32 = x as f32;
        const OPEN: f32 = N as f32;
        let c = WIDTH / 0;
        let d = WIDTH && true;
        let e = !WIDTH;
        if WIDTH { x } else { -x }
    }

    pub model Wide = Net(WIDTH = 3.5);
    pub model Other = Nett(8);
}

fn main() {}

// error: Scale: `TIMES` is usize, not a number
//          Scale(BY, TIMES = 2)
//   --> wrong/consts.rs:11:36
// error: Scale: `BY` is f32, not a bool
//          Scale(BY, TIMES = 2)
//   --> wrong/consts.rs:12:23
// error: `as` converts to numbers like usize and f32, not to `bool`
//   --> wrong/consts.rs:13:38
// error: `as` converts consts; a tensor is converted by .cast(f32)
//   --> wrong/consts.rs:14:31
// error: an open extent becomes a value by f32(…)
//   --> wrong/consts.rs:15:29
// error: a division by zero
//   --> wrong/consts.rs:16:23
// error: `&&` does not take a whole number and a bool
//   --> wrong/consts.rs:17:23
// error: `!` takes a bool or a tensor, not a whole number
//   --> wrong/consts.rs:18:17
// error: the condition of `if` is a bool, not a whole number
//   --> wrong/consts.rs:19:12
// error: Net: `WIDTH` is usize, not a number
//          Net(WIDTH = 16)
//   --> wrong/consts.rs:22:34
// error: no model `Nett`
//          the nearest: Net
//   --> wrong/consts.rs:23:23
