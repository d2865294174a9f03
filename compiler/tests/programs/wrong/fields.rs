//! Parts that are not there, and calls of what is no function.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let layers = [Linear(16), Linear(16)];
        let y = layers[0](x);
        let w = layers[0].wieght;
        let s = x.shape;
        let z = layers[2](y);
        let two = 2;
        let a = two(y);
        layers(y)
    }

    pub step Apply(x: f32<dyn B, 16>) -> f32<B, 16> {
        let net = Net();
        net.layers(x)
    }
}

fn main() {}

// error: `layers[0]` has no layer or parameter `wieght`
//          Linear has weight, bias
//   --> wrong/fields.rs:9:27
// error: a tensor has no field `shape`
//   --> wrong/fields.rs:10:19
// error: index 2 of a list of 2
//   --> wrong/fields.rs:11:24
// error: a whole number cannot be called
//   --> wrong/fields.rs:13:20
// error: a list cannot be called
//   --> wrong/fields.rs:14:15
// error: no function, layer or binding `layers`
//          the nearest: layer_norm
//   --> wrong/fields.rs:19:13
