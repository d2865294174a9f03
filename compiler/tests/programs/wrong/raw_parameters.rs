//! A parameter without a type, one with an unknown initialiser, one that begins with no initialiser, and a loop over an open extent.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        #[param]
        let a = zeros();
        #[param]
        let b: f32<16> = zeroes();
        #[param]
        let c: f32<16> = 0.5;
        let mut y = x * a + b * c;
        for i in 0..N {
            y = y + 1.0;
        }
        y
    }
}

fn main() {}

// error: `a` needs a type: #[param] let a: f32<…> = …
//   --> wrong/raw_parameters.rs:8:13
// error: no initialiser `zeroes`
//          the nearest: zeros, ones
//   --> wrong/raw_parameters.rs:10:26
// error: a parameter begins with an initialiser, like zeros() or uniform(-0.1, 0.1)
//   --> wrong/raw_parameters.rs:12:26
// error: a loop runs over numbers that are known while the macro expands
//   --> wrong/raw_parameters.rs:14:18
