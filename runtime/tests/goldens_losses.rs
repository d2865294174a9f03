//! One small network under each loss against records of PyTorch's in float64.

mod record;

use record::golden;
use tapeless::model;

model! {
    pub model Mlp(x: f32<N, 8>) -> f32<N, 4> {
        #[name("0")]
        let first = Linear(16);
        #[name("2")]
        let second = Linear(4);
        let h = x.first();
        second(h * sigmoid(h))
    }

    pub step TrainMseSum(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Mlp();
        let pred = net(x);
        let loss = mse(pred, y, reduction = sum);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }

    pub step TrainCrossEntropy(x: f32<dyn B, 8>, label: u32<B>, lr: f32) -> f32<B, 4> {
        let net = Mlp();
        let pred = net(x);
        let loss = cross_entropy(pred, label, label_smoothing = 0.1);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }
}

golden!(
    mse_sum,
    "loss_mse_sum",
    Mlp,
    TrainMseSum,
    |r, lr| TrainMseSum::dims().b(r.extent("x", 0)),
    (&r.floats("x"), &r.floats("y"), lr)
);
golden!(
    cross_entropy_smoothing,
    "loss_cross_entropy_smoothing",
    Mlp,
    TrainCrossEntropy,
    |r, lr| TrainCrossEntropy::dims().b(r.extent("x", 0)),
    (&r.floats("x"), &r.integers("y"), lr)
);
