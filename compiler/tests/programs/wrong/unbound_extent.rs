//! An extent of a step that no `dyn` binds.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 4> {
        let fc = Linear(4);
        x.fc()
    }

    pub step Predict(x: f32<N, 16>) -> f32<N, 4> {
        let net = Net();
        net(x)
    }
}

fn main() {}

// error: the extent `N` is not bound
//          an extent that `compile` binds is written `dyn N` once
//   --> wrong/unbound_extent.rs:11:29
