//! Mistakes inside of blocks stand at the block's tokens and name the instance.

use tapeless::model;

model! {
    block Inner(x: f32<N, C>) -> f32<N, C> {
        let up = Linear(8);
        x + x.up()
    }

    block Outer(x: f32<N, C>) -> f32<N, C> {
        let first = Inner();
        let second = Seq(relu, Inner());
        x.first().second()
    }

    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let outer = Outer();
        x.outer()
    }
}

fn main() {}

// error: add: extents differ on axis 1
//          x + x.up(): x is f32<N, 16>, x.up() is f32<N, 8>
//          `first` is made at wrong/in_a_block.rs:12:21
//          x is made at wrong/in_a_block.rs:6:27
//   --> wrong/in_a_block.rs:8:11
