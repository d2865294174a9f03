//! The program `softmax_mlp` of the corpus. One loss by name and written out.

use crate::assert_falls;
use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model SoftmaxMlp<const HIDDEN: usize = 32, const CLASSES: usize = 10>(x: f32<N, 64>) -> f32<N, CLASSES> {
        #[name("0")]
        let fc1 = Linear(HIDDEN);
        #[name("2")]
        let fc2 = Linear(CLASSES);
        let z1 = fc1(x);
        let a1 = relu(z1);
        fc2(a1)
    }

    pub step TrainMlp(x: f32<dyn B, 64>, label: u32<B>, lr: f32) -> f32<B, 10> {
        let net = SoftmaxMlp();
        let logits = net(x);
        let loss = cross_entropy(logits, label);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss, correct = logits.argmax(1).eq(label).sum());
        logits
    }

    pub step TrainMlpByHand(x: f32<dyn B, 64>, label: u32<B>, lr: f32) {
        let net = SoftmaxMlp();
        let log_p = net(x).log_softmax(1);
        let loss = -log_p.gather(1, label.unsqueeze(1)).sum() / f32(B);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
    }

    pub step ClassifyMlp(x: f32<dyn B, 64>) -> f32<B, 10> {
        let net = SoftmaxMlp();
        net(x).softmax(1)
    }
}

#[test]
fn both_losses_train_alike() -> Result<(), Error> {
    let device = Device::cpu();
    let x: Vec<f32> = (0..50 * 64).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
    let label: Vec<u32> = (0..50).map(|i| i * 7 % 10).collect();
    let mut by_name = SoftmaxMlp::new(&device, Seed(0))?;
    let mut by_hand = SoftmaxMlp::new(&device, Seed(0))?;
    let mut train = TrainMlp::compile(&device, TrainMlp::dims().b(50), &Options::default())?;
    let mut train_by_hand = TrainMlpByHand::compile(&device, TrainMlpByHand::dims().b(50), &Options::default())?;
    let mut losses = Vec::new();
    for _ in 0..50 {
        let a = train.run(&mut by_name, &x, &label, 0.001)?;
        assert!(a.correct <= 50);
        let b = train_by_hand.run(&mut by_hand, &x, &label, 0.001)?;
        assert!((a.loss - b.loss).abs() < 1e-4 * a.loss, "{} by name, {} by hand", a.loss, b.loss);
        losses.push(a.loss);
    }
    assert_falls(&losses);
    let mut classify = ClassifyMlp::compile(&device, ClassifyMlp::dims().b(50), &Options::default())?;
    let out = classify.run(&by_name, &x)?;
    let sum: f32 = out.output[..10].iter().sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    Ok(())
}
