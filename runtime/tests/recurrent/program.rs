//! The program `lstm_classifier` of the corpus, and its models trained beside PyTorch's.

use crate::{close, filled, numbers, records};
use tapeless::{Device, Error, Options, Seed, model};

model! {
    pub model LstmClassifier<const VOCAB: usize = 1000, const WIDTH: usize = 64, const HIDDEN: usize = 128, const LAYERS: usize = 2,
                             const CLASSES: usize = 4>(ids: u32<N, T>) -> f32<N, CLASSES> {
        let embed = Embedding(VOCAB, WIDTH, padding_idx = 0);
        let lstm = Lstm(HIDDEN, num_layers = LAYERS, batch_first = true, dropout = 0.2, bidirectional = true);
        let drop = Dropout(0.5);
        let head = Linear(CLASSES);
        let (_, (h, _)) = ids.embed().lstm();
        let last = cat([h.at(0, 2 * LAYERS - 2), h.at(0, 2 * LAYERS - 1)], 1);
        last.drop().head()
    }

    pub model Tagger(ids: u32<N, T>, h0: f32<1, N, 64>, c0: f32<1, N, 64>) -> (f32<N, T, 9>, f32<1, N, 64>, f32<1, N, 64>) {
        let embed = Embedding(1000, 32);
        let lstm = Lstm(64, batch_first = true);
        let head = Linear(9);
        let (y, (h, c)) = lstm(embed(ids), (h0, c0));
        (head(y), h, c)
    }

    pub step TrainLstm(ids: u32<dyn B, dyn T>, label: u32<B>, lr: f32) {
        let net = LstmClassifier();
        let logits = net(ids);
        let loss = cross_entropy(logits, label);
        minimize(loss, over = net, with = Adam(lr), clip_value = 0.5);
        metric(loss, correct = logits.argmax(1).eq(label).sum());
    }

    pub step ClassifyLstm(ids: u32<dyn B, dyn T>) -> (u32<B>, f32<B>) {
        let net = LstmClassifier();
        let (p, class) = net(ids).softmax(1).max(1);
        (class, p)
    }

    pub step TrainTagger(ids: u32<dyn B, dyn T>, tag: u32<B, T>, h: f32<1, B, 64>, c: f32<1, B, 64>, lr: f32) -> (f32<1, B, 64>, f32<1, B, 64>) {
        let net = Tagger();
        let (logits, h, c) = net(ids, h, c);
        let loss = cross_entropy(logits.flatten(0, 1), tag.flatten());
        minimize(loss, over = net, with = RmsProp(lr, alpha = 0.95));
        metric(loss);
        (h, c)
    }

    #[eval]
    pub step TuneLstm(ids: u32<dyn B, dyn T>, label: u32<B>, lr: f32) {
        let net = LstmClassifier();
        let loss = cross_entropy(net(ids), label);
        minimize(loss, over = net, with = Adam(lr), clip_value = 0.5);
        metric(loss);
    }

    pub step Probabilities(ids: u32<dyn B, dyn T>) -> f32<B, 4> {
        let net = LstmClassifier();
        net(ids).softmax(1)
    }
}

fn ids(count: u32) -> Vec<u32> {
    (0..count).map(|i| 1 + i * 17 % 999).collect()
}

#[test]
fn the_program_runs_as_it_is() -> Result<(), Error> {
    let device = Device::cpu();
    let ids = ids(8 * 20);
    let label: Vec<u32> = (0..8).map(|i| i % 4).collect();
    let mut net = LstmClassifier::new(&device, Seed(0))?;
    let mut train = TrainLstm::compile(&device, TrainLstm::dims().b(8).t(20), &Options::default())?;
    let mut losses = Vec::new();
    for _ in 0..5 {
        losses.push(train.run(&mut net, &ids, &label, 1e-3)?.loss);
    }
    assert!(losses.iter().all(|loss| (0.5..3.0).contains(loss)), "{losses:?}");
    let mut classify = ClassifyLstm::compile(&device, ClassifyLstm::dims().b(1).t(7), &Options::default())?;
    let out = classify.run(&net, &ids[..7])?;
    assert!(out.output.0[0] < 4 && (0.25..=1.0).contains(&out.output.1[0]));

    let mut tagger = Tagger::new(&device, Seed(0))?;
    let mut train = TrainTagger::compile(&device, TrainTagger::dims().b(8).t(10), &Options::default())?;
    let (mut h, mut c) = (vec![0.0; 8 * 64], vec![0.0; 8 * 64]);
    let mut losses = Vec::new();
    for _ in 0..2 {
        let out = train.run(&mut tagger, &ids[..80], &[3u32; 8 * 10], &h, &c, 1e-3)?;
        losses.push(out.loss);
        (h, c) = (out.output.0.to_vec(), out.output.1.to_vec());
    }
    assert!(losses[1] < losses[0], "{losses:?}");
    Ok(())
}

#[test]
fn keys_and_beginnings_are_pytorchs() -> Result<(), Error> {
    let net = LstmClassifier::new(&Device::cpu(), Seed(5))?;
    let keys: Vec<String> = net.parameters().iter().map(|p| format!("{} {:?}", p.key, p.shape)).collect();
    let mut expected = vec!["embed.weight [1000, 64]".to_string()];
    for (layer, width) in [(0, 64), (1, 256)] {
        for suffix in ["", "_reverse"] {
            expected.push(format!("lstm.weight_ih_l{layer}{suffix} [512, {width}]"));
            expected.push(format!("lstm.weight_hh_l{layer}{suffix} [512, 128]"));
            expected.extend(["ih", "hh"].map(|name| format!("lstm.bias_{name}_l{layer}{suffix} [512]")));
        }
    }
    expected.extend(["head.weight [4, 256]".to_string(), "head.bias [4]".to_string()]);
    assert_eq!(keys, expected);
    // Evenly within one over the root of the hidden numbers.
    let (bound, weight) = (1.0 / 128f32.sqrt(), net.get("lstm.weight_ih_l1")?.to_vec());
    let largest = weight.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    let square = weight.iter().map(|x| x * x).sum::<f32>() / weight.len() as f32;
    assert!(largest <= bound && largest > 0.99 * bound, "{largest} within {bound}");
    assert!((square - bound * bound / 3.0).abs() < 0.02 * bound * bound, "{square}");
    Ok(())
}

#[test]
fn the_classifier_learns_as_pytorchs_does() -> Result<(), Error> {
    let (device, record) = (Device::cpu(), &records()["classifier"]);
    let mut net = LstmClassifier::new(&device, Seed(0))?;
    let keys: Vec<(String, usize)> =
        net.parameters().iter().map(|p| (p.key.clone(), p.shape.iter().product())).collect();
    for (number, (key, elements)) in keys.iter().enumerate() {
        net.set(key, &filled(*elements, number, 256.0))?;
    }
    let ids = ids(8 * 20);
    let mut evaluate = Probabilities::compile(&device, Probabilities::dims().b(1).t(7), &Options::default())?;
    let found = evaluate.run(&net, &ids[..7])?.output.to_vec();
    close("probabilities", &found, &numbers(&record["probabilities"]), 1e-5);
    let label: Vec<u32> = (0..8).map(|i| i % 4).collect();
    let mut tune = TuneLstm::compile(&device, TuneLstm::dims().b(8).t(20), &Options::default())?;
    let mut losses = Vec::new();
    for _ in 0..8 {
        losses.push(tune.run(&mut net, &ids, &label, 1e-3)?.loss);
    }
    close("losses", &losses, &numbers(&record["losses"]), 2e-4);
    Ok(())
}

#[test]
fn the_tagger_learns_as_pytorchs_does() -> Result<(), Error> {
    let (device, record) = (Device::cpu(), &records()["tagger"]);
    let mut net = Tagger::new(&device, Seed(0))?;
    let keys: Vec<(String, usize)> =
        net.parameters().iter().map(|p| (p.key.clone(), p.shape.iter().product())).collect();
    for (number, (key, elements)) in keys.iter().enumerate() {
        net.set(key, &filled(*elements, number, 256.0))?;
    }
    let mut train = TrainTagger::compile(&device, TrainTagger::dims().b(8).t(10), &Options::default())?;
    let (mut h, mut c) = (vec![0.0; 8 * 64], vec![0.0; 8 * 64]);
    let (ids, tags): (_, Vec<u32>) = (ids(80), (0..80).map(|i| i % 9).collect());
    let mut losses = Vec::new();
    for _ in 0..8 {
        let out = train.run(&mut net, &ids, &tags, &h, &c, 1e-3)?;
        losses.push(out.loss);
        (h, c) = (out.output.0.to_vec(), out.output.1.to_vec());
    }
    close("losses", &losses, &numbers(&record["losses"]), 1e-4);
    close("h", &h[..8], &numbers(&record["h"]), 1e-4);
    close("c", &c[7 * 64..][..8], &numbers(&record["c"]), 1e-4);
    Ok(())
}
