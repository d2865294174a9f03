//! The program `dropout_mlp` of the corpus, which runs a model with dropout through training, evaluation, saving and
//! resuming.

use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model Mlp<const DROP: f32 = 0.5>(image: f32<N, 784>) -> f32<N, 10> {
        let fc1 = Linear(256);
        let fc2 = Linear(128);
        let head = Linear(10);
        let drop = Dropout(DROP);
        #[eval]
        let never = Dropout(0.9);
        let x = image.fc1().relu().drop();
        x.fc2().relu().drop().never().head()
    }

    pub step TrainMlp(image: f32<dyn B, 784>, label: u32<B>, lr: f32) {
        let net = Mlp();
        let logits = net(image);
        let loss = cross_entropy(logits, label, label_smoothing = 0.1);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss, correct = logits.argmax(1).eq(label).sum());
    }

    pub step TestMlp(image: f32<dyn B, 784>, label: u32<B>) {
        let net = Mlp();
        let logits = net(image);
        metric(loss = cross_entropy(logits, label), correct = (logits.argmax(1) == label).sum());
    }

    #[eval]
    pub step TuneMlp(image: f32<dyn B, 784>, label: u32<B>, lr: f32) {
        let net = Mlp();
        let loss = cross_entropy(net(image), label);
        minimize(loss, over = net.head, with = Sgd(lr));
        metric(loss);
    }
}

#[test]
fn it_trains_evaluates_saves_and_resumes() -> Result<(), Error> {
    let device = Device::cpu();
    let count = 40;
    let images: Vec<f32> = (0..count * 784).map(|i| (i * 31 % 255) as f32 / 255.0).collect();
    let labels: Vec<u32> = (0..count as u32).map(|i| i % 10).collect();

    let mut net = Mlp::new(&device, Seed(7))?;
    let mut train = TrainMlp::compile(&device, TrainMlp::dims().b(16), &Options::default())?;
    let mut train_rest = TrainMlp::compile(&device, TrainMlp::dims().b(count - 2 * 16), &Options::default())?;
    let mut test = TestMlp::compile(&device, TestMlp::dims().b(count), &Options::default())?;
    let before = test.run(&net, &images, &labels)?.loss;
    for _ in 0..3 {
        for (image, label) in images.chunks(16 * 784).zip(labels.chunks(16)) {
            let step = if label.len() == 16 { &mut train } else { &mut train_rest };
            assert!(step.run(&mut net, image, label, 1e-3)?.loss.is_finite());
        }
    }
    let (after, again) = (test.run(&net, &images, &labels)?.loss, test.run(&net, &images, &labels)?.loss);
    assert!(after < before, "{after} after training, {before} before");
    assert_eq!(after, again, "an evaluation draws nothing");

    let folder = std::env::temp_dir().join(format!("tapeless-dropout-mlp-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("there is room for a folder");
    let path = folder.join("dropout_mlp.safetensors");
    net.save(&path)?;
    let mut resumed = Mlp::new(&device, Seed(0))?;
    resumed.load(&path)?;
    std::fs::remove_dir_all(&folder).expect("it is there");
    for _ in 0..2 {
        let a = train.run(&mut net, &images[..16 * 784], &labels[..16], 1e-3)?.loss;
        let b = train.run(&mut resumed, &images[..16 * 784], &labels[..16], 1e-3)?.loss;
        assert_eq!(a, b, "slots, update count and random counter are part of the saved run");
    }
    assert_eq!(net.get("fc1.weight")?.to_vec(), resumed.get("fc1.weight")?.to_vec());

    let mut tune = TuneMlp::compile(&device, TuneMlp::dims().b(16), &Options::default())?;
    let first = tune.run(&mut net, &images[..16 * 784], &labels[..16], 0.0)?.loss;
    let second = tune.run(&mut net, &images[..16 * 784], &labels[..16], 0.0)?.loss;
    assert_eq!(first, second, "a step that is told to evaluate drops nothing");
    Ok(())
}
