//! Scalars, a line and small networks against records of PyTorch's in float64.

mod golden;

golden::goldens!(
    networks: scalar_line,
    fan_out,
    line_fit,
    net_10_20_1,
    softmax_mlp,
    softmax_mlp_with_its_loss_written_out,
);
