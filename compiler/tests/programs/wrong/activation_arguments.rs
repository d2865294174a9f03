//! Arguments that activations and bounds do not take.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 4>) -> f32<N, 4> {
        let act = Gelu(approximate = tahn);
        let slopes = Prelu(3);
        let y = x.clamp() + x.act();
        let z = x.clamp(min = "0");
        y.elu(beta = 1.0) + x.slopes() + x.gelu(sigmoid)
    }
}

fn main() {}

// error: clamp takes `min`, `max` or both
//   --> wrong/activation_arguments.rs:9:19
// error: gelu: `approximate` is one of none, tanh, not tahn
//          the nearest: tanh
//   --> wrong/activation_arguments.rs:9:31
// error: expected a tensor or a number, not a string
//   --> wrong/activation_arguments.rs:10:31
// error: elu has no argument `beta`
//          elu(input, alpha = 1.0)
//   --> wrong/activation_arguments.rs:11:15
// error: prelu: `weight` holds one slope per channel on axis 1 of f32<N, 4>, not <3>
//   --> wrong/activation_arguments.rs:11:31
// error: gelu: `approximate` is one of none, tanh, not sigmoid
//   --> wrong/activation_arguments.rs:11:49
