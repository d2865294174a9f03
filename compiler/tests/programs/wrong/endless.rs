//! A block that holds itself.

use tapeless::model;

model! {
    block Tree(x: f32<N, C>) -> f32<N, C> {
        let child = Tree();
        x + x.child()
    }

    pub model Net(x: f32<N, 16>) -> f32<N, 16> {
        let tree = Tree();
        x.tree()
    }
}

fn main() {}

// error: Tree holds itself, without end
//          `child` is made at wrong/endless.rs:7:21
//   --> wrong/endless.rs:8:15
