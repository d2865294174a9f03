//! A generator and a discriminator, trained at once and by turns: which store a step changes, and how the running statistics
//! of a layer that is applied by a model in training chain.

use tapeless::{DType, Device, Error, Options, Seed, model};

model! {
    pub model Generator<const NOISE: usize = 64>(z: f32<N, NOISE>) -> f32<N, 784> {
        let fc1 = Linear(128);
        let bn1 = BatchNorm1d();
        let fc2 = Linear(784);
        z.fc1().bn1().leaky_relu(0.2).fc2().tanh()
    }

    pub model Discriminator(image: f32<N, 784>) -> f32<N, 1> {
        let fc1 = Linear(128);
        let fc2 = Linear(1);
        image.fc1().leaky_relu(0.2).fc2()
    }

    pub step TrainGan(real: f32<dyn B, 784>, z: f32<B, 64>, lr_g: f32, lr_d: f32) {
        let g = Generator();
        let d = Discriminator();
        let fake = g(z);
        let on_real = d(real);
        let on_fake = d(detach(fake));
        let d_loss = bce_with_logits(on_real, ones_like(on_real)) + bce_with_logits(on_fake, zeros_like(on_fake));
        let fooled = d(fake);
        let g_loss = bce_with_logits(fooled, ones_like(fooled));
        minimize(d_loss, over = d, with = Adam(lr_d, betas = (0.5, 0.999)));
        minimize(g_loss, over = g, with = Adam(lr_g, betas = (0.5, 0.999)));
        metric(d_loss, g_loss);
    }

    pub step TrainDiscriminator(real: f32<dyn B, 784>, z: f32<B, 64>, lr: f32) {
        #[eval]
        let g = Generator();
        let d = Discriminator();
        let loss = d(detach(g(z))).softplus().mean() + (-d(real)).softplus().mean();
        minimize(loss, over = d, with = Adam(lr, betas = (0.5, 0.999)));
        metric(loss);
    }

    pub step TrainGenerator(z: f32<dyn B, 64>, lr: f32) {
        let g = Generator();
        let d = Discriminator();
        let loss = (-d(g(z))).softplus().mean();
        minimize(loss, over = g, with = Adam(lr, betas = (0.5, 0.999)));
        metric(loss);
    }

    pub step Draw(z: f32<dyn B, 64>) -> f32<B, 784> {
        let g = Generator();
        g(z)
    }
}

const BATCH: usize = 16;

fn inputs() -> (Vec<f32>, Vec<f32>) {
    let real = (0..BATCH * 784).map(|i| (i % 28) as f32 / 14.0 - 1.0).collect();
    (real, (0..BATCH * 64).map(|i| ((i * 29 % 41) as f32 - 20.0) / 10.0).collect())
}

#[test]
fn counters_of_batches_are_exact_integers_also_in_a_file() -> Result<(), Error> {
    let (device, (real, z)) = (Device::cpu(), inputs());
    let (mut g, mut d) = (Generator::new(&device, Seed(1))?, Discriminator::new(&device, Seed(2))?);
    let tracked =
        g.parameters().into_iter().find(|p| p.key == "bn1.num_batches_tracked").map(|p| (p.dtype, p.shape, p.state));
    assert_eq!(tracked, Some((DType::I64, vec![], true)));
    let mut train = TrainGan::compile(&device, TrainGan::dims().b(BATCH), &Options::default())?;
    for _ in 0..3 {
        train.run(&mut g, &mut d, &real, &z, 2e-4, 2e-4)?;
    }
    assert_eq!(g.get_typed::<i64>("bn1.num_batches_tracked")?.to_vec(), [3]);

    // One more than f32 and f64 can tell apart from its neighbours.
    let many = (1i64 << 60) + 1;
    g.set_typed("bn1.num_batches_tracked", &[many])?;
    let path = std::env::temp_dir().join(format!("tapeless-gan-{}.safetensors", std::process::id()));
    g.save(&path)?;
    let mut again = Generator::new(&device, Seed(3))?;
    again.load(&path)?;
    std::fs::remove_file(&path).ok();
    assert_eq!(again.get_typed::<i64>("bn1.num_batches_tracked")?.to_vec(), [many]);
    train.run(&mut again, &mut d, &real, &z, 2e-4, 2e-4)?;
    assert_eq!(again.get_typed::<i64>("bn1.num_batches_tracked")?.to_vec(), [many + 1]);
    Ok(())
}

#[test]
fn a_model_that_is_not_minimized_over_stays_as_it_is() -> Result<(), Error> {
    let (device, (real, z)) = (Device::cpu(), inputs());
    let (mut g, mut d) = (Generator::new(&device, Seed(1))?, Discriminator::new(&device, Seed(2))?);
    let all = |keys: &[&str], get: &dyn Fn(&str) -> Vec<f32>| keys.iter().map(|key| get(key)).collect::<Vec<_>>();
    let of_d = |d: &Discriminator| all(&["fc1.weight", "fc2.bias"], &|key| d.get(key).expect("a key of d").to_vec());
    let of_g = |g: &Generator| all(&["fc1.weight", "bn1.weight"], &|key| g.get(key).expect("a key of g").to_vec());

    let mut train_d = TrainDiscriminator::compile(&device, TrainDiscriminator::dims().b(BATCH), &Options::default())?;
    let mut train_g = TrainGenerator::compile(&device, TrainGenerator::dims().b(BATCH), &Options::default())?;
    let (d0, g0) = (of_d(&d), of_g(&g));
    let d_loss = train_d.run(&g, &mut d, &real, &z, 2e-4)?.loss;
    assert_eq!(of_g(&g), g0);
    assert_ne!(of_d(&d), d0);
    let (d1, g_loss) = (of_d(&d), train_g.run(&mut g, &d, &z, 2e-4)?.loss);
    assert_eq!(of_d(&d), d1);
    assert_ne!(of_g(&g), g0);
    assert!(d_loss.is_finite() && g_loss.is_finite());
    // The generator was frozen in the first step and in training in the second.
    assert_eq!(g.get_typed::<i64>("bn1.num_batches_tracked")?.to_vec(), [1]);
    Ok(())
}

#[test]
fn gradients_of_two_losses_are_told_apart_by_the_binding() -> Result<(), Error> {
    let (device, (real, z)) = (Device::cpu(), inputs());
    let (mut g, mut d) = (Generator::new(&device, Seed(1))?, Discriminator::new(&device, Seed(2))?);
    let options = Options { keep_gradients: true, ..Options::default() };
    let mut train = TrainGan::compile(&device, TrainGan::dims().b(BATCH), &options)?;
    let first = train.run(&mut g, &mut d, &real, &z, 2e-4, 2e-4)?;
    let (d_first, g_first) = (first.d_loss, first.g_loss);
    assert_eq!(train.gradient("d.fc1.weight")?.shape(), [128, 784]);
    assert_eq!(train.gradient("g.bn1.bias")?.shape(), [128]);
    assert!(train.gradient("g.bn1.bias")?.iter().any(|x| *x != 0.0));
    for _ in 0..30 {
        train.run(&mut g, &mut d, &real, &z, 0.0, 2e-3)?;
    }
    // Against a generator at rest the discriminator wins, and the generator's loss grows.
    let last = train.run(&mut g, &mut d, &real, &z, 0.0, 0.0)?;
    assert!(last.d_loss < 0.5 * d_first && last.g_loss > g_first, "{} {}", last.d_loss, last.g_loss);

    let mut draw = Draw::compile(&device, Draw::dims().b(1), &Options::default())?;
    let picture = draw.run(&g, &z[..64])?.output;
    assert!(picture.len() == 784 && picture.iter().all(|x| x.abs() <= 1.0));
    Ok(())
}
