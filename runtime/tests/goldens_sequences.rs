//! Networks for sequences against records of PyTorch's in float64.

mod golden;

golden::goldens!(sequences: gpt_small);
