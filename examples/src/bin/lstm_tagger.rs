//! Trains a recurrent network to tag the words of a small grammar whose words have several tags each: what stands before and
//! behind a word tells which.
//!
//! `cargo run --release --bin lstm_tagger`

use std::time::Instant;
use tapeless::schedule::Schedule;
use tapeless::{Device, Options, Seed, model};
use tapeless_data::RunningMean;
use tapeless_examples::ExampleError;
use tapeless_examples::arguments::smoke;
use tapeless_examples::grammar::{self, LENGTH, Sentences};

const BATCH: usize = 32;
const RATE: f64 = 5e-3;
const SEED: u64 = 11;

model! {
    /// The tags of words, padded with zeros, from what stands on both sides.
    pub model Tagger<const WORDS: usize = 80, const TAGS: usize = 8>(ids: u32<N, T>) -> f32<N, T, TAGS> {
        let embed = Embedding(WORDS, 24, padding_idx = 0);
        let lstm = Lstm(32, batch_first = true, bidirectional = true);
        let drop = Dropout(0.1);
        let head = Linear(TAGS);
        let (y, _) = ids.embed().lstm();
        y.drop().head()
    }

    /// One step of Adam on a batch; what is no word has no loss.
    pub step Train(ids: u32<dyn B, dyn T>, tags: u32<B, T>, lr: f32) {
        let net = Tagger();
        let loss = cross_entropy(net(ids).flatten(0, 1), tags.flatten(), ignore_index = 8);
        minimize(loss, over = net, with = Adam(lr), clip_norm = 1.0);
        metric(loss);
    }

    /// The most probable tag of every word.
    pub step Tag(ids: u32<dyn B, dyn T>) -> u32<B, T> {
        let net = Tagger();
        net(ids).argmax(-1)
    }
}

fn main() -> Result<(), ExampleError> {
    let (count, others, epochs) = if smoke()? { (4 * BATCH, 40, 1) } else { (60 * BATCH, 500, 15) };
    let train = grammar::sentences(count, SEED)?;
    let test = grammar::sentences(others, SEED + 1)?;
    let device = Device::cpu();
    let mut net = Tagger::new(&device, Seed(SEED))?;

    let start = Instant::now();
    fit(&device, &mut net, &train, epochs)?;
    let seconds = start.elapsed().as_secs_f64();
    let (ids, tags) = test.columns();
    let mut tag = Tag::compile(&device, Tag::dims().b(test.len()).t(LENGTH), &Options::default())?;
    let found = tag.run(&net, ids.elements())?.output.to_vec();
    println!("{}", grammar::written(&ids.elements()[..LENGTH], &found[..LENGTH]));

    let accuracy = grammar::accuracy(&found, tags.elements());
    let baseline = grammar::accuracy(&grammar::most_frequent(&train, &test), tags.elements());
    println!("{:.1} % of the words of {} other sentences tagged right", 100.0 * accuracy, test.len());
    println!("{:.1} % by what each word is most often", 100.0 * baseline);
    println!("result accuracy={accuracy:.4} baseline={baseline:.4} seconds={seconds:.1}");
    Ok(())
}

fn fit(device: &Device, net: &mut Tagger, sentences: &Sentences, epochs: usize) -> Result<(), ExampleError> {
    let batches = sentences.batches(BATCH)?.shuffled(SEED).drop_last();
    let mut step = Train::compile(device, Train::dims().b(BATCH).t(LENGTH), &Options::default())?;
    let schedule = Schedule::cosine(RATE, epochs, 0.1 * RATE);
    for epoch in 0..epochs {
        let mut loss = RunningMean::new();
        for batch in batches.epoch(epoch as u64) {
            let (ids, tags) = &batch.rows;
            loss.add(step.run(net, ids, tags, schedule.rate(epoch))?.loss, batch.len);
        }
        println!("epoch {epoch}: loss {:.4}", loss.mean());
    }
    Ok(())
}
