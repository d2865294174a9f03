//! One small network under each optimizer and each schedule against records of PyTorch's in float64. A schedule is a learning
//! rate that is an input.

mod record;

use record::golden;
use tapeless::model;

model! {
    pub model Small(x: f32<N, 8>) -> f32<N, 4> {
        #[name("")]
        let layers = Seq(Linear(16), Tanh(), Linear(4));
        layers(x)
    }

    pub step TrainAdagrad(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Adagrad(lr));
        metric(loss);
        pred
    }

    pub step TrainAdam(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
        pred
    }

    pub step TrainAmsgrad(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Adam(lr, amsgrad = true));
        metric(loss);
        pred
    }

    pub step TrainAdamW(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = AdamW(lr, weight_decay = 0.1));
        metric(loss);
        pred
    }

    pub step TrainRmsProp(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = RmsProp(lr, alpha = 0.99));
        metric(loss);
        pred
    }

    pub step TrainCentered(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = RmsProp(lr, alpha = 0.9, momentum = 0.9, centered = true));
        metric(loss);
        pred
    }

    pub step TrainSgd(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }

    pub step TrainMomentum(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Sgd(lr, momentum = 0.9));
        metric(loss);
        pred
    }

    pub step TrainNesterov(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Sgd(lr, momentum = 0.9, nesterov = true, weight_decay = 0.01));
        metric(loss);
        pred
    }
}

/// A run of [`Small`] by one record: `small!(test, "record", Step)`.
macro_rules! small {
    ($test:ident, $name:literal, $step:ident) => {
        golden!(
            $test,
            $name,
            Small,
            $step,
            |r, lr| $step::dims().b(r.extent("x", 0)),
            (&r.floats("x"), &r.floats("y"), lr)
        );
    };
}

small!(adagrad, "optim_adagrad", TrainAdagrad);
small!(adam, "optim_adam", TrainAdam);
small!(adam_amsgrad, "optim_adam_amsgrad", TrainAmsgrad);
small!(adamw, "optim_adamw", TrainAdamW);
small!(rmsprop, "optim_rmsprop", TrainRmsProp);
small!(rmsprop_momentum, "optim_rmsprop_momentum", TrainCentered);
small!(sgd, "optim_sgd", TrainSgd);
small!(sgd_momentum, "optim_sgd_momentum", TrainMomentum);
small!(sgd_nesterov_decay, "optim_sgd_nesterov_decay", TrainNesterov);
small!(schedule_cosine, "schedule_cosine", TrainSgd);
small!(schedule_exponential, "schedule_exponential", TrainSgd);
small!(schedule_one_cycle, "schedule_one_cycle", TrainSgd);
small!(schedule_step, "schedule_step", TrainSgd);
small!(schedule_warmup_cosine, "schedule_warmup_cosine", TrainSgd);
