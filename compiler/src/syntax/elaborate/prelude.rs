//! The built-in layers, written in the language itself: one file per layer under `src/prelude`, one line here.
//!
//! A file is parsed when its layer is first named, so that a model pays for the layers it uses only.

use crate::syntax::ast::{Block, Item};
use crate::syntax::parse::parse_prelude;

/// The layers by name.
const LAYERS: &[(&str, &str)] = &[
    ("AdaptiveAvgPool2d", include_str!("../../prelude/adaptive_avg_pool2d.model")),
    ("AvgPool2d", include_str!("../../prelude/avg_pool2d.model")),
    ("BatchNorm1d", include_str!("../../prelude/batch_norm1d.model")),
    ("BatchNorm2d", include_str!("../../prelude/batch_norm2d.model")),
    ("Conv1d", include_str!("../../prelude/conv1d.model")),
    ("Conv2d", include_str!("../../prelude/conv2d.model")),
    ("Conv3d", include_str!("../../prelude/conv3d.model")),
    ("ConvTranspose1d", include_str!("../../prelude/conv_transpose1d.model")),
    ("ConvTranspose2d", include_str!("../../prelude/conv_transpose2d.model")),
    ("Dropout", include_str!("../../prelude/dropout.model")),
    ("Dropout2d", include_str!("../../prelude/dropout2d.model")),
    ("Elu", include_str!("../../prelude/elu.model")),
    ("Embedding", include_str!("../../prelude/embedding.model")),
    ("Flatten", include_str!("../../prelude/flatten.model")),
    ("Gelu", include_str!("../../prelude/gelu.model")),
    ("GroupNorm", include_str!("../../prelude/group_norm.model")),
    ("Gru", include_str!("../../prelude/gru.model")),
    ("Hardsigmoid", include_str!("../../prelude/hardsigmoid.model")),
    ("Hardswish", include_str!("../../prelude/hardswish.model")),
    ("Hardtanh", include_str!("../../prelude/hardtanh.model")),
    ("Identity", include_str!("../../prelude/identity.model")),
    ("InstanceNorm2d", include_str!("../../prelude/instance_norm2d.model")),
    ("LayerNorm", include_str!("../../prelude/layer_norm.model")),
    ("LeakyRelu", include_str!("../../prelude/leaky_relu.model")),
    ("Linear", include_str!("../../prelude/linear.model")),
    ("LogSoftmax", include_str!("../../prelude/log_softmax.model")),
    ("Lstm", include_str!("../../prelude/lstm.model")),
    ("MaxPool2d", include_str!("../../prelude/max_pool2d.model")),
    ("Mish", include_str!("../../prelude/mish.model")),
    ("MultiheadAttention", include_str!("../../prelude/multihead_attention.model")),
    ("Prelu", include_str!("../../prelude/prelu.model")),
    ("Relu", include_str!("../../prelude/relu.model")),
    ("Relu6", include_str!("../../prelude/relu6.model")),
    ("RmsNorm", include_str!("../../prelude/rms_norm.model")),
    ("Rnn", include_str!("../../prelude/rnn.model")),
    ("Selu", include_str!("../../prelude/selu.model")),
    ("Sigmoid", include_str!("../../prelude/sigmoid.model")),
    ("Silu", include_str!("../../prelude/silu.model")),
    ("Softmax", include_str!("../../prelude/softmax.model")),
    ("Softplus", include_str!("../../prelude/softplus.model")),
    ("Tanh", include_str!("../../prelude/tanh.model")),
    ("TransformerDecoderLayer", include_str!("../../prelude/transformer_decoder_layer.model")),
    ("TransformerEncoderLayer", include_str!("../../prelude/transformer_encoder_layer.model")),
    ("Upsample", include_str!("../../prelude/upsample.model")),
];

/// The block of that name.
pub fn block(name: &str) -> Option<Block> {
    let (_, source) = LAYERS.iter().find(|(layer, _)| *layer == name)?;
    match parse_prelude(source).items.pop() {
        Some(Item::Block(block)) => Some(block),
        _ => panic!("the prelude file of {name} holds one block"),
    }
}

/// The names of all layers of the language.
pub fn names() -> impl Iterator<Item = &'static str> {
    LAYERS.iter().map(|(name, _)| *name).chain(["Seq"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_of_the_prelude_parses_to_a_block_of_its_name() {
        for (name, _) in LAYERS {
            assert_eq!(block(name).expect("it is in the list").name.name, *name);
        }
    }
}
