//! Models made of pieces: several in a step, one inside of another, trained in part, shared between compiles.

use tapeless::{Device, Error, Options, Seed, model};

model! {
    /// Batch norm over [N, C] as far as its keys go.
    block Norm(x: f32<N, C>) -> f32<N, C> {
        #[param]
        let weight: f32<C> = ones();
        #[param]
        let bias: f32<C> = zeros();
        #[state]
        let running_mean: f32<C> = zeros();
        #[state]
        let seen: u32 = zeros();
        let mean = if training { x.mean(0) } else { running_mean };
        running_mean = 0.5 * running_mean + 0.5 * x.mean(0);
        seen = seen + 1;
        (x - mean) * weight + bias
    }

    pub model Generator<const NOISE: usize = 6>(z: f32<N, NOISE>) -> f32<N, 5> {
        let fc1 = Linear(8);
        let bn1 = Norm();
        let fc2 = Linear(5);
        z.fc1().bn1().tanh().fc2().tanh()
    }

    pub model Discriminator(image: f32<N, 5>) -> f32<N, 1> {
        let fc1 = Linear(8);
        let fc2 = Linear(1);
        image.fc1().tanh().fc2()
    }

    pub step TrainGan(real: f32<dyn B, 5>, z: f32<B, 6>, lr_g: f32, lr_d: f32) {
        let g = Generator();
        let d = Discriminator();
        let fake = g(z);
        let d_loss = mse(d(real), ones_like(d(real))) + mse(d(detach(fake)), 0.0 * d(real));
        let g_loss = (1.0 - d(fake)).pow(2).mean();
        minimize(d_loss, over = d, with = Adam(lr_d, betas = (0.5, 0.999)));
        minimize(g_loss, over = g, with = Adam(lr_g, betas = (0.5, 0.999)));
        metric(d_loss, g_loss);
    }

    pub step TrainTwiceApplied(z: f32<dyn B, 6>, lr: f32) {
        let g = Generator();
        let d = Discriminator();
        let loss = d(g(z)).mean() + d(g(2.0 * z)).mean();
        minimize(loss, over = g, with = Sgd(lr));
        metric(loss);
    }

    pub step TrainDiscriminator(real: f32<dyn B, 5>, z: f32<B, 6>, lr: f32) {
        #[eval]
        let g = Generator();
        let d = Discriminator();
        let loss = d(detach(g(z))).mean() - d(real).mean();
        minimize(loss, over = d, with = Sgd(lr));
        metric(loss);
    }

    block Down<const O: usize>(x: f32<N, I>) -> f32<N, _> {
        let fc = Linear(O, bias = false);
        let bn = Norm();
        x.fc().bn().relu()
    }

    pub model SmallNet<const CLASSES: usize = 10>(image: f32<N, 12>) -> f32<N, CLASSES> {
        let stem = Linear(16, bias = false);
        let bn1 = Norm();
        let layers = [Down(8); 2];
        let fc = Linear(CLASSES);
        let mut x = image.stem().bn1().relu();
        for layer in layers {
            x = layer(x);
        }
        x.fc()
    }

    pub model Flowers = SmallNet(3);

    pub model TwoHeads(image: f32<N, 12>) -> (f32<N, 10>, f32<N, 5>) {
        let body = SmallNet();
        let coarse = Linear(5);
        let fine = body(image);
        (fine, coarse(relu(fine)))
    }

    pub step TrainHead(image: f32<dyn B, 12>, label: u32<B>, lr: f32) {
        #[eval]
        let net = Flowers();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net.fc, with = Sgd(lr, momentum = 0.9));
        metric(loss);
    }

    pub step TuneTop(image: f32<dyn B, 12>, label: u32<B>, lr: f32) {
        let net = Flowers();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = [net.layers.1, net.fc], with = Sgd(lr, momentum = 0.9), groups = [("layers.*", lr = 0.1 * lr)]);
        metric(loss);
    }

    pub step ClassifyBoth(image: f32<dyn B, 12>) -> (u32<B>, u32<B>, f32) {
        let net = TwoHeads();
        let (fine, coarse) = net(image);
        (fine.argmax(1), coarse.argmax(1), net.body.layers.1.fc.weight.sum())
    }

    block Table<const V: usize, const D: usize>(hot: f32<N, V>) -> f32<N, D> {
        #[param]
        let weight: f32<V, D> = normal(0.5);
        hot.matmul(weight)
    }

    /// The table is used as the last layer before it is applied itself.
    pub model Tied<const V: usize = 4, const D: usize = 3>(y: f32<N, D>, hot: f32<N, V>) -> (f32<N, V>, f32<N, D>) {
        let wte = Table(V, D);
        let logits = y.matmul(wte.weight.t());
        (logits, wte(hot))
    }

    pub step TrainTied(y: f32<dyn B, 3>, hot: f32<B, 4>, lr: f32) {
        let net = Tied();
        let (logits, rows) = net(y, hot);
        let loss = logits.sum() + 2.0 * rows.sum();
        minimize(loss, over = net, with = Sgd(lr));
        metric(loss);
    }
}

fn listed(parameters: &[tapeless::Parameter]) -> Vec<String> {
    parameters.iter().map(|p| format!("{} {:?}{}", p.key, p.shape, if p.state { " s" } else { "" })).collect()
}

fn norm(key: &str, width: usize) -> Vec<String> {
    let line = |name: &str| format!("{key}.{name} [{width}]");
    let states = [format!("{} s", line("running_mean")), format!("{key}.seen [] s")];
    [line("weight"), line("bias")].into_iter().chain(states).collect()
}

#[test]
fn two_models_train_at_once_and_by_turns() -> Result<(), Error> {
    let device = Device::cpu();
    let options = Options { keep_gradients: true, ..Options::default() };
    let real: Vec<f32> = (0..4 * 5).map(|i| (i % 7) as f32 / 3.0 - 1.0).collect();
    let z: Vec<f32> = (0..4 * 6).map(|i| ((i * 29 % 41) as f32 - 20.0) / 10.0).collect();
    let (mut g, mut d) = (Generator::new(&device, Seed(1))?, Discriminator::new(&device, Seed(2))?);
    let expected = [
        vec!["fc1.weight [8, 6]".to_string(), "fc1.bias [8]".to_string()],
        norm("bn1", 8),
        vec!["fc2.weight [5, 8]".to_string(), "fc2.bias [5]".to_string()],
    ];
    assert_eq!(listed(&g.parameters()), expected.concat());
    let mut train = TrainGan::compile(&device, TrainGan::dims().b(4), &options)?;
    let first = train.run(&mut g, &mut d, &real, &z, 1e-2, 1e-2)?.d_loss;
    assert!(train.gradient("d.fc1.weight")?.iter().any(|x: &f32| *x != 0.0));
    assert!(train.gradient("g.bn1.bias")?.iter().any(|x: &f32| *x != 0.0));
    for _ in 0..20 {
        train.run(&mut g, &mut d, &real, &z, 1e-4, 1e-2)?;
    }
    let last = train.run(&mut g, &mut d, &real, &z, 1e-4, 1e-2)?.d_loss;
    assert!(last < first, "{first} to {last}");
    // One application per step: 22 runs.
    assert_eq!(g.get("bn1.seen")?.to_vec(), [22.0]);
    let mut twice = TrainTwiceApplied::compile(&device, TrainTwiceApplied::dims().b(4), &options)?;
    twice.run(&mut g, &d, &z, 1e-3)?;
    assert_eq!(g.get("bn1.seen")?.to_vec(), [24.0]);
    let mut train_d = TrainDiscriminator::compile(&device, TrainDiscriminator::dims().b(4), &options)?;
    train_d.run(&g, &mut d, &real, &z, 1e-3)?;
    assert_eq!(g.get("bn1.seen")?.to_vec(), [24.0]);
    Ok(())
}

#[test]
fn a_trained_network_gets_a_new_head_and_its_upper_part_is_tuned() -> Result<(), Error> {
    let device = Device::cpu();
    let line = |text: &str| vec![text.to_string()];
    let body = |classes: usize, prefix: &str| -> Vec<String> {
        let keys = [
            line("stem.weight [16, 12]"),
            norm("bn1", 16),
            line("layers.0.fc.weight [8, 16]"),
            norm("layers.0.bn", 8),
            line("layers.1.fc.weight [8, 8]"),
            norm("layers.1.bn", 8),
            vec![format!("fc.weight [{classes}, 8]"), format!("fc.bias [{classes}]")],
        ];
        keys.concat().into_iter().map(|key| format!("{prefix}{key}")).collect()
    };
    let mut net = Flowers::new(&device, Seed(1))?;
    assert_eq!(listed(&SmallNet::new(&device, Seed(0))?.parameters()), body(10, ""));
    assert_eq!(listed(&net.parameters()), body(3, ""));
    let both = TwoHeads::new(&device, Seed(2))?;
    let heads = [body(10, "body."), line("coarse.weight [5, 10]"), line("coarse.bias [5]")];
    assert_eq!(listed(&both.parameters()), heads.concat());

    let image: Vec<f32> = (0..8 * 12).map(|i| (i * 7 % 13) as f32 / 13.0).collect();
    let label: Vec<u32> = (0..8).map(|i| i % 3).collect();
    let keys: Vec<String> = net.parameters().into_iter().map(|p| p.key).collect();
    let values =
        |net: &Flowers| -> Result<Vec<Vec<f32>>, Error> { keys.iter().map(|key| Ok(net.get(key)?.to_vec())).collect() };
    let changed = |before: &[Vec<f32>], after: &[Vec<f32>]| -> Vec<String> {
        let differing = keys.iter().zip(before.iter().zip(after)).filter(|(_, (before, after))| before != after);
        differing.map(|(key, _)| key.clone()).collect()
    };
    let before = values(&net)?;
    let mut head = TrainHead::compile(&device, TrainHead::dims().b(8), &Options::default())?;
    let losses: Vec<f32> =
        (0..5).map(|_| head.run(&mut net, &image, &label, 0.1).map(|out| out.loss)).collect::<Result<_, _>>()?;
    assert!(losses[4] < losses[0], "{losses:?}");
    let after = values(&net)?;
    assert_eq!(changed(&before, &after), ["fc.weight", "fc.bias"]);

    // Two batch sizes share momentum and states.
    for count in [8, 3, 8] {
        let mut tune = TuneTop::compile(&device, TuneTop::dims().b(count), &Options::default())?;
        tune.run(&mut net, &image[..count * 12], &label[..count], 0.01)?;
    }
    let tuned = values(&net)?;
    let expected = [
        "bn1.running_mean",
        "bn1.seen",
        "layers.0.bn.running_mean",
        "layers.0.bn.seen",
        "layers.1.fc.weight",
        "layers.1.bn.weight",
        "layers.1.bn.bias",
        "layers.1.bn.running_mean",
        "layers.1.bn.seen",
        "fc.weight",
        "fc.bias",
    ];
    assert_eq!(changed(&after, &tuned), expected);
    assert_eq!(net.get("layers.1.bn.seen")?.to_vec(), [3.0]);

    let mut classify = ClassifyBoth::compile(&device, ClassifyBoth::dims().b(8), &Options::default())?;
    let out = classify.run(&both, &image)?;
    assert_eq!((out.output.0.len(), out.output.1.len()), (8, 8));
    let sum: f32 = both.get("body.layers.1.fc.weight")?.iter().sum();
    assert!((out.output.2 - sum).abs() < 1e-5, "{} for {sum}", out.output.2);
    Ok(())
}

#[test]
fn a_table_is_the_last_layer_before_it_is_applied() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Tied::new(&device, Seed(3))?;
    assert_eq!(listed(&net.parameters()), ["wte.weight [4, 3]"]);
    let before = net.get("wte.weight")?.to_vec();
    let mut train = TrainTied::compile(&device, TrainTied::dims().b(1), &Options::default())?;
    let loss = train.run(&mut net, &[1.0, 2.0, 3.0], &[0.0, 1.0, 0.0, 0.0], 0.5)?.loss;
    let logits: f32 = before.iter().enumerate().map(|(i, w)| w * (i % 3 + 1) as f32).sum();
    let rows: f32 = before[3..6].iter().sum();
    assert!((loss - logits - 2.0 * rows).abs() < 1e-4, "{loss} for {}", logits + 2.0 * rows);
    // Every row gets y, the row that was looked up 2 on top.
    let gradient = |i: usize| (i % 3 + 1) as f32 + if i / 3 == 1 { 2.0 } else { 0.0 };
    let after = net.get("wte.weight")?;
    assert!(after.iter().zip(&before).enumerate().all(|(i, (a, b))| (a - b + 0.5 * gradient(i)).abs() < 1e-5));
    Ok(())
}
