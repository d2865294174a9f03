//! Decoders over tokens: Touvron and others, "Llama 2: open foundation and fine-tuned chat models" (2023), with rotary positions,
//! norms by the root of the mean square, and keys and values that several heads of queries share. Keys and layouts are those of
//! `LlamaForCausalLM` of Hugging Face's transformers.

use crate::model;

model! {
    use crate::models::Rotary;

    /// Attention to what stands before. `KV` heads of keys and values serve `HEADS` heads of queries.
    pub block LlamaAttention<const HEADS: usize, const KV: usize, const THETA: f32 = 10000.0, const INTERLEAVED: bool = false>(x: f32<N, T, D>) -> f32<N, T, D> {
        assert!(D % HEADS == 0, "{HEADS} heads do not divide {D}");
        assert!(HEADS % KV == 0, "{KV} heads of keys do not divide {HEADS} of queries");
        const WIDTH: usize = D / HEADS;
        let q_proj = Linear(D, bias = false);
        let k_proj = Linear(KV * WIDTH, bias = false);
        let v_proj = Linear(KV * WIDTH, bias = false);
        let o_proj = Linear(D, bias = false);
        let rotary = Rotary(THETA, INTERLEAVED);
        let q = x.q_proj().reshape([N, T, HEADS, WIDTH]).transpose(1, 2).rotary();
        let k = x.k_proj().reshape([N, T, KV, WIDTH]).transpose(1, 2).rotary();
        let v = x.v_proj().reshape([N, T, KV, WIDTH]).transpose(1, 2);
        let y = scaled_dot_product_attention(q, k, v, is_causal = true, enable_gqa = true);
        y.transpose(1, 2).reshape([N, T, D]).o_proj()
    }

    /// Two linear layers, the first behind a gate.
    pub block SwiGlu<const HIDDEN: usize>(x: f32<N, T, D>) -> f32<N, T, D> {
        let gate_proj = Linear(HIDDEN, bias = false);
        let up_proj = Linear(HIDDEN, bias = false);
        let down_proj = Linear(D, bias = false);
        (x.gate_proj().silu() * x.up_proj()).down_proj()
    }

    /// Attention and a gated network, each behind a norm and beside the way around it.
    pub block LlamaBlock<const HEADS: usize, const KV: usize, const HIDDEN: usize, const THETA: f32 = 10000.0, const EPS: f32 = 1e-5, const INTERLEAVED: bool = false>(x: f32<N, T, D>) -> f32<N, T, D> {
        let self_attn = LlamaAttention(HEADS, KV, THETA, INTERLEAVED);
        let mlp = SwiGlu(HIDDEN);
        let input_layernorm = RmsNorm(eps = EPS);
        let post_attention_layernorm = RmsNorm(eps = EPS);
        let x = x + x.input_layernorm().self_attn();
        x + x.post_attention_layernorm().mlp()
    }

    /// Embeddings, blocks and a norm.
    block LlamaLayers<const VOCAB: usize, const LAYERS: usize, const HEADS: usize, const KV: usize, const D: usize, const HIDDEN: usize, const THETA: f32, const EPS: f32, const INTERLEAVED: bool, const TIED: bool>(ids: u32<N, T>) -> f32<N, T, _> {
        let embed_tokens = Embedding(VOCAB, D);
        let layers = [LlamaBlock(HEADS, KV, HIDDEN, THETA, EPS, INTERLEAVED); LAYERS];
        let norm = RmsNorm(eps = EPS);
        let mut x = embed_tokens(ids);
        for layer in layers {
            x = layer(x);
        }
        x = norm(x);
        if TIED { x.matmul(embed_tokens.weight.t()) } else { x }
    }

    /// The logits of the token behind each. With `TIED`, the weights of the embedding are those of the last layer; with
    /// `INTERLEAVED`, the rows of queries and keys lie as in the weights of Meta.
    pub model Llama<const VOCAB: usize = 256, const LAYERS: usize = 4, const HEADS: usize = 4, const KV: usize = 2, const D: usize = 128, const HIDDEN: usize = 352, const THETA: f32 = 10000.0, const EPS: f32 = 1e-5, const TIED: bool = false, const INTERLEAVED: bool = false>(ids: u32<N, T>) -> f32<N, T, VOCAB> {
        let model = LlamaLayers(VOCAB, LAYERS, HEADS, KV, D, HIDDEN, THETA, EPS, INTERLEAVED, TIED);
        if TIED {
            ids.model()
        } else {
            let lm_head = Linear(VOCAB, bias = false);
            ids.model().lm_head()
        }
    }
}
