//! Arguments that losses do not take.

use tapeless::model;

model! {
    pub model Net(x: f32<N, 16>) -> f32<N, 10> {
        let fc = Linear(10);
        x.fc()
    }

    pub step Apply(x: f32<dyn B, 16>, y: f32<B, 10>, label: u32<B>, few: f32<4>, deep: f32<2, B, 10>) {
        let net = Net();
        let pred = net(x);
        metric(a = mse(pred, y, reduction = batchmean), b = huber(pred, y, delta = 0.0));
        metric(c = bce(pred, y, weight = few), d = bce_with_logits(pred, y, pos_weight = deep));
        metric(e = bce(pred, y, label));
        metric(f = cross_entropy(pred, label, few), g = cross_entropy(pred, y, ignore_index = 0));
        metric(h = cross_entropy(pred, label, ignore_index = B), i = cross_entropy(pred, label, label_smoothing = 2));
        metric(j = cross_entropy(pred, label, ignore_index = 5000000000));
        metric(k = triplet_margin(pred, pred, y, p = -1), l = kl_div(pred, y, log_target = 1));
        metric(m = l1(pred));
    }
}

fn main() {}

// error: mse: `reduction` is one of mean, sum, none, not batchmean
//          the nearest: mean
//   --> wrong/loss_arguments.rs:14:45
// error: huber: delta is above 0, not 0
//          pred is f32<B, 10>, y is f32<B, 10>
//          pred is made at wrong/loss_arguments.rs:13:13, y at wrong/loss_arguments.rs:11:39
//   --> wrong/loss_arguments.rs:14:66
// error: bce: extents differ on axis 1
//          bce(pred, y, weight = few): pred is f32<B, 10>, few is f32<4>
//          pred is made at wrong/loss_arguments.rs:13:13, few at wrong/loss_arguments.rs:11:78
//   --> wrong/loss_arguments.rs:15:23
// error: bce_with_logits: `pos_weight` does not broadcast to the input
//          bce_with_logits(pred, y, pos_weight = deep): pred is f32<B, 10>, deep is f32<2, B, 10>
//          pred is made at wrong/loss_arguments.rs:13:13, deep at wrong/loss_arguments.rs:11:82
//   --> wrong/loss_arguments.rs:15:67
// error: bce: element types differ
//          bce(pred, y, label): pred is f32<B, 10>, label is u32<B>
//          pred is made at wrong/loss_arguments.rs:13:13, label at wrong/loss_arguments.rs:11:54; convert one: label.cast(f32)
//   --> wrong/loss_arguments.rs:16:23
// error: cross_entropy: there is one weight per class
//          pred is f32<B, 10>, label is u32<B>, few is f32<4>
//          pred is made at wrong/loss_arguments.rs:13:13, label at wrong/loss_arguments.rs:11:54, few at wrong/loss_arguments.rs:11:69
//   --> wrong/loss_arguments.rs:17:33
// error: cross_entropy: `ignore_index` is for labels, the target holds class probabilities
//   --> wrong/loss_arguments.rs:17:95
// error: cross_entropy: `ignore_index` is a number that is known
//   --> wrong/loss_arguments.rs:18:62
// error: cross_entropy: label_smoothing is between 0 and 1, not 2
//          pred is f32<B, 10>, label is u32<B>
//          pred is made at wrong/loss_arguments.rs:13:13, label at wrong/loss_arguments.rs:11:54
//   --> wrong/loss_arguments.rs:18:83
// error: cross_entropy: ignore_index is a u32, not 5000000000
//          pred is f32<B, 10>, label is u32<B>
//          pred is made at wrong/loss_arguments.rs:13:13, label at wrong/loss_arguments.rs:11:54
//   --> wrong/loss_arguments.rs:19:33
// error: triplet_margin: p is above 0, not -1
//          pred is f32<B, 10>, pred is f32<B, 10>, y is f32<B, 10>
//          pred is made at wrong/loss_arguments.rs:13:13, y at wrong/loss_arguments.rs:11:39
//   --> wrong/loss_arguments.rs:20:34
// error: kl_div: `log_target` is a bool, not a whole number
//          kl_div(input, target, reduction = mean, log_target = false)
//   --> wrong/loss_arguments.rs:20:92
// error: l1 needs `target`
//          l1(input, target, reduction = mean)
//   --> wrong/loss_arguments.rs:21:22
