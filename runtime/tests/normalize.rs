//! Layers that normalise, against formulas written out here in f64: values, gradients, and what batch norm keeps.

use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Layers(x: f32<N, 3, 4>) -> f32<N, 3, 4> {
        let last = LayerNorm();
        let both = LayerNorm([3, 4], eps = 0.25);
        let plain = LayerNorm(elementwise_affine = false);
        let unbiased = LayerNorm(bias = false);
        let root = RmsNorm();
        let wide = RmsNorm([3, 4], 0.5);
        x.last().both().root().plain().unbiased().wide()
    }

    pub step ApplyLast(x: f32<dyn B, 3, 4>) -> f32<B, 3, 4> {
        let net = Layers();
        layer_norm(x, [4], net.last.weight, net.last.bias)
    }

    pub step ApplyBoth(x: f32<dyn B, 3, 4>) -> f32<B, 3, 4> {
        let net = Layers();
        layer_norm(x, [3, 4], net.both.weight, net.both.bias, 0.25)
    }

    pub step ApplyRoot(x: f32<dyn B, 3, 4>) -> f32<B, 3, 4> {
        let net = Layers();
        rms_norm(x, 4, net.root.weight)
    }

    pub model Channels(x: f32<N, 3>) -> f32<N, 3> {
        let norm = BatchNorm1d();
        x.norm()
    }

    pub step TrainChannels(x: f32<dyn B, 3>, g: f32<B, 3>, lr: f32) -> f32<B, 3> {
        let net = Channels();
        let y = net(x);
        let loss = (y * g).sum();
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
        y
    }

    pub step ApplyChannels(x: f32<dyn B, 3>) -> f32<B, 3> {
        let net = Channels();
        net(x)
    }

    // The weight in front makes what comes through the normalisation a gradient of a parameter.
    pub model Sequences(x: f32<N, 2, 5>) -> f32<N, 2, 5> {
        #[param]
        let w: f32<3, 2, 5> = ones();
        let norm = BatchNorm1d(0.125, momentum = 0.5, affine = false);
        norm(w * x)
    }

    pub step TrainSequences(x: f32<3, 2, 5>, g: f32<3, 2, 5>) -> f32<3, 2, 5> {
        let net = Sequences();
        let y = net(x);
        let loss = (y * g).sum();
        minimize(loss, over = net, with = Sgd(0.5));
        metric(loss);
        y
    }

    pub step ApplySequences(x: f32<3, 2, 5>) -> f32<3, 2, 5> {
        let net = Sequences();
        net(x)
    }

    pub model Untracked(x: f32<N, 2>) -> f32<N, 2> {
        let norm = BatchNorm1d(track_running_stats = false);
        norm(x)
    }

    pub step ApplyUntracked(x: f32<dyn B, 2>) -> f32<B, 2> {
        let net = Untracked();
        net(x)
    }
}

fn numbers(count: usize, k: usize) -> Vec<f32> {
    (0..count).map(|i| (i * k % 13) as f32 * 0.25 - 1.0).collect()
}

fn assert_close(what: &str, found: &[f32], exact: &[f64]) {
    assert_eq!(found.len(), exact.len(), "{what}");
    for (i, (&found, &exact)) in found.iter().zip(exact).enumerate() {
        assert!((f64::from(found) - exact).abs() <= 1e-5 * (1.0 + exact.abs()), "{what} {i} is {found}, not {exact}");
    }
}

/// Mean and variance.
fn moments(x: &[f64]) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    (mean, x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / x.len() as f64)
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| x.into()).collect()
}

/// The values at these positions normalised.
fn normalized(x: &[f64], eps: f64) -> Vec<f64> {
    let (mean, variance) = moments(x);
    x.iter().map(|x| (x - mean) / (variance + eps).sqrt()).collect()
}

#[test]
fn layers_normalise_the_last_axes() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Layers::new(&device, Seed(0))?;
    let keys: Vec<String> = net.parameters().iter().map(|p| format!("{} {:?}", p.key, p.shape)).collect();
    let expected = [
        "last.weight [4]",
        "last.bias [4]",
        "both.weight [3, 4]",
        "both.bias [3, 4]",
        "unbiased.weight [4]",
        "root.weight [4]",
        "wide.weight [3, 4]",
    ];
    assert_eq!(keys, expected);
    let (x, weight, bias) = (numbers(24, 5), numbers(12, 3), numbers(12, 7));
    for (key, count) in [("last", 4), ("both", 12)] {
        net.set(&format!("{key}.weight"), &weight[..count])?;
        net.set(&format!("{key}.bias"), &bias[..count])?;
    }
    net.set("root.weight", &weight[..4])?;
    let affine = |rows: Vec<f64>, count: usize, bias: &[f32]| -> Vec<f64> {
        let element = |(i, x): (usize, f64)| {
            x * f64::from(weight[i % count]) + bias.get(i % count).map_or(0.0, |&bias| bias.into())
        };
        rows.into_iter().enumerate().map(element).collect()
    };
    let last = wide(&x).chunks(4).flat_map(|row| normalized(row, 1e-5)).collect();
    let mut step = ApplyLast::compile(&device, ApplyLast::dims().b(2), &Options::default())?;
    assert_close("last", &step.run(&net, &x)?.output, &affine(last, 4, &bias));
    let both = wide(&x).chunks(12).flat_map(|row| normalized(row, 0.25)).collect();
    let mut step = ApplyBoth::compile(&device, ApplyBoth::dims().b(2), &Options::default())?;
    assert_close("both", &step.run(&net, &x)?.output, &affine(both, 12, &bias));
    let root = |row: &[f64]| {
        let square = row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64;
        row.iter().map(|x| x / (square + f64::from(f32::EPSILON)).sqrt()).collect::<Vec<f64>>()
    };
    let root = wide(&x).chunks(4).flat_map(root).collect();
    let mut step = ApplyRoot::compile(&device, ApplyRoot::dims().b(2), &Options::default())?;
    assert_close("root", &step.run(&net, &x)?.output, &affine(root, 4, &[]));
    Ok(())
}

#[test]
fn a_variance_far_from_0_keeps_its_digits() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Layers::new(&device, Seed(0))?;
    let x: Vec<f32> = (0..12).map(|i| 4096.0 + [0.0, 0.5, 1.0, 1.5][i % 4]).collect();
    let mut step = ApplyLast::compile(&device, ApplyLast::dims().b(1), &Options::default())?;
    let exact: Vec<f64> = wide(&x).chunks(4).flat_map(|row| normalized(row, 1e-5)).collect();
    assert_close("row", &step.run(&net, &x)?.output, &exact);
    Ok(())
}

/// The gradients of batch norm over columns: of the values, the weights and the biases.
fn batch_gradients(x: &[Vec<f64>], g: &[Vec<f64>], eps: f64) -> (Vec<Vec<f64>>, Vec<f64>, Vec<f64>) {
    let column = |(x, g): (&Vec<f64>, &Vec<f64>)| {
        let (count, y) = (x.len() as f64, normalized(x, eps));
        let along = y.iter().zip(g).map(|(y, g)| y * g).sum::<f64>();
        let total = g.iter().sum::<f64>();
        let deviation = (moments(x).1 + eps).sqrt();
        let of = |(y, g): (&f64, &f64)| (g - total / count - y * along / count) / deviation;
        (y.iter().zip(g).map(of).collect(), along, total)
    };
    let all: Vec<(Vec<f64>, f64, f64)> = x.iter().zip(g).map(column).collect();
    let values = all.iter().map(|(values, ..)| values.clone()).collect();
    (values, all.iter().map(|all| all.1).collect(), all.iter().map(|all| all.2).collect())
}

fn columns(x: &[f32], count: usize) -> Vec<Vec<f64>> {
    (0..count).map(|column| x.iter().skip(column).step_by(count).map(|&x| x.into()).collect()).collect()
}

fn rows(columns: &[Vec<f64>]) -> Vec<f64> {
    (0..columns[0].len()).flat_map(|row| columns.iter().map(move |column| column[row])).collect()
}

#[test]
fn batch_norm_trains_on_the_batch_and_applies_what_it_kept() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Channels::new(&device, Seed(0))?;
    let keys: Vec<String> = net.parameters().iter().map(|p| p.key.clone()).collect();
    let names = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
    assert_eq!(keys, names.map(|name| format!("norm.{name}")));
    let (x, g) = (numbers(21, 5), numbers(21, 3));
    let options = Options { keep_gradients: true, ..Options::default() };
    let mut train = TrainChannels::compile(&device, TrainChannels::dims().b(7), &options)?;
    let (columns_of_x, columns_of_g) = (columns(&x, 3), columns(&g, 3));
    let exact: Vec<Vec<f64>> = columns_of_x.iter().map(|column| normalized(column, 1e-5)).collect();
    let found = train.run(&mut net, &x, &g, 0.0)?.output.to_vec();
    assert_close("result", &found, &rows(&exact));
    let (_, by_weight, by_bias) = batch_gradients(&columns_of_x, &columns_of_g, 1e-5);
    assert_close("gradient of the weight", &train.gradient("norm.weight")?, &by_weight);
    assert_close("gradient of the bias", &train.gradient("norm.bias")?, &by_bias);
    train.run(&mut net, &x, &g, 0.0)?;
    // Twice a tenth of the batch's mean and unbiased variance, beginning with 0 and 1.
    let kept: Vec<(f64, f64)> = columns_of_x.iter().map(|column| moments(column)).collect();
    let mean: Vec<f64> = kept.iter().map(|(mean, _)| 0.19 * mean).collect();
    let variance: Vec<f64> = kept.iter().map(|(_, variance)| 0.81 + 0.19 * variance * 7.0 / 6.0).collect();
    assert_close("running mean", &net.get("norm.running_mean")?, &mean);
    assert_close("running variance", &net.get("norm.running_var")?, &variance);
    // Evaluation takes a batch of one.
    let mut apply = ApplyChannels::compile(&device, ApplyChannels::dims().b(1), &Options::default())?;
    let one = |i: usize| (f64::from(x[i]) - mean[i]) / (variance[i] + 1e-5).sqrt();
    assert_close("evaluation", &apply.run(&net, &x[..3])?.output, &[one(0), one(1), one(2)]);
    Ok(())
}

#[test]
fn batch_norm_over_sequences_brings_its_gradient_back() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Sequences::new(&device, Seed(0))?;
    let (x, g) = (numbers(30, 5), numbers(30, 7));
    // Channels as columns: [N, C, L] as [N, L, C].
    let turned = |x: &[f32]| -> Vec<f32> { (0..30).map(|i| x[i / 10 * 10 + i % 2 * 5 + i / 2 % 5]).collect() };
    let back = |x: &[f64]| -> Vec<f64> { (0..30).map(|i| x[i / 10 * 10 + i % 5 * 2 + i / 5 % 2]).collect() };
    let (columns_of_x, columns_of_g) = (columns(&turned(&x), 2), columns(&turned(&g), 2));
    let options = Options { keep_gradients: true, ..Options::default() };
    let mut train = TrainSequences::compile(&device, TrainSequences::dims(), &options)?;
    let exact: Vec<Vec<f64>> = columns_of_x.iter().map(|column| normalized(column, 0.125)).collect();
    let found = train.run(&mut net, &x, &g)?.output.to_vec();
    assert_close("result", &found, &back(&rows(&exact)));
    let (by_value, ..) = batch_gradients(&columns_of_x, &columns_of_g, 0.125);
    let by_weight: Vec<f64> = back(&rows(&by_value)).iter().zip(&x).map(|(g, &x)| g * f64::from(x)).collect();
    assert_close("gradient", &train.gradient("w")?, &by_weight);
    let kept: Vec<(f64, f64)> = columns_of_x.iter().map(|column| moments(column)).collect();
    let mean: Vec<f64> = kept.iter().map(|(mean, _)| 0.5 * mean).collect();
    let variance: Vec<f64> = kept.iter().map(|(_, variance)| 0.5 + 0.5 * variance * 15.0 / 14.0).collect();
    assert_close("running mean", &net.get("norm.running_mean")?, &mean);
    assert_close("running variance", &net.get("norm.running_var")?, &variance);
    net.set("w", &[1.0; 30])?;
    let mut apply = ApplySequences::compile(&device, ApplySequences::dims(), &Options::default())?;
    let of = |(column, x): (usize, &Vec<f64>)| -> Vec<f64> {
        x.iter().map(|x| (x - mean[column]) / (variance[column] + 0.125).sqrt()).collect()
    };
    let exact: Vec<Vec<f64>> = columns_of_x.iter().enumerate().map(of).collect();
    assert_close("evaluation", &apply.run(&net, &x)?.output, &back(&rows(&exact)));
    Ok(())
}

#[test]
fn a_batch_of_one_value_per_channel_is_refused_in_training() -> Result<(), Error> {
    let device = Device::cpu();
    let refused = TrainChannels::compile(&device, TrainChannels::dims().b(1), &Options::default());
    let message = refused.expect_err("one value has no variance").to_string();
    assert!(message.contains("batch norm") && message.contains("more than one value"), "{message}");
    let refused = ApplyUntracked::compile(&device, ApplyUntracked::dims().b(1), &Options::default());
    assert!(refused.is_err());
    Ok(())
}

#[test]
fn batch_norm_without_running_statistics_applies_those_of_the_batch() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Untracked::new(&device, Seed(0))?;
    let keys: Vec<String> = net.parameters().iter().map(|p| p.key.clone()).collect();
    assert_eq!(keys, ["norm.weight", "norm.bias"]);
    let x = numbers(10, 5);
    let mut apply = ApplyUntracked::compile(&device, ApplyUntracked::dims().b(5), &Options::default())?;
    let exact: Vec<Vec<f64>> = columns(&x, 2).iter().map(|column| normalized(column, 1e-5)).collect();
    assert_close("evaluation", &apply.run(&net, &x)?.output, &rows(&exact));
    Ok(())
}
