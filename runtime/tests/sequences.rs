//! Attention against what PyTorch makes of the same tensors in float64: results and gradients, fused and unfused.
//! `sequences/make.py` made the records.

use serde_json::Value;
use tapeless::{Device, Error, Fusion, Options, Seed, model};

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
}

/// The numbers that the formula of the script gives.
fn filled(count: usize, step: usize, modulus: usize, scale: f32) -> Vec<f32> {
    (0..count).map(|i| ((i * step % modulus) as f32 - (modulus / 2) as f32) / scale).collect()
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
        assert!(off <= 2e-6 * exact.abs().max(1.0), "{what}: element {at} is {found}, not {exact}");
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
                for (parameter, step) in net.parameters().iter().zip([37, 41, 43, 47]) {
                    net.set(&parameter.key, &filled(parameter.shape.iter().product(), step, 101, 32.0))?;
                }
                let mut step = $step::compile(&device, $step::dims(), &options)?;
                let y = step.run(&mut net, &filled(result.len(), 17, 23, 8.0))?.output.to_vec();
                assert_close("the result", &y, &result);
                for parameter in net.parameters() {
                    let gradient = step.gradient(&parameter.key)?.to_vec();
                    assert_close(&parameter.key, &gradient, &numbers(&record["gradients"][&parameter.key]));
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
);
