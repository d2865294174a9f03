//! One small network under each loss against records of PyTorch's in float64.

mod golden;

golden::goldens!(losses: mse_sum, l1, smooth_l1, huber, bce_with_logits, kl_div, cross_entropy_smoothing);
