//! Decoders over tokens: Radford and others, "Language models are unsupervised multitask learners" (2019), with layer norms
//! before attention and before the two linear layers of each block.

use crate::model;

model! {
    /// The heads of queries, keys or values, each with its share of the width.
    block Heads<const HEADS: usize>(x: f32<N, T, D>) -> f32<N, HEADS, T, {D / HEADS}> {
        x.reshape([N, T, HEADS, D / HEADS]).transpose(1, 2)
    }

    /// Attention to what stands before, then two linear layers, each beside the way around it.
    pub block GptBlock<const HEADS: usize, const DROP: f32 = 0.0>(x: f32<N, T, D>) -> f32<N, T, D> {
        assert!(D % HEADS == 0, "{HEADS} heads do not divide {D}");
        let ln1 = LayerNorm();
        let qkv = Linear(3 * D);
        let proj = Linear(D);
        let ln2 = LayerNorm();
        let up = Linear(4 * D);
        let down = Linear(D);
        let heads = Heads(HEADS);

        let [q, k, v] = x.ln1().qkv().split(D, axis = -1);
        let a = scaled_dot_product_attention(heads(q), heads(k), heads(v), dropout_p = DROP, is_causal = true);
        let x = x + a.transpose(1, 2).reshape([N, T, D]).proj().dropout(DROP);
        x + x.ln2().up().gelu(approximate = tanh).down().dropout(DROP)
    }

    /// The logits of the token behind each, from so many layers of blocks; tokens have a place among `CONTEXT` at most. With
    /// `TIED`, the weights of the embedding are those of the last layer.
    pub model Gpt<const VOCAB: usize = 256, const LAYERS: usize = 4, const HEADS: usize = 4, const D: usize = 128, const CONTEXT: usize = 64, const DROP: f32 = 0.0, const TIED: bool = false>(ids: u32<N, T>) -> f32<N, T, VOCAB> {
        assert!(T <= CONTEXT, "{T} tokens do not fit a context of {CONTEXT}");
        let tok = Embedding(VOCAB, D);
        let pos = Embedding(CONTEXT, D);
        let blocks = [GptBlock(HEADS, DROP); LAYERS];
        let ln = LayerNorm();

        let mut x = (tok(ids) + pos.weight.slice(0, 0..T)).dropout(DROP);
        for block in blocks {
            x = block(x);
        }
        x = ln(x);
        if TIED {
            x.matmul(tok.weight.t())
        } else {
            let head = Linear(VOCAB, bias = false);
            head(x)
        }
    }
}
