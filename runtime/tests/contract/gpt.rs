//! The program `gpt` of the corpus. A decoder with an untied and with a tied head.

use crate::assert_falls;
use tapeless::{Device, Error, Options, Seed, model};

model! {
    block Heads<const HEADS: usize>(x: f32<N, T, D>) -> f32<N, HEADS, T, {D / HEADS}> {
        x.reshape([N, T, HEADS, D / HEADS]).transpose(1, 2)
    }

    block GptBlock<const HEADS: usize>(x: f32<N, T, D>) -> f32<N, T, D> {
        assert!(D % HEADS == 0, "{HEADS} heads do not divide {D}");
        let ln1 = LayerNorm();
        let ln2 = LayerNorm();
        let qkv = Linear(3 * D);
        let proj = Linear(D);
        let up = Linear(4 * D);
        let down = Linear(D);
        let heads = Heads(HEADS);

        let [q, k, v] = x.ln1().qkv().split(D, axis = -1);
        let a = scaled_dot_product_attention(heads(q), heads(k), heads(v), is_causal = true);
        let x = x + a.transpose(1, 2).reshape([N, T, D]).proj();
        x + x.ln2().up().gelu(approximate = tanh).down()
    }

    pub model Gpt<const VOCAB: usize = 65, const LAYERS: usize = 2, const HEADS: usize = 4, const D: usize = 64,
                  const CONTEXT: usize = 32, const TIED: bool = false>(ids: u32<N, T>) -> f32<N, T, VOCAB> {
        assert!(T <= CONTEXT, "{T} tokens do not fit a context of {CONTEXT}");
        let tok = Embedding(VOCAB, D);
        let pos = Embedding(CONTEXT, D);
        let blocks = [GptBlock(HEADS); LAYERS];
        let ln = LayerNorm();

        let mut x = tok(ids) + pos.weight.slice(0, 0..T);
        #[remat]
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

    pub model TiedGpt = Gpt(TIED = true);

    pub step TrainGpt(ids: u32<dyn B, dyn T>, next: u32<B, T>, lr: f32) -> f32<B, T, 65> {
        let net = Gpt();
        let logits = net(ids);
        let loss = cross_entropy(logits.flatten(0, 1), next.flatten());
        minimize(loss, over = net, with = AdamW(lr, betas = (0.9, 0.95), weight_decay = 0.1));
        metric(loss);
        logits
    }

    pub step TrainTiedGpt(ids: u32<dyn B, dyn T>, next: u32<B, T>, lr: f32) {
        let net = TiedGpt();
        let logits = net(ids);
        let loss = cross_entropy(logits.transpose(1, 2), next);
        minimize(loss, over = net, with = AdamW(lr, weight_decay = 0.1), groups = [("*.bias", weight_decay = 0.0), ("*ln*", weight_decay = 0.0)]);
        metric(loss, perplexity = loss.exp());
    }

    pub step NextToken(ids: u32<dyn B, dyn T>, length: u32<B>) -> u32<B> {
        let net = Gpt();
        let last = arange(T).eq(length.unsqueeze(1) - 1).unsqueeze(2);
        select(last, net(ids), 0.0).sum(1).argmax(1)
    }
}

#[test]
fn both_heads_train_and_a_line_is_continued() -> Result<(), Error> {
    let device = Device::cpu();
    let text: Vec<u32> = (0..4 * 32 + 1).map(|i| i * i % 65).collect();
    let (ids, next) = (&text[..4 * 32], &text[1..]);
    let mut net = Gpt::new(&device, Seed(0))?;
    let mut train = TrainGpt::compile(&device, TrainGpt::dims().b(4).t(32), &Options::default())?;
    let mut losses = Vec::new();
    for _ in 0..5 {
        losses.push(train.run(&mut net, ids, next, 0.001)?.loss);
    }
    assert_falls(&losses);

    let mut tied = TiedGpt::new(&device, Seed(0))?;
    assert!(tied.get("head.weight").is_err());
    let mut train_tied = TrainTiedGpt::compile(&device, TrainTiedGpt::dims().b(8).t(16), &Options::default())?;
    let mut losses = Vec::new();
    for _ in 0..3 {
        let out = train_tied.run(&mut tied, ids, next, 0.001)?;
        assert!((out.perplexity - out.loss.exp()).abs() < 1e-4 * out.perplexity);
        losses.push(out.loss);
    }
    assert_falls(&losses);

    let too_long = TrainGpt::compile(&device, TrainGpt::dims().b(1).t(33), &Options::default());
    let error = too_long.expect_err("a context has 32 places").to_string();
    assert!(error.contains("T is 33, more than 32"), "{error}");
    let mut next_token = NextToken::compile(&device, NextToken::dims().b(1).t(32), &Options::default())?;
    let mut line = vec![0u32; 32];
    for length in 1..32 {
        line[length] = next_token.run(&net, &line, &[length as u32])?.output[0];
    }
    assert!(line.iter().all(|&token| token < 65), "{line:?}");
    Ok(())
}
