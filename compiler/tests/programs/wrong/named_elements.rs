//! A tuple with named elements that is no group.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let (width, bias) = (4, bias = true);
        let fc = Linear(width);
        x.fc()
    }
}

fn main() {}

// error: elements of a tuple have names in the groups of a `minimize` only
//   --> wrong/named_elements.rs:7:33
