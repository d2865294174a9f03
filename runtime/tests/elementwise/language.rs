//! Every elementwise function and every activation layer by its name, with PyTorch's arguments.

use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Layers(x: f32<N, 3, 2, 2>) -> (f32<N, 12>, f32<N, 12>) {
        let layers = Seq(
            Identity(), LeakyRelu(0.1), Prelu(3, init = 0.5), Prelu(), Elu(alpha = 0.5), Selu(), Silu(), Gelu(),
            Gelu(approximate = tanh), Mish(), Hardswish(), Hardsigmoid(), Hardtanh(-0.5, max_val = 0.5),
            Softplus(2, threshold = 10), Relu6(), Sigmoid(), Tanh(), Softmax(1), LogSoftmax(axis = -1), Relu(), Flatten()
        );
        let y = x.leaky_relu(negative_slope = 0.1);
        let y = select(y > 0, y, 0.5 * 0.25 * y).elu(0.5).selu().silu().gelu().gelu(approximate = tanh).mish();
        let y = y.hardswish().hardsigmoid().hardtanh(min_val = -0.5, max_val = 0.5).softplus(2, 10).relu6().sigmoid();
        (layers(x), y.tanh().softmax(1).log_softmax(-1).relu().flatten(1))
    }

    pub step Compare(x: f32<dyn N, 3, 2, 2>) -> (f32<N, 12>, f32<N, 12>) {
        let net = Layers();
        net(x)
    }

    pub model Scale(x: f32<N>) -> f32<N> {
        #[param]
        let w: f32 = ones();
        x * w
    }

    pub step Functions(x: f32<dyn N>, y: f32<N>, k: i32<N>, p: bool<N>, q: bool<N>) -> (
        f32<N>, f32<N>, f32<N>, f32<N>, f32<N>, f32<N>, f32<N>, f32<N>, f32<N>
    ) {
        let net = Scale();
        let x = net(x);
        (sin(x), x.cos(), x.round(), x.sign(), rsqrt(x.abs() + 1), x.erf(), pow(x, y), pow(2.0, x), x.pow(y.sum()))
    }

    pub step Bounds(x: f32<dyn N>, y: f32<N>, k: i32<N>, p: bool<N>, q: bool<N>) -> (
        f32<N>, f32<N>, f32<N>, f32<N>, i32<N>, i32<N>, i32<N>, bool<N>, f32<N>
    ) {
        let net = Scale();
        let x = net(x);
        let half = sin(0.0) + gelu(0) + softplus(0.0, threshold = 1.0).exp() / 4.0;
        (
            x.clamp(-1, 1), clamp(x, min = 0.5), x.clamp(max = y), x.clamp(0.0, y), k.clamp(-1, 2), k.sign(), k.abs(),
            logical_xor(p, q), x.logsigmoid() + half + zeros_like(x) + 0 * ones_like(y)
        )
    }

    pub step Powers(x: f32<dyn N>, y: f32<N>) {
        let a = Scale();
        let loss = pow(a.w * x, y).sum() + pow(3.0, a.w) + pow(a.w, 0.0);
        minimize(loss, over = a, with = Sgd(0.1));
    }
}

fn close(name: &str, found: &[f32], expected: impl Iterator<Item = f64>) {
    for (i, (&found, expected)) in found.iter().zip(expected).enumerate() {
        let same = f64::from(found) == expected || (found.is_nan() && expected.is_nan());
        let near = (f64::from(found) - expected).abs() <= 2e-6 * (1.0 + expected.abs());
        assert!(same || near, "{name} at {i}: {found}, not {expected}");
    }
}

const X: [f32; 6] = [-3.5, -2.0, -0.5, 0.0, 1.5, 2.5];
const Y: [f32; 6] = [2.0, 3.0, 0.5, 0.0, -1.0, 2.5];
const K: [i32; 6] = [-7, -1, 0, 2, 3, 9];
const P: [bool; 6] = [false, false, true, true, false, true];
const Q: [bool; 6] = [false, true, false, true, true, true];

fn of(function: impl Fn(f64, f64) -> f64) -> impl Iterator<Item = f64> {
    X.iter().zip(Y).map(move |(&x, y)| function(f64::from(x), f64::from(y)))
}

#[test]
fn layers_are_the_functions_of_their_names() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Layers::new(&device, Seed(0))?;
    let keys: Vec<String> = net.parameters().iter().map(|p| format!("{} {:?}", p.key, p.shape)).collect();
    assert_eq!(keys, ["layers.2.weight [3]", "layers.3.weight [1]"]);
    assert_eq!(net.get("layers.2.weight")?.to_vec(), [0.5; 3]);
    assert_eq!(net.get("layers.3.weight")?.to_vec(), [0.25]);
    let mut step = Compare::compile(&device, Compare::dims().n(2), &Options::default())?;
    let x: Vec<f32> = (0..24).map(|i| (i * 7 % 24) as f32 / 4.0 - 3.0).collect();
    let (layers, functions) = step.run(&net, &x)?.output;
    assert_eq!(layers.to_vec(), functions.to_vec());
    Ok(())
}

#[test]
fn functions_give_what_mathematics_says() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Scale::new(&device, Seed(0))?;
    let mut step = Functions::compile(&device, Functions::dims().n(6), &Options::default())?;
    let (sin, cos, round, sign, rsqrt, erf, pow, base, sum) = step.run(&net, &X, &Y, &K, &P, &Q)?.output;
    close("sin", &sin, of(|x, _| x.sin()));
    close("cos", &cos, of(|x, _| x.cos()));
    assert_eq!(round.to_vec(), [-4.0, -2.0, -0.0, 0.0, 2.0, 2.0]);
    assert_eq!(sign.to_vec(), [-1.0, -1.0, -1.0, 0.0, 1.0, 1.0]);
    close("rsqrt", &rsqrt, of(|x, _| (x.abs() + 1.0).powf(-0.5)));
    let errors = [-0.999_999_257, -0.995_322_265, -0.520_499_878, 0.0, 0.966_105_146, 0.999_593_048];
    close("erf", &erf, errors.into_iter());
    // The root of a negative number is none; 0 to the power 0 is 1.
    close("pow", &pow, of(f64::powf));
    assert!(pow[2].is_nan() && pow[3] == 1.0 && pow[1] < 0.0);
    close("pow of 2", &base, of(|x, _| 2f64.powf(x)));
    close("pow by a scalar", &sum, of(|x, _| x.powf(7.0)));
    Ok(())
}

#[test]
fn bounds_and_logic_take_numbers_and_tensors() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Scale::new(&device, Seed(0))?;
    let mut step = Bounds::compile(&device, Bounds::dims().n(6), &Options::default())?;
    let (both, below, above, mixed, whole, sign, size, xor, last) = step.run(&net, &X, &Y, &K, &P, &Q)?.output;
    close("clamp", &both, of(|x, _| x.clamp(-1.0, 1.0)));
    close("clamp from below", &below, of(|x, _| x.max(0.5)));
    close("clamp by a tensor", &above, of(f64::min));
    close("clamp by both", &mixed, of(|x, y| x.max(0.0).min(y)));
    assert_eq!(whole.to_vec(), [-1, -1, 0, 2, 2, 2]);
    assert_eq!(sign.to_vec(), [-1, -1, 0, 1, 1, 1]);
    assert_eq!(size.to_vec(), [7, 1, 0, 2, 3, 9]);
    assert_eq!(xor.to_vec(), [false, true, true, false, true, false]);
    close("logsigmoid", &last, of(|x, _| 0.5 - (-x).exp().ln_1p()));
    Ok(())
}

#[test]
fn powers_have_slopes_at_their_special_points() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Scale::new(&device, Seed(0))?;
    let options = Options { keep_gradients: true, ..Options::default() };
    let mut step = Powers::compile(&device, Powers::dims().n(4), &options)?;
    // y x^(y - 1) x at w = 1: 2 * 9, 3 * -8, nothing for the exponent 0, nothing for 0 squared.
    step.run(&mut net, &[3.0, -2.0, 0.0, 0.0], &[2.0, 3.0, 0.0, 2.0])?;
    let gradient = step.gradient("w")?.to_vec()[0];
    let expected = 2.0 * 9.0 - 3.0 * 8.0 + 3.0 * 3f64.ln();
    assert!((f64::from(gradient) - expected).abs() < 1e-5, "{gradient}, not {expected}");
    Ok(())
}
