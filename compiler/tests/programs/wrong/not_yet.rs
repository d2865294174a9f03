//! What the language has and this version does not says so.

use tapeless::model;

model! {
    pub model Net(image: f32<N, 3, H, W>) -> f32<N, 8, _, _> {
        let conv = Conv2d(8, 3);
        image.conv().max_pool2d(2)
    }
}

fn main() {}

// error: `Conv2d` is not supported yet
//   --> wrong/not_yet.rs:7:20
// error: `max_pool2d` is not supported yet
//   --> wrong/not_yet.rs:8:22
