//! Attention and the layers on it, and norms of groups, against what PyTorch makes of the same tensors in float64: results and gradients, fused and unfused.
//! `sequences/make.py` made the records.

use serde_json::Value;
use tapeless::{Device, Error, Fusion, Options, Parameter, Seed, model};

model! {
    /// Which keys a query sees; the second query sees none.
    block Seen<const L: usize, const S: usize>() -> bool<L, S> {
        let query = arange(L).unsqueeze(1);
        let quarters = 0.25 * (3 * query + 2 * arange(S)).cast(f32);
        logical_and(quarters.ne(quarters.floor()), query.ne(1))
    }

    pub model Heads(one: f32) -> f32 {
        #[param]
        let q: f32<2, 2, 5, 4> = zeros();
        #[param]
        let k: f32<2, 2, 6, 4> = zeros();
        #[param]
        let v: f32<2, 2, 6, 3> = zeros();
        q.sum() + k.sum() + v.sum() + one
    }

    pub model Biased(one: f32) -> f32 {
        #[param]
        let q: f32<2, 2, 5, 4> = zeros();
        #[param]
        let k: f32<2, 2, 6, 4> = zeros();
        #[param]
        let v: f32<2, 2, 6, 3> = zeros();
        #[param]
        let bias: f32<2, 5, 6> = zeros();
        q.sum() + k.sum() + v.sum() + bias.sum() + one
    }

    pub model One(one: f32) -> f32 {
        #[param]
        let q: f32<5, 4> = zeros();
        #[param]
        let k: f32<6, 4> = zeros();
        #[param]
        let v: f32<6, 3> = zeros();
        q.sum() + k.sum() + v.sum() + one
    }

    pub model Three(one: f32) -> f32 {
        #[param]
        let q: f32<3, 5, 4> = zeros();
        #[param]
        let k: f32<3, 6, 4> = zeros();
        #[param]
        let v: f32<3, 6, 3> = zeros();
        q.sum() + k.sum() + v.sum() + one
    }

    pub model Five(one: f32) -> f32 {
        #[param]
        let q: f32<2, 1, 2, 3, 4> = zeros();
        #[param]
        let k: f32<2, 1, 2, 3, 4> = zeros();
        #[param]
        let v: f32<2, 1, 2, 3, 4> = zeros();
        q.sum() + k.sum() + v.sum() + one
    }

    pub model Grouped(one: f32) -> f32 {
        #[param]
        let q: f32<1, 4, 3, 4> = zeros();
        #[param]
        let k: f32<1, 2, 3, 4> = zeros();
        #[param]
        let v: f32<1, 2, 3, 2> = zeros();
        q.sum() + k.sum() + v.sum() + one
    }

    pub step Plain(g: f32<2, 2, 5, 3>) -> f32<2, 2, 5, 3> {
        let n = Heads();
        let y = scaled_dot_product_attention(n.q, n.k, n.v);
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub step Causal(g: f32<2, 2, 5, 3>) -> f32<2, 2, 5, 3> {
        let n = Heads();
        let y = scaled_dot_product_attention(n.q, n.k, n.v, is_causal = true);
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub step Scaled(g: f32<2, 2, 5, 3>) -> f32<2, 2, 5, 3> {
        let n = Heads();
        let y = scaled_dot_product_attention(n.q, n.k, n.v, scale = 0.3);
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub step Masked(g: f32<2, 2, 5, 3>) -> f32<2, 2, 5, 3> {
        let n = Heads();
        let y = scaled_dot_product_attention(n.q, n.k, n.v, attn_mask = Seen(5, 6)());
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub step WithBias(g: f32<2, 2, 5, 3>) -> f32<2, 2, 5, 3> {
        let n = Biased();
        let y = scaled_dot_product_attention(n.q, n.k, n.v, n.bias);
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub step OfTwoAxes(g: f32<5, 3>) -> f32<5, 3> {
        let n = One();
        let y = scaled_dot_product_attention(n.q, n.k, n.v);
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub step OfThreeAxes(g: f32<3, 5, 3>) -> f32<3, 5, 3> {
        let n = Three();
        let y = scaled_dot_product_attention(n.q, n.k, n.v, is_causal = true);
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub step OfFiveAxes(g: f32<2, 1, 2, 3, 4>) -> f32<2, 1, 2, 3, 4> {
        let n = Five();
        let y = scaled_dot_product_attention(n.q, n.k, n.v, attn_mask = Seen(3, 3)());
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub step InGroups(g: f32<1, 4, 3, 2>) -> f32<1, 4, 3, 2> {
        let n = Grouped();
        let y = scaled_dot_product_attention(n.q, n.k, n.v, is_causal = true, enable_gqa = true);
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    /// What a place does not see: those behind it.
    block Later<const L: usize>() -> bool<L, L> {
        arange(L).gt(arange(L).unsqueeze(1))
    }

    /// Which of five places are there for the looks of a batch only.
    block Padded() -> bool<2, 5> {
        let place = arange(5);
        stack([logical_or(place.eq(2), place.eq(4)), place.ge(3)], 0)
    }

    pub model SelfHeads(one: f32) -> f32<2, 5, 8> {
        #[param]
        let x: f32<2, 5, 8> = zeros();
        let m = MultiheadAttention(2, batch_first = true);
        let (y, _) = m(x, x, x);
        one * y
    }

    pub step HeadsOf(g: f32<2, 5, 8>) -> f32<2, 5, 8> {
        let n = SelfHeads();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub model HeadsWeights(one: f32) -> f32<2, 5, 5> {
        #[param]
        let x: f32<2, 5, 8> = zeros();
        let m = MultiheadAttention(8, 2, batch_first = true);
        let (y, w) = m(x, x, x);
        one * (w + 0.0 * y.sum())
    }

    pub step WeightsOf(g: f32<2, 5, 5>) -> f32<2, 5, 5> {
        let n = HeadsWeights();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub model HeadsPast(one: f32) -> f32<2, 5, 8> {
        #[param]
        let x: f32<2, 5, 8> = zeros();
        let m = MultiheadAttention(8, 2, bias = false, batch_first = true);
        let (y, _) = m(x, x, x, is_causal = true);
        one * y
    }

    pub step PastOf(g: f32<2, 5, 8>) -> f32<2, 5, 8> {
        let n = HeadsPast();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub model HeadsCross(one: f32) -> f32<3, 2, 8> {
        #[param]
        let q: f32<3, 2, 8> = zeros();
        #[param]
        let k: f32<5, 2, 6> = zeros();
        #[param]
        let v: f32<5, 2, 4> = zeros();
        let m = MultiheadAttention(8, 4);
        let (y, _) = m(q, k, v, key_padding_mask = Padded()(), average_attn_weights = false);
        one * y
    }

    pub step CrossOf(g: f32<3, 2, 8>) -> f32<3, 2, 8> {
        let n = HeadsCross();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub model HeadsCrossWeights(one: f32) -> f32<2, 4, 3, 5> {
        #[param]
        let q: f32<3, 2, 8> = zeros();
        #[param]
        let k: f32<5, 2, 6> = zeros();
        #[param]
        let v: f32<5, 2, 4> = zeros();
        let m = MultiheadAttention(8, 4, kdim = 6, vdim = 4);
        let (y, w) = m(q, k, v, Padded()(), average_attn_weights = false);
        one * (w + 0.0 * y.sum())
    }

    pub step CrossWeightsOf(g: f32<2, 4, 3, 5>) -> f32<2, 4, 3, 5> {
        let n = HeadsCrossWeights();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub model HeadsMore(one: f32) -> f32<2, 5, 8> {
        #[param]
        let x: f32<2, 5, 8> = zeros();
        let m = MultiheadAttention(8, 2, add_bias_kv = true, add_zero_attn = true);
        let (y, _) = m(x, x, x);
        one * y
    }

    pub step MoreOf(g: f32<2, 5, 8>) -> f32<2, 5, 8> {
        let n = HeadsMore();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub model HeadsAlone(one: f32) -> f32<5, 8> {
        #[param]
        let x: f32<5, 8> = zeros();
        let m = MultiheadAttention(8, 2);
        let (y, _) = m(x, x, x);
        one * y
    }

    pub step AloneOf(g: f32<5, 8>) -> f32<5, 8> {
        let n = HeadsAlone();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub model Encoder(one: f32) -> f32<2, 5, 8> {
        #[param]
        let x: f32<2, 5, 8> = zeros();
        let m = TransformerEncoderLayer(8, 2, 16, 0.0, batch_first = true);
        one * m(x, src_mask = Later(5)())
    }

    pub step EncoderOf(g: f32<2, 5, 8>) -> f32<2, 5, 8> {
        let n = Encoder();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub model EncoderFirst(one: f32) -> f32<2, 5, 8> {
        #[param]
        let x: f32<2, 5, 8> = zeros();
        let m = TransformerEncoderLayer(8, 2, 16, 0.0, activation = gelu, norm_first = true, batch_first = true);
        one * m(x, src_key_padding_mask = Padded()())
    }

    pub step EncoderFirstOf(g: f32<2, 5, 8>) -> f32<2, 5, 8> {
        let n = EncoderFirst();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub model Decoder(one: f32) -> f32<2, 5, 8> {
        #[param]
        let x: f32<2, 5, 8> = zeros();
        #[param]
        let y: f32<2, 4, 8> = zeros();
        let m = TransformerDecoderLayer(nhead = 2, dim_feedforward = 16, dropout = 0.0, batch_first = true);
        one * m(x, y, tgt_is_causal = true)
    }

    pub step DecoderOf(g: f32<2, 5, 8>) -> f32<2, 5, 8> {
        let n = Decoder();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub model DecoderFirst(one: f32) -> f32<2, 5, 8> {
        #[param]
        let x: f32<2, 5, 8> = zeros();
        #[param]
        let y: f32<2, 4, 8> = zeros();
        let m = TransformerDecoderLayer(8, 2, 16, 0.0, norm_first = true, batch_first = true);
        one * m(x, y)
    }

    pub step DecoderFirstOf(g: f32<2, 5, 8>) -> f32<2, 5, 8> {
        let n = DecoderFirst();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub model Groups(one: f32) -> f32<2, 4, 3, 2> {
        #[param]
        let x: f32<2, 4, 3, 2> = zeros();
        let m = GroupNorm(2);
        one * m(x)
    }

    pub step GroupsOf(g: f32<2, 4, 3, 2>) -> f32<2, 4, 3, 2> {
        let n = Groups();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub model FlatGroups(one: f32) -> f32<3, 6> {
        #[param]
        let x: f32<3, 6> = zeros();
        let m = GroupNorm(3, affine = false);
        one * m(x)
    }

    pub step FlatGroupsOf(g: f32<3, 6>) -> f32<3, 6> {
        let n = FlatGroups();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }

    pub model Instances(one: f32) -> f32<2, 3, 4, 2> {
        #[param]
        let x: f32<2, 3, 4, 2> = zeros();
        let m = InstanceNorm2d(affine = true);
        one * m(x)
    }

    pub step InstancesOf(g: f32<2, 3, 4, 2>) -> f32<2, 3, 4, 2> {
        let n = Instances();
        let y = n(f32(1));
        minimize((y * g).sum(), over = n, with = Sgd(0.0));
        y
    }
}

/// The numbers that the formula of the script gives.
fn filled(count: usize, step: usize, modulus: usize, scale: f32) -> Vec<f32> {
    (0..count).map(|i| ((i * step % modulus) as f32 - (modulus / 2) as f32) / scale).collect()
}

/// What the numbers of each parameter go up by, in the order of the keys.
const STEPS: [usize; 20] = [37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 103, 107, 109, 113, 127, 131];

fn sorted(mut parameters: Vec<Parameter>) -> Vec<Parameter> {
    parameters.sort_by(|one, other| one.key.cmp(&other.key));
    parameters
}

fn records() -> Value {
    serde_json::from_str(include_str!("sequences/records.json")).expect("records are JSON")
}

fn numbers(recorded: &Value) -> Vec<f64> {
    let numbers = recorded.as_array().expect("the case is recorded");
    numbers.iter().map(|number| number.as_f64().expect("a number")).collect()
}

fn assert_close(what: &str, found: &[f32], exact: &[f64]) {
    assert_eq!(found.len(), exact.len(), "{what}");
    for (at, (&found, exact)) in found.iter().zip(exact).enumerate() {
        let off = (f64::from(found) - exact).abs();
        assert!(off <= 3e-6 * exact.abs().max(1.0), "{what}: element {at} is {found}, not {exact}");
    }
}

/// A test per case: `cases!(name: Step of Model, …)`.
macro_rules! cases {
    ($($name:ident: $step:ident of $model:ident),* $(,)?) => {
        $(#[test]
        fn $name() -> Result<(), Error> {
            let device = Device::cpu();
            let record = &records()[stringify!($name)];
            let result = numbers(&record["result"]);
            for fusion in [Fusion::default(), Fusion::none()] {
                let options = Options { keep_gradients: true, fusion, ..Options::default() };
                let mut net = $model::new(&device, Seed(0))?;
                for (parameter, step) in sorted(net.parameters()).iter().zip(STEPS) {
                    net.set(&parameter.key, &filled(parameter.shape.iter().product(), step, 101, 64.0))?;
                }
                let mut step = $step::compile(&device, $step::dims(), &options)?;
                let y = step.run(&mut net, &filled(result.len(), 17, 23, 8.0))?.output.to_vec();
                assert_close("the result", &y, &result);
                for parameter in net.parameters() {
                    let gradient = step.gradient(&parameter.key)?.to_vec();
                    // What PyTorch has no gradient for has one of zeros.
                    let recorded = record["gradients"].get(&parameter.key);
                    let exact = recorded.map_or_else(|| vec![0.0; gradient.len()], numbers);
                    assert_close(&parameter.key, &gradient, &exact);
                }
            }
            Ok(())
        })*
    };
}

cases!(
    plain: Plain of Heads,
    causal: Causal of Heads,
    scaled: Scaled of Heads,
    masked: Masked of Heads,
    biased: WithBias of Biased,
    one: OfTwoAxes of One,
    three: OfThreeAxes of Three,
    five: OfFiveAxes of Five,
    grouped: InGroups of Grouped,
    heads: HeadsOf of SelfHeads,
    heads_weights: WeightsOf of HeadsWeights,
    heads_past: PastOf of HeadsPast,
    heads_cross: CrossOf of HeadsCross,
    heads_cross_weights: CrossWeightsOf of HeadsCrossWeights,
    heads_more: MoreOf of HeadsMore,
    heads_alone: AloneOf of HeadsAlone,
    encoder: EncoderOf of Encoder,
    encoder_first: EncoderFirstOf of EncoderFirst,
    decoder: DecoderOf of Decoder,
    decoder_first: DecoderFirstOf of DecoderFirst,
    group_norm: GroupsOf of Groups,
    group_norm_flat: FlatGroupsOf of FlatGroups,
    instance_norm: InstancesOf of Instances,
);
