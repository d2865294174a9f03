//! Networks of layers in every type of floats: a layer computes in the type of those that it is first given.

#[path = "cuda/device.rs"]
mod device;

use tapeless::{Device, Error, Fusion, Options, Seed, bf16, f16, model};

/// A module with networks whose tensors have an element type, and a training step for each.
macro_rules! networks {
    ($module:ident, $float:ident) => {
        mod $module {
            use super::*;

            model! {
                pub model Image(x: $float<N, 3, 12, 12>) -> $float<N, 4> {
                    let layers = Seq(
                        Conv2d(8, 3, padding = 1), BatchNorm2d(), Relu(), MaxPool2d(2),
                        Conv2d(8, 3, groups = 8), Hardswish(), GroupNorm(4), ConvTranspose2d(6, 2, stride = 2), Gelu(),
                        AdaptiveAvgPool2d(2), Flatten(), Dropout(0.1), Linear(4),
                    );
                    layers(x)
                }

                pub step TrainImage(x: $float<dyn B, 3, 12, 12>, y: u32<B>, lr: f32) {
                    let net = Image();
                    let loss = cross_entropy(net(x).cast(f32), y);
                    minimize(loss, over = net, with = Sgd(lr, momentum = 0.9));
                    metric(loss);
                }

                pub model Words(tokens: u32<N, T>) -> $float<N, T, 11> {
                    let embedding = Embedding(11, 16);
                    let encoder = TransformerEncoderLayer(16, 2, 32, 0.0, batch_first = true);
                    let norm = RmsNorm();
                    let head = Linear(11);
                    head(norm(encoder(embedding(tokens).cast($float))))
                }

                pub step TrainWords(tokens: u32<dyn B, dyn T>, y: u32<B, T>, lr: f32) {
                    let net = Words();
                    let loss = cross_entropy(net(tokens).cast(f32).reshape([B * T, 11]), y.reshape([B * T]));
                    minimize(loss, over = net, with = AdamW(lr), clip_norm = 1.0);
                    metric(loss);
                }

                pub model Series(x: $float<N, T, 5>) -> $float<N, 3> {
                    let lstm = Lstm(8, batch_first = true, bidirectional = true);
                    let gru = Gru(6, batch_first = true);
                    let head = Linear(3);
                    let (y, _) = lstm(x);
                    let (y, _) = gru(layer_norm(y, [16]));
                    head(y.at(1, -1))
                }

                pub step TrainSeries(x: $float<dyn B, dyn T, 5>, y: $float<B, 3>, lr: f32) {
                    let net = Series();
                    let loss = mse(net(x).cast(f32), y.cast(f32));
                    minimize(loss, over = net, with = Adam(lr));
                    metric(loss);
                }
            }

            fn floats(x: &[f64]) -> Vec<$float> {
                x.iter().map(|&x| super::Float::of(x)).collect()
            }

            pub fn image(device: &Device, runs: usize, options: &Options) -> Result<Vec<f64>, Error> {
                let mut net = Image::new(device, Seed(1))?;
                let mut step = TrainImage::compile(device, TrainImage::dims().b(8), options)?;
                let (x, y) = (floats(&numbers(8 * 3 * 144, 1)), classes(8, 4));
                (0..runs).map(|_| Ok(step.run(&mut net, &x, &y, 0.02)?.loss.into())).collect()
            }

            pub fn words(device: &Device, runs: usize, options: &Options) -> Result<Vec<f64>, Error> {
                let mut net = Words::new(device, Seed(2))?;
                let mut step = TrainWords::compile(device, TrainWords::dims().b(3).t(7), options)?;
                let (tokens, y) = (classes(21, 11), classes(22, 11)[1..].to_vec());
                (0..runs).map(|_| Ok(step.run(&mut net, &tokens, &y, 0.01)?.loss.into())).collect()
            }

            /// So many words that attention runs over blocks of them.
            pub fn text(device: &Device, runs: usize, options: &Options) -> Result<Vec<f64>, Error> {
                let mut net = Words::new(device, Seed(2))?;
                let mut step = TrainWords::compile(device, TrainWords::dims().b(2).t(700), options)?;
                let (tokens, y) = (classes(1400, 11), classes(1401, 11)[1..].to_vec());
                (0..runs).map(|_| Ok(step.run(&mut net, &tokens, &y, 0.01)?.loss.into())).collect()
            }

            pub fn series(device: &Device, runs: usize, options: &Options) -> Result<Vec<f64>, Error> {
                let mut net = Series::new(device, Seed(3))?;
                let mut step = TrainSeries::compile(device, TrainSeries::dims().b(4).t(6), options)?;
                let (x, y) = (floats(&numbers(4 * 6 * 5, 4)), floats(&numbers(12, 5)));
                (0..runs).map(|_| Ok(step.run(&mut net, &x, &y, 0.02)?.loss.into())).collect()
            }

            pub fn dtypes() -> Result<Vec<String>, Error> {
                let net = Image::new(&Device::cpu(), Seed(1))?;
                Ok(net.parameters().iter().map(|parameter| parameter.dtype.to_string()).collect())
            }
        }
    };
}

networks!(single, f32);
networks!(brief, bf16);
networks!(half, f16);
networks!(double, f64);

trait Float {
    fn of(x: f64) -> Self;
}

impl Float for f32 {
    fn of(x: f64) -> f32 {
        x as f32
    }
}

impl Float for f64 {
    fn of(x: f64) -> f64 {
        x
    }
}

impl Float for bf16 {
    fn of(x: f64) -> bf16 {
        bf16::from_f64(x)
    }
}

impl Float for f16 {
    fn of(x: f64) -> f16 {
        f16::from_f64(x)
    }
}

/// Numbers that all types hold exactly.
fn numbers(count: usize, seed: usize) -> Vec<f64> {
    (0..count).map(|i| ((i * 37 + seed * 11) % 65) as f64 / 32.0 - 1.0).collect()
}

fn classes(count: usize, bound: usize) -> Vec<u32> {
    (0..count).map(|i| ((i * i * 7 + i * 3) % bound) as u32).collect()
}

type Losses = fn(&Device, usize, &Options) -> Result<Vec<f64>, Error>;

/// The largest distance between two runs, as a share of the first loss.
fn apart(found: &[f64], expected: &[f64]) -> f64 {
    let distances = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
    distances.fold(0.0, f64::max) / expected[0]
}

fn agree([single, brief, half, double]: [Losses; 4]) -> Result<(), Error> {
    const RUNS: usize = 12;
    for fusion in [Fusion::default(), Fusion::none()] {
        let options = Options { fusion, threads: 1, ..Options::default() };
        let expected = single(&Device::cpu(), RUNS, &options)?;
        assert!(expected[RUNS - 1] < 0.9 * expected[0], "{expected:?}");
        // Numbers of half precision are off by 2^-9 and 2^-12, and are rounded after each kernel.
        for (losses, tolerance) in [(brief, 0.05), (half, 0.01), (double, 1e-5)] {
            let losses = losses(&Device::cpu(), RUNS, &options)?;
            let apart = apart(&losses, &expected);
            assert!(apart < tolerance, "{apart} apart: {losses:?} and not {expected:?}");
        }
    }
    Ok(())
}

#[test]
fn networks_for_images_train_in_every_type_of_floats() -> Result<(), Error> {
    agree([single::image, brief::image, half::image, double::image])
}

#[test]
fn encoders_train_in_every_type_of_floats() -> Result<(), Error> {
    agree([single::words, brief::words, half::words, double::words])
}

#[test]
fn encoders_of_long_texts_train_in_every_type_of_floats() -> Result<(), Error> {
    agree([single::text, brief::text, half::text, double::text])
}

#[test]
fn recurrent_networks_train_in_every_type_of_floats() -> Result<(), Error> {
    agree([single::series, brief::series, half::series, double::series])
}

#[test]
fn layers_have_parameters_of_the_type_of_what_they_are_given() -> Result<(), Error> {
    let types =
        [(single::dtypes()?, "f32"), (brief::dtypes()?, "bf16"), (half::dtypes()?, "f16"), (double::dtypes()?, "f64")];
    for (mut found, expected) in types {
        // Batch norm counts its batches.
        found.retain(|dtype| dtype != "i64");
        assert_eq!(found, vec![expected; 14]);
    }
    Ok(())
}

#[test]
fn cuda_networks_train_in_half_precision_as_on_the_processor() -> Result<(), Error> {
    let Some(cuda) = device::device() else { return Ok(()) };
    let networks = [brief::image as Losses, brief::words, half::words, brief::series, half::series];
    for (network, losses) in networks.into_iter().enumerate() {
        let options = Options { threads: 1, ..Options::default() };
        let (found, expected) = (losses(&cuda, 3, &options)?, losses(&Device::cpu(), 3, &options)?);
        let apart = apart(&found, &expected);
        assert!(apart < 0.02, "network {network}: {apart} apart: {found:?} and not {expected:?}");
    }
    Ok(())
}
