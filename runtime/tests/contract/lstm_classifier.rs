//! The program `lstm_classifier` of the corpus. Classes and tags of sequences.

use crate::assert_falls;
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
}

#[test]
fn it_trains_on_sequences_of_any_length_and_hands_on_its_state() -> Result<(), Error> {
    let device = Device::cpu();
    let ids: Vec<u32> = (0..8 * 20).map(|i| 1 + i * 17 % 999).collect();
    let label: Vec<u32> = (0..8).map(|i| i % 4).collect();
    let mut net = LstmClassifier::new(&device, Seed(0))?;
    let mut train = TrainLstm::compile(&device, TrainLstm::dims().b(8).t(20), &Options::default())?;
    let mut losses = Vec::new();
    for _ in 0..5 {
        losses.push(train.run(&mut net, &ids, &label, 1e-2)?.loss);
    }
    assert_falls(&losses);
    let mut classify = ClassifyLstm::compile(&device, ClassifyLstm::dims().b(1).t(7), &Options::default())?;
    let out = classify.run(&net, &ids[..7])?;
    let (class, p) = (out.output.0[0], out.output.1[0]);
    assert!(class < 4 && (0.25..=1.0).contains(&p), "{class} with {p}");

    let mut tagger = Tagger::new(&device, Seed(0))?;
    let mut train = TrainTagger::compile(&device, TrainTagger::dims().b(8).t(10), &Options::default())?;
    let (mut h, mut c) = (vec![0.0; 8 * 64], vec![0.0; 8 * 64]);
    let mut losses = Vec::new();
    for _ in 0..2 {
        let out = train.run(&mut tagger, &ids[..80], &vec![3u32; 8 * 10], &h, &c, 1e-3)?;
        losses.push(out.loss);
        (h, c) = (out.output.0.to_vec(), out.output.1.to_vec());
    }
    assert_falls(&losses);
    assert!(h.iter().all(|h| h.abs() < 1.0) && h != vec![0.0; 8 * 64] && c != h);
    Ok(())
}
