//! One small network under each optimizer and each schedule. A schedule is a learning rate that is an input.

use super::{Golden, golden};
use tapeless::model;

model! {
    /// One hidden layer.
    pub model Small(x: f32<N, 8>) -> f32<N, 4> {
        #[name("")]
        let layers = Seq(Linear(16), Tanh(), Linear(4));
        layers(x)
    }

    /// `Adagrad`.
    pub step TrainAdagrad(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Adagrad(lr));
        metric(loss);
        pred
    }

    /// `Adam`.
    pub step TrainAdam(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
        pred
    }

    /// `Adam` with `amsgrad`.
    pub step TrainAmsgrad(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Adam(lr, amsgrad = true));
        metric(loss);
        pred
    }

    /// `AdamW`.
    pub step TrainAdamW(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = AdamW(lr, weight_decay = 0.1));
        metric(loss);
        pred
    }

    /// `RmsProp`.
    pub step TrainRmsProp(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = RmsProp(lr, alpha = 0.99));
        metric(loss);
        pred
    }

    /// `RmsProp`, centred, with momentum.
    pub step TrainCentered(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = RmsProp(lr, alpha = 0.9, momentum = 0.9, centered = true));
        metric(loss);
        pred
    }

    /// `Sgd`.
    pub step TrainSgd(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        pred
    }

    /// `Sgd` with momentum.
    pub step TrainMomentum(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Sgd(lr, momentum = 0.9));
        metric(loss);
        pred
    }

    /// `Sgd` with momentum of Nesterov and weight decay.
    pub step TrainNesterov(x: f32<dyn B, 8>, y: f32<B, 4>, lr: f32) -> f32<B, 4> {
        let net = Small();
        let pred = net(x);
        let loss = mse(pred, y);
        minimize(loss, over = net, with = Sgd(lr, momentum = 0.9, nesterov = true, weight_decay = 0.01));
        metric(loss);
        pred
    }
}

/// Runs of [`Small`].
macro_rules! small {
    ($($name:literal, $record:literal, $step:ident;)*) => {
        vec![$(Golden {
            name: $name,
            ..golden!(
                $record,
                Small,
                $step,
                |r, lr| $step::dims().b(r.extent("x", 0)),
                (&r.floats("x"), &r.floats("y"), lr)
            )
        }),*]
    };
}

/// The goldens of the optimizers and of the schedules.
pub fn optimizers() -> Vec<Golden> {
    small! {
        "adagrad", "optim_adagrad", TrainAdagrad;
        "adam", "optim_adam", TrainAdam;
        "adam_amsgrad", "optim_adam_amsgrad", TrainAmsgrad;
        "adamw", "optim_adamw", TrainAdamW;
        "rmsprop", "optim_rmsprop", TrainRmsProp;
        "rmsprop_momentum", "optim_rmsprop_momentum", TrainCentered;
        "sgd", "optim_sgd", TrainSgd;
        "sgd_momentum", "optim_sgd_momentum", TrainMomentum;
        "sgd_nesterov_decay", "optim_sgd_nesterov_decay", TrainNesterov;
        "schedule_cosine", "schedule_cosine", TrainSgd;
        "schedule_exponential", "schedule_exponential", TrainSgd;
        "schedule_one_cycle", "schedule_one_cycle", TrainSgd;
        "schedule_step", "schedule_step", TrainSgd;
        "schedule_warmup_cosine", "schedule_warmup_cosine", TrainSgd;
    }
}
