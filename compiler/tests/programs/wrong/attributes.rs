//! Attributes where they mean nothing.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let fc = Linear(16);
        #[eval]
        let y = x.fc();
        #[name("double")]
        let z = 2.0 * y;
        #[name("pair.{z}")]
        let (a, b) = (Linear(16), Linear(16));
        z.a().b()
    }

    pub step Apply(x: f32<dyn B, 16>) -> f32<B, 16> {
        #[name("net")]
        let net = Net();
        net(x)
    }
}

fn main() {}

// error: #[eval] stands before a `let` that makes a layer, not a tensor
//   --> wrong/attributes.rs:8:11
// error: #[name] stands before a `let` that makes a layer, not a tensor
//   --> wrong/attributes.rs:10:16
// error: #[name] names what one name binds, not a pattern
//   --> wrong/attributes.rs:12:16
// error: #[name] is for layers of blocks and models: a step adds nothing to their keys
//   --> wrong/attributes.rs:18:16
