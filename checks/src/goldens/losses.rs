//! One small network under each loss.

use super::{Golden, golden};
use tapeless::model;

model! {
    /// One hidden layer with a gate.
    pub model Mlp(x: f32<N, 8>) -> f32<N, 4> {
        #[name("0")]
        let first = Linear(16);
        #[name("2")]
        let second = Linear(4);
        let h = x.first();
        second(h * sigmoid(h))
    }

    /// `mse`, summed.
    pub step TrainMseSum(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Mlp();
        let pred = net(x);
        let loss = mse(pred, y, reduction = sum);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }

    /// `l1`.
    pub step TrainL1(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Mlp();
        let pred = net(x);
        let loss = l1(pred, y);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }

    /// `smooth_l1`.
    pub step TrainSmoothL1(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Mlp();
        let pred = net(x);
        let loss = smooth_l1(pred, y, beta = 0.5);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }

    /// `huber`.
    pub step TrainHuber(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Mlp();
        let pred = net(x);
        let loss = huber(pred, y, delta = 0.3);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }

    /// `bce_with_logits`.
    pub step TrainBceWithLogits(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Mlp();
        let pred = net(x);
        let loss = bce_with_logits(pred, y);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }

    /// `kl_div` of two distributions.
    pub step TrainKlDiv(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Mlp();
        let pred = net(x);
        let loss = kl_div(pred.log_softmax(-1), y.softmax(-1), reduction = batchmean);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }

    /// `cross_entropy` with smoothed labels.
    pub step TrainCrossEntropy(x: f32<dyn B, 8>, label: u32<B>, lr: f32) -> f32<B, 4> {
        let net = Mlp();
        let pred = net(x);
        let loss = cross_entropy(pred, label, label_smoothing = 0.1);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }
}

/// A run of one of the steps above; targets are `floats` or `integers`.
macro_rules! losses {
    ($($name:literal, $record:literal, $step:ident, $targets:ident;)*) => {
        vec![$(Golden {
            name: $name,
            ..golden!(
                $record,
                Mlp,
                $step,
                |r, lr| $step::dims().b(r.extent("x", 0)),
                (&r.floats("x"), &r.$targets("y"), lr)
            )
        }),*]
    };
}

/// The goldens of the losses.
pub fn losses() -> Vec<Golden> {
    losses! {
        "mse_sum", "loss_mse_sum", TrainMseSum, floats;
        "l1", "loss_l1", TrainL1, floats;
        "smooth_l1", "loss_smooth_l1", TrainSmoothL1, floats;
        "huber", "loss_huber", TrainHuber, floats;
        "bce_with_logits", "loss_bce_with_logits", TrainBceWithLogits, floats;
        "kl_div", "loss_kl_div", TrainKlDiv, floats;
        "cross_entropy_smoothing", "loss_cross_entropy_smoothing", TrainCrossEntropy, integers;
    }
}
