//! Random numbers come from the store of a model.

use tapeless::model;

model! {
    pub step Noise(x: f32<dyn N, 4>) -> f32<N, 4> {
        let noise = x.dropout(0.5, training = true);
        noise + randn([N, 4])
    }
}

fn main() {}

// error: random numbers come from a model, and the step names none
//   a model's store keeps the seed and counts the runs: let net = …;
//   --> wrong/random_without_model.rs:7:23
