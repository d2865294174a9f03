//! What does not stand in a chain.

use tapeless::model;

model! {
    pub model Net<const WIDE: bool = false>(x: f32<N, 16>) -> f32<N, 16> {
        let chain = Seq(Linear(16), 3, axis = 1, if WIDE { Linear(32) } else { 2.0 });
        let pair = Seq(relu, relu);
        let free = Linear(16)(x);
        let y = pair(x, x);
        x.chain() + Linear
    }
}

fn main() {}

// error: Seq takes layers and functions, not a whole number
//   --> wrong/seq.rs:7:37
// error: Seq takes layers and functions, which have no names here
//   --> wrong/seq.rs:7:40
// error: Seq takes layers and functions, not a number
//   --> wrong/seq.rs:7:50
// error: the layer that holds `weight` has no key: bind it with `let` before it is applied
//   --> wrong/seq.rs:9:30
// error: Seq takes one value
//   --> wrong/seq.rs:10:21
// error: `Linear` needs its arguments: Linear(…)
//   --> wrong/seq.rs:11:21
