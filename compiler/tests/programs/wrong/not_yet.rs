//! What the language has and this version does not says so.

use tapeless::model;

model! {
    pub model Net(image: f32<N, 3, H, W>) -> f32<N, 8, _, _> {
        let conv = Conv2d(8, 3);
        image.conv().gelu()
    }

    pub model Normed(x: f32<N, 16>) -> f32<N, 16> {
        #[state]
        let mean: f32<16> = zeros();
        x - mean
    }
}

fn main() {}

// error: `Conv2d` is not supported yet
//   --> wrong/not_yet.rs:7:20
// error: `gelu` is not supported yet
//   --> wrong/not_yet.rs:8:22
// error: `#[state]` is not supported yet
//   --> wrong/not_yet.rs:12:11
