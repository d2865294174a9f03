//! Networks for sequences, of the library: embeddings, attention, layer norm.

use super::{Golden, golden};
use tapeless::model;

model! {
    use tapeless::models::Gpt;

    pub model SmallGpt = Gpt(VOCAB = 65, LAYERS = 2, HEADS = 4, D = 64, CONTEXT = 32);

    pub step TrainSmallGpt(ids: u32<dyn B, dyn T>, next: u32<B, T>, lr: f32) -> f32<B, T, 65> {
        let net = SmallGpt();
        let logits = net(ids);
        let loss = cross_entropy(logits.flatten(0, 1), next.flatten());
        minimize(loss, over = net, with = AdamW(lr, betas = (0.9, 0.95), weight_decay = 0.1));
        metric(loss);
        logits
    }
}

/// Networks for sequences.
pub fn sequences() -> Vec<Golden> {
    vec![golden!(
        "gpt_small",
        SmallGpt,
        TrainSmallGpt,
        |r, lr| TrainSmallGpt::dims().b(r.extent("x", 0)).t(r.extent("x", 1)),
        (&r.integers("x"), &r.integers("y"), lr)
    )]
}
