//! `check_gradients`: small errors for gradients that are right, over dropout, detached values, states and several losses,
//! and without any change to the models.

use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Mlp(x: f32<N, 6>) -> f32<N, 3> {
        let fc1 = Linear(5);
        let drop = Dropout(0.3);
        let fc2 = Linear(3);
        x.fc1().tanh().drop().fc2()
    }

    pub model Scale(x: f32<N, 3>) -> f32<N, 3> {
        #[param]
        let gain: f32<3> = ones();
        #[state]
        let mean: f32<3> = zeros();
        mean = 0.9 * mean + 0.1 * x.mean(0);
        x * gain - mean
    }

    pub step Train(x: f32<dyn B, 6>, label: u32<B>, lr: f32) {
        let net = Mlp();
        let loss = cross_entropy(net(x), label) + 0.1 * net.fc1.weight.pow(2).sum();
        minimize(loss, over = net, with = Adam(lr), clip_norm = 0.01);
        metric(loss);
    }

    pub step TrainBoth(x: f32<dyn B, 6>, lr: f32) {
        let net = Mlp();
        let scale = Scale();
        let y = net(x);
        let z = scale(detach(y));
        minimize((y - detach(z)).pow(2).mean(), over = net, with = Sgd(lr));
        minimize(z.exp().mean(), over = scale, with = Sgd(lr, momentum = 0.9));
    }
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 % 41) as f32 - 20.0) / 20.0).collect()
}

#[test]
fn gradients_that_are_right_have_small_errors() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Mlp::new(&device, Seed(3))?;
    let mut train = Train::compile(&device, Train::dims().b(4), &Options::default())?;
    let (x, label) = (numbers(4 * 6), [0, 2, 1, 1]);
    for _ in 0..2 {
        let before = net.get("fc1.weight")?.to_vec();
        let errors = train.check_gradients(&net, &x, &label, 0.1)?;
        let keys: Vec<&str> = errors.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]);
        assert!(errors.iter().all(|(_, error)| *error < 1e-5), "{errors:?}");
        assert_eq!(net.get("fc1.weight")?.to_vec(), before);
        // The second round is at other masks.
        train.run(&mut net, &x, &label, 0.1)?;
    }
    Ok(())
}

#[test]
fn detached_values_stay_where_they_are_and_keys_name_the_model() -> Result<(), Error> {
    let device = Device::cpu();
    let (net, scale) = (Mlp::new(&device, Seed(3))?, Scale::new(&device, Seed(4))?);
    let train = TrainBoth::compile(&device, TrainBoth::dims().b(5), &Options::default())?;
    let errors = train.check_gradients(&net, &scale, &numbers(5 * 6), 0.1)?;
    let keys: Vec<&str> = errors.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["net.fc1.weight", "net.fc1.bias", "net.fc2.weight", "net.fc2.bias", "scale.gain"]);
    assert!(errors.iter().all(|(_, error)| *error < 1e-5), "{errors:?}");
    Ok(())
}

#[test]
fn inputs_of_the_wrong_length_are_refused() -> Result<(), Error> {
    let device = Device::cpu();
    let net = Mlp::new(&device, Seed(3))?;
    let train = Train::compile(&device, Train::dims().b(4), &Options::default())?;
    assert!(matches!(train.check_gradients(&net, &[0.0; 5], &[0; 4], 0.1), Err(Error::InputLength { .. })));
    assert!(matches!(train.check_gradients(&net, &[0.0; 24], &[0, 1, 2, 3], 0.1), Err(Error::IndexOutOfRange { .. })));
    Ok(())
}
