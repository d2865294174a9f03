//! Rust that the language does not have.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let fc = Linear(16);
        let f = |y| y;
        match x {
            y => y.fc(),
        }
    }

    pub model Half(x: f23<N, 16>) -> f32<N, 16> {
        let fc = Linear(16);
        x.fc()
    }
}

fn main() {}

// error: a closure is not part of the model language
//          a reusable piece is a `block`
//   --> wrong/rust_in_the_language.rs:8:17
// error: `match` is not part of the model language
//          consts choose with if c { a } else { b }, elements with select(cond, a, b)
//   --> wrong/rust_in_the_language.rs:9:9
// error: no element type `f23`
//          the nearest: f32
//   --> wrong/rust_in_the_language.rs:14:23
