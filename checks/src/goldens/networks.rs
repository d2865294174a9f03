//! Scalars, a line, and small networks.

use super::{Golden, golden};
use tapeless::model;

model! {
    /// A line, all scalars.
    pub model Line(x: f32) -> f32 {
        #[param]
        let w: f32 = ones();
        #[param]
        let b: f32 = zeros();
        w * x + b
    }

    /// Half the squared error.
    pub step TrainLine(x: f32, y: f32, lr: f32) -> f32 {
        let line = Line();
        let pred = line(x);
        let error = pred - y;
        let loss = 0.5 * error * error;
        minimize(loss, over = line, with = Sgd(lr));
        metric(loss);
        pred
    }

    /// A weight that two products share.
    pub model FanOut(x: f32, y: f32) -> f32 {
        #[param]
        let w: f32 = ones();
        #[param]
        let b: f32 = zeros();
        let first = w * x;
        let second = w * y;
        first + second
    }

    /// A loss in which the bias has no part.
    pub step TrainFanOut(x: f32, y: f32, lr: f32) -> f32 {
        let net = FanOut();
        let sum = net(x, y);
        let loss = sum.tanh().pow(2) + 0 * net.b;
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        sum
    }

    /// A line as a layer.
    pub model Fit(x: f32<N, 1>) -> f32<N, 1> {
        #[name("")]
        let line = Linear(1);
        line(x)
    }

    /// The mean squared error over a batch.
    pub step TrainFit(x: f32<dyn B, 1>, y: f32<B, 1>, lr: f32) -> f32<B, 1> {
        let net = Fit();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }

    /// One hidden layer.
    pub model Net(x: f32<N, 10>) -> f32<N, 1> {
        #[name("")]
        let layers = Seq(Linear(20), relu, Linear(1));
        layers(x)
    }

    /// The mean squared error over a batch.
    pub step TrainNet(x: f32<dyn B, 10>, y: f32<B, 1>, lr: f32) -> f32<B, 1> {
        let net = Net();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }

    /// One hidden layer in front of classes.
    pub model SoftmaxMlp<const HIDDEN: usize = 32, const CLASSES: usize = 10>(x: f32<N, 64>) -> f32<N, CLASSES> {
        #[name("0")]
        let fc1 = Linear(HIDDEN);
        #[name("2")]
        let fc2 = Linear(CLASSES);
        fc2(relu(fc1(x)))
    }

    /// The loss as one function.
    pub step TrainMlp(x: f32<dyn B, 64>, label: u32<B>, lr: f32) -> f32<B, 10> {
        let net = SoftmaxMlp();
        let logits = net(x);
        let loss = cross_entropy(logits, label);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss, correct = logits.argmax(1).eq(label).sum());
        logits
    }

    /// The same loss written out.
    pub step TrainMlpByHand(x: f32<dyn B, 64>, label: u32<B>, lr: f32) -> f32<B, 10> {
        let net = SoftmaxMlp();
        let logits = net(x);
        let log_p = logits.log_softmax(1);
        let loss = -log_p.gather(1, label.unsqueeze(1)).sum() / f32(B);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
        logits
    }
}

/// The goldens of these models.
pub fn networks() -> Vec<Golden> {
    vec![
        golden!("scalar_line", Line, TrainLine, |r, lr| TrainLine::dims(), (r.floats("x")[0], r.floats("y")[0], lr)),
        golden!("fan_out", FanOut, TrainFanOut, |r, lr| TrainFanOut::dims(), (r.floats("x")[0], r.floats("y")[0], lr)),
        golden!(
            "line_fit",
            Fit,
            TrainFit,
            |r, lr| TrainFit::dims().b(r.extent("x", 0)),
            (&r.floats("x"), &r.floats("y"), lr)
        ),
        golden!(
            "net_10_20_1",
            Net,
            TrainNet,
            |r, lr| TrainNet::dims().b(r.extent("x", 0)),
            (&r.floats("x"), &r.floats("y"), lr)
        ),
        golden!(
            "softmax_mlp",
            SoftmaxMlp,
            TrainMlp,
            |r, lr| TrainMlp::dims().b(r.extent("x", 0)),
            (&r.floats("x"), &r.integers("y"), lr)
        ),
        Golden {
            name: "softmax_mlp_with_its_loss_written_out",
            ..golden!(
                "softmax_mlp",
                SoftmaxMlp,
                TrainMlpByHand,
                |r, lr| TrainMlpByHand::dims().b(r.extent("x", 0)),
                (&r.floats("x"), &r.integers("y"), lr)
            )
        },
    ]
}
