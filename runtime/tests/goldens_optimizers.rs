//! One small network under each optimizer and each schedule against records of PyTorch's in float64.

mod golden;

golden::goldens!(
    optimizers: adagrad,
    adam,
    adam_amsgrad,
    adamw,
    rmsprop,
    rmsprop_momentum,
    sgd,
    sgd_momentum,
    sgd_nesterov_decay,
    schedule_cosine,
    schedule_exponential,
    schedule_one_cycle,
    schedule_step,
    schedule_warmup_cosine,
);
