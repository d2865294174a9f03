//! AdamW, by PyTorch's rule: Adam whose weight decay is apart from the gradient.

use super::adam;
use super::arguments::{Argument, Signature};
use super::descent::Descent;

/// The signature.
pub const SIGNATURE: Signature = Signature {
    name: "AdamW",
    arguments: &[
        Argument::scalar("lr", 1e-3),
        Argument::fractions("betas", 0.9, 0.999),
        Argument::number("eps", 1e-8),
        Argument::scalar("weight_decay", 1e-2),
        Argument::switch("amsgrad"),
        Argument::switch("maximize"),
    ],
    build: |arguments| adam::with(arguments, Descent::decoupled(arguments)),
};
