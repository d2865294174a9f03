//! Targets that do not belong to their predictions.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 1> {
        let fc = Linear(1);
        x.fc()
    }

    pub step Numbers(x: f32<dyn B, 16>, y: f32<B>, count: u32<B, 1>, wide: f32<B, 2, 1>) {
        let net = Net();
        let pred = net(x);
        metric(a = mse(pred, y), b = l1(pred, count), c = huber(pred, wide), d = hinge_embedding(pred, count));
    }

    pub step Classes(x: f32<dyn B, 16>, label: u32<B, 1>, id: i32<B>, share: f32<B>, p: f32<B, 3>) {
        let net = Net();
        let logits = net(x);
        metric(a = cross_entropy(logits, label), b = nll(logits, id));
        metric(c = cross_entropy(logits, share), d = cross_entropy(logits, p));
    }

    pub step Vectors(a: f32<dyn B, 16>, side: u32<B>, one: f32<B, 1>) {
        let net = Net();
        metric(a = cosine_embedding(a, a, side), b = cosine_embedding(a, a, one), c = net(a).sum());
    }
}

fn main() {}

// error: mse: ranks differ
//          mse(pred, y): pred is f32<B, 1>, y is f32<B>
//          pred is made at wrong/loss_targets.rs:13:13, y at wrong/loss_targets.rs:11:41
//   --> wrong/loss_targets.rs:14:23
// error: l1: element types differ
//          l1(pred, count): pred is f32<B, 1>, count is u32<B, 1>
//          pred is made at wrong/loss_targets.rs:13:13, count at wrong/loss_targets.rs:11:52; convert one: count.cast(f32)
//   --> wrong/loss_targets.rs:14:40
// error: huber: ranks differ
//          huber(pred, wide): pred is f32<B, 1>, wide is f32<B, 2, 1>
//          pred is made at wrong/loss_targets.rs:13:13, wide at wrong/loss_targets.rs:11:70
//   --> wrong/loss_targets.rs:14:64
// error: hinge_embedding: element types differ
//          hinge_embedding(pred, count): pred is f32<B, 1>, count is u32<B, 1>
//          pred is made at wrong/loss_targets.rs:13:13, count at wrong/loss_targets.rs:11:52; convert one: count.cast(f32)
//   --> wrong/loss_targets.rs:14:97
// error: cross_entropy: takes labels u32<B> for logits f32<B, 1>, not u32<B, 1>
//          logits is f32<B, 1>, label is u32<B, 1>
//          logits is made at wrong/loss_targets.rs:19:13, label at wrong/loss_targets.rs:17:41
//   --> wrong/loss_targets.rs:20:33
// error: nll: takes u32 labels, not i32<B>
//          logits is f32<B, 1>, id is i32<B>
//          logits is made at wrong/loss_targets.rs:19:13, id at wrong/loss_targets.rs:17:59
//   --> wrong/loss_targets.rs:20:57
// error: cross_entropy: takes u32 labels, or class probabilities f32<B, 1>, not f32<B>
//          logits is f32<B, 1>, share is f32<B>
//          logits is made at wrong/loss_targets.rs:19:13, share at wrong/loss_targets.rs:17:71
//   --> wrong/loss_targets.rs:21:33
// error: cross_entropy: extents differ on axis 1
//          logits is f32<B, 1>, p is f32<B, 3>
//          logits is made at wrong/loss_targets.rs:19:13, p at wrong/loss_targets.rs:17:86
//   --> wrong/loss_targets.rs:21:67
// error: cosine_embedding: element types differ
//          a is f32<B, 16>, a is f32<B, 16>, side is u32<B>
//          a is made at wrong/loss_targets.rs:24:22, side at wrong/loss_targets.rs:24:41
//   --> wrong/loss_targets.rs:26:36
// error: cosine_embedding: takes targets f32<B> for inputs f32<B, 16>, not f32<B, 1>
//          a is f32<B, 16>, a is f32<B, 16>, one is f32<B, 1>
//          a is made at wrong/loss_targets.rs:24:22, one at wrong/loss_targets.rs:24:55
//   --> wrong/loss_targets.rs:26:70
