//! Networks of attention over tokens.

use crate::{filled, ids, networks};
use tapeless::{Device, Error, Options, Seed, model};

model! {
    /// Sequences of different lengths, padded with zeros, and the mean of what is there.
    pub model Encoder(ids: u32<N, T>) -> f32<N, 3> {
        let embed = Embedding(20, 8, padding_idx = 0);
        let pos = Embedding(10, 8);
        let layers = [TransformerEncoderLayer(8, 2, dim_feedforward = 12, dropout = 0.0, activation = gelu, batch_first = true); 2];
        let norm = LayerNorm();
        let head = Linear(3);
        let padding = ids.eq(0);
        let mut x = embed(ids) + pos(arange(T));
        for layer in layers {
            x = layer(x, src_key_padding_mask = padding);
        }
        let there = logical_not(padding).cast(f32).unsqueeze(-1);
        ((norm(x) * there).sum(1) / there.sum(1)).head()
    }

    pub step TrainEncoder(ids: u32<dyn B, dyn T>, label: u32<B>) {
        let net = Encoder();
        let loss = cross_entropy(net(ids), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// A linear layer whose weight lies the other way round.
    block Turned<const O: usize>(x: f32<{..}, I>) {
        #[param]
        let weight: f32<I, O> = normal(0.02);
        #[param]
        let bias: f32<O> = zeros();
        x.matmul(weight) + bias
    }

    block Attention<const HEADS: usize>(x: f32<N, T, D>) -> f32<N, T, D> {
        let c_attn = Turned(3 * D);
        let c_proj = Turned(D);
        let qkv = x.c_attn().reshape([N, T, 3, HEADS, D / HEADS]).permute([2, 0, 3, 1, 4]);
        let q = qkv.at(0, 0);
        let k = qkv.at(0, 1);
        let v = qkv.at(0, 2);
        let scores = q.matmul(k.transpose(-2, -1)) / sqrt(D / HEADS);
        let seen = arange(T).unsqueeze(1).ge(arange(T));
        let weights = select(seen, scores, -1e30).softmax(-1);
        weights.matmul(v).transpose(1, 2).reshape([N, T, D]).c_proj()
    }

    block Feed(x: f32<N, T, D>) -> f32<N, T, D> {
        let c_fc = Turned(4 * D);
        let c_proj = Turned(D);
        x.c_fc().gelu(approximate = tanh).c_proj()
    }

    block Layer<const HEADS: usize>(x: f32<N, T, D>) -> f32<N, T, D> {
        let ln_1 = LayerNorm();
        let attn = Attention(HEADS);
        let ln_2 = LayerNorm();
        let mlp = Feed();
        let x = x + x.ln_1().attn();
        x + x.ln_2().mlp()
    }

    /// A decoder whose head is its embedding, with the keys of GPT-2.
    pub model Decoder(ids: u32<N, T>) -> f32<N, T, 20> {
        let wte = Embedding(20, 8);
        let wpe = Embedding(10, 8);
        let h = [Layer(2); 2];
        let ln_f = LayerNorm();
        let mut x = wte(ids) + wpe.weight.slice(0, 0..T);
        for layer in h {
            x = layer(x);
        }
        x.ln_f().matmul(wte.weight.t())
    }

    pub step TrainDecoder(ids: u32<dyn B, dyn T>) {
        let net = Decoder();
        let logits = net(ids).slice(1, 0..T - 1);
        let loss = cross_entropy(logits.flatten(0, 1), ids.slice(1, 1..T).flatten());
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// From one sequence to another, with masks on both sides.
    pub model SeqToSeq(source: u32<N, S>, target: u32<N, T>) -> f32<N, T, 15> {
        let embed = Embedding(15, 8);
        let encoder = TransformerEncoderLayer(8, 2, 12, 0.0, batch_first = true, norm_first = true);
        let decoder = TransformerDecoderLayer(8, 2, 12, 0.0, batch_first = true, norm_first = true);
        let padding = source.eq(0);
        let memory = encoder(embed(source), src_key_padding_mask = padding);
        let y = decoder(embed(target), memory, tgt_is_causal = true, memory_key_padding_mask = padding);
        y.matmul(embed.weight.t())
    }

    pub step TrainSeqToSeq(source: u32<dyn B, dyn S>, target: u32<B, dyn T>, next: u32<B, T>) {
        let net = SeqToSeq();
        let loss = cross_entropy(net(source, target).transpose(1, 2), next, ignore_index = 0);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    block Mlp<const HIDDEN: usize>(x: f32<{..}, D>) {
        let fc1 = Linear(HIDDEN);
        let fc2 = Linear(D);
        x.fc1().gelu().fc2()
    }

    block Mixer(x: f32<N, P, D>) -> f32<N, P, D> {
        let norm1 = LayerNorm();
        let mlp_tokens = Mlp(6);
        let norm2 = LayerNorm();
        let mlp_channels = Mlp(4 * D);
        let x = x + x.norm1().transpose(1, 2).mlp_tokens().transpose(1, 2);
        x + x.norm2().mlp_channels()
    }

    /// Linear layers across patches and across channels by turns.
    pub model MlpMixer(image: f32<N, 3, 8, 12>) -> f32<N, 4> {
        let stem = Conv2d(6, 4, stride = 4);
        let blocks = [Mixer(); 2];
        let norm = LayerNorm();
        let head = Linear(4);
        let mut x = stem(image).flatten(2).transpose(1, 2);
        for block in blocks {
            x = block(x);
        }
        x.norm().mean(1).head()
    }

    pub step TrainMixer(image: f32<dyn B, 3, 8, 12>, label: u32<B>) {
        let net = MlpMixer();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Attention inside windows that lie half a window further, with a learned bias for every distance.
    block Windows<const WINDOW: usize, const HEADS: usize>(x: f32<N, H, W, C>) -> f32<N, H, W, C> {
        let qkv = Linear(3 * C);
        let proj = Linear(C);
        #[param]
        let table: f32<{(2 * WINDOW - 1) * (2 * WINDOW - 1)}, HEADS> = trunc_normal(0.02);
        let half = WINDOW / 2;
        let area = WINDOW * WINDOW;
        let x = x.roll([half, half], [1, 2]);
        let x = x.reshape([N, H / WINDOW, WINDOW, W / WINDOW, WINDOW, C]).permute([0, 1, 3, 2, 4, 5]).reshape([-1, area, C]);
        let parts = x.qkv().reshape([-1, area, 3, HEADS, C / HEADS]).permute([2, 0, 3, 1, 4]);
        let row = arange(WINDOW).repeat_interleave(WINDOW, 0);
        let column = arange(WINDOW).expand([WINDOW, WINDOW]).flatten();
        let rows = row.unsqueeze(1) + (WINDOW - 1) - row;
        let columns = column.unsqueeze(1) + (WINDOW - 1) - column;
        let bias = table.index_select(0, rows * (2 * WINDOW - 1) + columns).permute([2, 0, 1]);
        let y = scaled_dot_product_attention(parts.at(0, 0), parts.at(0, 1), parts.at(0, 2), attn_mask = bias);
        let y = y.transpose(1, 2).flatten(2).proj();
        let y = y.reshape([N, H / WINDOW, W / WINDOW, WINDOW, WINDOW, C]).permute([0, 1, 3, 2, 4, 5]).reshape([N, H, W, C]);
        y.roll((0 - half, 0 - half), (1, 2))
    }

    pub model Swin(image: f32<N, 3, H, W>) -> f32<N, 3> {
        let patch = Conv2d(4, 2, stride = 2);
        let norm1 = LayerNorm();
        let attn = Windows(2, 2);
        let norm2 = LayerNorm();
        let mlp = Mlp(8);
        let reduction = Linear(8, bias = false);
        let head = Linear(3);
        let x = patch(image).permute([0, 2, 3, 1]);
        let x = x + x.norm1().attn();
        let x = x + x.norm2().mlp();
        let merged = x.reshape([N, H / 4, 2, W / 4, 2, 4]).permute([0, 1, 3, 2, 4, 5]).flatten(3);
        merged.reduction().mean([1, 2]).head()
    }

    pub step TrainSwin(image: f32<dyn B, 3, 8, 16>, label: u32<B>) {
        let net = Swin();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net, with = Sgd(0.0));
        metric(loss);
    }

    /// Attention whose values and results are taken as they are.
    pub model Dropping(x: f32<N, T, 4>) -> (f32<N, T, 4>, f32<N, T, T>) {
        let attn = MultiheadAttention(4, 1, dropout = 0.5, batch_first = true);
        attn(x, x, x)
    }

    #[train]
    pub step Drop(x: f32<dyn B, dyn T, 4>) -> (f32<B, T, 4>, f32<B, T, T>) {
        let net = Dropping();
        let (y, w) = net(x);
        (y - w.matmul(x), w)
    }
}

networks! {
    encoder: TrainEncoder of Encoder, [b = 3, t = 7], (&ids(21, 17, 9), &ids(3, 29, 3));
    decoder: TrainDecoder of Decoder, [b = 2, t = 8], (&ids(16, 17, 20));
    seq_to_seq: TrainSeqToSeq of SeqToSeq, [b = 3, s = 6, t = 5], (&ids(18, 17, 8), &ids(15, 29, 15), &ids(15, 31, 6));
    mlp_mixer: TrainMixer of MlpMixer, [b = 3], (&filled(864, 17, 512.0), &ids(3, 29, 4));
    swin: TrainSwin of Swin, [b = 2], (&filled(768, 17, 512.0), &ids(2, 29, 3));
}

#[test]
fn attention_returns_the_weights_that_dropout_left() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Dropping::new(&device, Seed(4))?;
    let identity = |row: usize, column: usize| f32::from(u8::from(row == column));
    let mut weight = filled(12 * 4, 17, 512.0);
    for row in 0..4 {
        (0..4).for_each(|column| weight[(8 + row) * 4 + column] = identity(row, column));
    }
    net.set("attn.in_proj_weight", &weight)?;
    let identity: Vec<f32> = (0..16).map(|at| identity(at / 4, at % 4)).collect();
    net.set("attn.out_proj.weight", &identity)?;
    let mut step = Drop::compile(&device, Drop::dims().b(2).t(8), &Options::default())?;
    let out = step.run(&mut net, &filled(64, 29, 512.0))?;
    let (off, weights) = (out.output.0.to_vec(), out.output.1.to_vec());
    assert!(off.iter().all(|off| off.abs() < 1e-5), "{off:?}");
    let dropped = weights.iter().filter(|&&weight| weight == 0.0).count();
    assert!((40..88).contains(&dropped), "{dropped} of {} weights are dropped", weights.len());
    Ok(())
}
