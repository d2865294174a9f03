//! Layers with known weights: what they give, and the gradients of inputs, states and weights.

use crate::{close, filled, numbers, records};
use tapeless::{Device, Error, Fusion, Options, Seed, model};

model! {
    pub model Plain(scale: f32) -> (f32<5, 2, 4>, f32<1, 2, 4>) {
        #[param]
        let x: f32<5, 2, 3> = zeros();
        #[param]
        let h0: f32<1, 2, 4> = zeros();
        let rnn = Rnn(4);
        rnn(x * scale, h0)
    }

    pub model Rectified(scale: f32) -> (f32<2, 5, 8>, f32<4, 2, 4>) {
        #[param]
        let x: f32<2, 5, 3> = zeros();
        let rnn = Rnn(4, 2, nonlinearity = relu, batch_first = true, bidirectional = true);
        (x * scale).rnn()
    }

    pub model Gated(scale: f32) -> (f32<5, 2, 4>, f32<1, 2, 4>) {
        #[param]
        let x: f32<5, 2, 3> = zeros();
        let gru = Gru(4);
        (x * scale).gru()
    }

    pub model GatedLayers(scale: f32) -> (f32<2, 5, 8>, f32<4, 2, 4>) {
        #[param]
        let x: f32<2, 5, 3> = zeros();
        #[param]
        let h0: f32<4, 2, 4> = zeros();
        let gru = Gru(4, num_layers = 2, batch_first = true, bidirectional = true);
        gru(x * scale, h0)
    }

    pub model GatedWithoutBias(scale: f32) -> (f32<5, 2, 4>, f32<1, 2, 4>) {
        #[param]
        let x: f32<5, 2, 3> = zeros();
        #[param]
        let h0: f32<1, 2, 4> = zeros();
        let gru = Gru(4, bias = false);
        gru(x * scale, h0)
    }

    pub model Memory(scale: f32) -> (f32<5, 2, 4>, f32<1, 2, 4>, f32<1, 2, 4>) {
        #[param]
        let x: f32<5, 2, 3> = zeros();
        let lstm = Lstm(4);
        let (y, (h, c)) = (x * scale).lstm();
        (y, h, c)
    }

    pub model MemoryLayers(scale: f32) -> (f32<2, 5, 8>, f32<4, 2, 4>, f32<4, 2, 4>) {
        #[param]
        let x: f32<2, 5, 3> = zeros();
        #[param]
        let h0: f32<4, 2, 4> = zeros();
        #[param]
        let c0: f32<4, 2, 4> = zeros();
        let lstm = Lstm(4, num_layers = 2, bidirectional = true, batch_first = true);
        let (y, (h, c)) = lstm(x * scale, (h0, c0));
        (y, h, c)
    }

    pub model MemoryProjected(scale: f32) -> (f32<5, 2, 3>, f32<2, 2, 3>, f32<2, 2, 4>) {
        #[param]
        let x: f32<5, 2, 3> = zeros();
        #[param]
        let h0: f32<2, 2, 3> = zeros();
        #[param]
        let c0: f32<2, 2, 4> = zeros();
        let lstm = Lstm(4, 2, bias = false, proj_size = 3);
        let (y, (h, c)) = lstm(x * scale, (h0, c0));
        (y, h, c)
    }

    pub step StepPlain(gy: f32<5, 2, 4>, gh: f32<1, 2, 4>, one: f32) -> (f32<5, 2, 4>, f32<1, 2, 4>) {
        let net = Plain();
        let (y, h) = net(one);
        minimize((y * gy).sum() + (h * gh).sum(), over = net, with = Sgd(0.0));
        (y, h)
    }

    pub step StepRectified(gy: f32<2, 5, 8>, gh: f32<4, 2, 4>, one: f32) -> (f32<2, 5, 8>, f32<4, 2, 4>) {
        let net = Rectified();
        let (y, h) = net(one);
        minimize((y * gy).sum() + (h * gh).sum(), over = net, with = Sgd(0.0));
        (y, h)
    }

    pub step StepGated(gy: f32<5, 2, 4>, gh: f32<1, 2, 4>, one: f32) -> (f32<5, 2, 4>, f32<1, 2, 4>) {
        let net = Gated();
        let (y, h) = net(one);
        minimize((y * gy).sum() + (h * gh).sum(), over = net, with = Sgd(0.0));
        (y, h)
    }

    pub step StepGatedLayers(gy: f32<2, 5, 8>, gh: f32<4, 2, 4>, one: f32) -> (f32<2, 5, 8>, f32<4, 2, 4>) {
        let net = GatedLayers();
        let (y, h) = net(one);
        minimize((y * gy).sum() + (h * gh).sum(), over = net, with = Sgd(0.0));
        (y, h)
    }

    pub step StepGatedWithoutBias(gy: f32<5, 2, 4>, gh: f32<1, 2, 4>, one: f32) -> (f32<5, 2, 4>, f32<1, 2, 4>) {
        let net = GatedWithoutBias();
        let (y, h) = net(one);
        minimize((y * gy).sum() + (h * gh).sum(), over = net, with = Sgd(0.0));
        (y, h)
    }

    pub step StepMemory(gy: f32<5, 2, 4>, gh: f32<1, 2, 4>, gc: f32<1, 2, 4>, one: f32) -> (f32<5, 2, 4>, f32<1, 2, 4>, f32<1, 2, 4>) {
        let net = Memory();
        let (y, h, c) = net(one);
        minimize((y * gy).sum() + (h * gh).sum() + (c * gc).sum(), over = net, with = Sgd(0.0));
        (y, h, c)
    }

    pub step StepMemoryLayers(gy: f32<2, 5, 8>, gh: f32<4, 2, 4>, gc: f32<4, 2, 4>, one: f32) -> (f32<2, 5, 8>, f32<4, 2, 4>, f32<4, 2, 4>) {
        let net = MemoryLayers();
        let (y, h, c) = net(one);
        minimize((y * gy).sum() + (h * gh).sum() + (c * gc).sum(), over = net, with = Sgd(0.0));
        (y, h, c)
    }

    pub step StepMemoryProjected(gy: f32<5, 2, 3>, gh: f32<2, 2, 3>, gc: f32<2, 2, 4>, one: f32) -> (f32<5, 2, 3>, f32<2, 2, 3>, f32<2, 2, 4>) {
        let net = MemoryProjected();
        let (y, h, c) = net(one);
        minimize((y * gy).sum() + (h * gh).sum() + (c * gc).sum(), over = net, with = Sgd(0.0));
        (y, h, c)
    }
}

/// Runs a step on a model whose tensors are filled as in the record of that name, and holds results and gradients against
/// it; gives how many tensors were held. The rest are the names of the results with their sizes.
macro_rules! hold {
    ($name:literal, $model:ident, $step:ident, $(($result:literal, $field:tt, $elements:literal)),+) => {
        for options in [Options::default(), Options { fusion: Fusion::none(), ..Options::default() }] {
            let options = Options { keep_gradients: true, ..options };
            let (device, record) = (Device::cpu(), &records()["layers"][$name]);
            let mut net = $model::new(&device, Seed(0))?;
            let keys: Vec<(String, usize)> =
                net.parameters().iter().map(|p| (p.key.clone(), p.shape.iter().product())).collect();
            for (number, (key, elements)) in keys.iter().enumerate() {
                net.set(key, &filled(*elements, number, 32.0))?;
            }
            let mut step = $step::compile(&device, $step::dims(), &options)?;
            let out = step.run(&mut net, $(&filled($elements, 40 + $field, 16.0)),+, 1.0)?;
            $(close($result, &out.output.$field.to_vec(), &numbers(&record["results"][$result]), 2e-6);)+
            for (key, _) in &keys {
                let name = key.rsplit('.').next().expect("a key has a last part");
                let expected = &record["gradients"][name];
                close(key, &step.gradient(key)?.to_vec(), &numbers(expected), 2e-5);
            }
            assert_eq!(keys.len(), record["gradients"].as_object().expect("by name").len(), $name);
        }
    };
}

#[test]
fn plain_layers_are_pytorchs() -> Result<(), Error> {
    hold!("rnn", Plain, StepPlain, ("y", 0, 40), ("h", 1, 8));
    hold!("rnn_relu", Rectified, StepRectified, ("y", 0, 80), ("h", 1, 32));
    Ok(())
}

#[test]
fn gated_layers_are_pytorchs() -> Result<(), Error> {
    hold!("gru", Gated, StepGated, ("y", 0, 40), ("h", 1, 8));
    hold!("gru_layers", GatedLayers, StepGatedLayers, ("y", 0, 80), ("h", 1, 32));
    hold!("gru_without_bias", GatedWithoutBias, StepGatedWithoutBias, ("y", 0, 40), ("h", 1, 8));
    Ok(())
}

#[test]
fn layers_with_memory_are_pytorchs() -> Result<(), Error> {
    hold!("lstm", Memory, StepMemory, ("y", 0, 40), ("h", 1, 8), ("c", 2, 8));
    hold!("lstm_layers", MemoryLayers, StepMemoryLayers, ("y", 0, 80), ("h", 1, 32), ("c", 2, 32));
    hold!("lstm_projected", MemoryProjected, StepMemoryProjected, ("y", 0, 30), ("h", 1, 12), ("c", 2, 16));
    Ok(())
}

#[test]
fn gradients_of_layers_agree_with_differences() -> Result<(), Error> {
    let device = Device::cpu();
    let net = MemoryLayers::new(&device, Seed(3))?;
    let step = StepMemoryLayers::compile(&device, StepMemoryLayers::dims(), &Options::default())?;
    let found = step.check_gradients(&net, &filled(80, 40, 16.0), &filled(32, 41, 16.0), &filled(32, 42, 16.0), 1.0)?;
    assert_eq!(found.len(), 19);
    for (key, error) in found {
        assert!(error < 1e-3, "{key}: off by {error}");
    }
    Ok(())
}
