//! Trains a decoder on a text, one token per byte, and lets it write.
//!
//! `cargo run --release --bin gpt -- --data FILE`; without `--data`, the text is an embedded piece of Shakespeare. `--save FILE`
//! keeps the run, `--resume FILE` goes on with it, `--steps N` says how many steps there are in all.

use fastrand::Rng;
use std::time::Instant;
use tapeless::schedule::Schedule;
use tapeless::{Device, Options, Seed, model};
use tapeless_examples::ExampleError;
use tapeless_examples::arguments::Arguments;
use tapeless_examples::text::{self, TOKENS, Text};

const BATCH: usize = 16;
const CONTEXT: usize = 64;
const STEPS: usize = 1500;
const WARM_UP: usize = 100;
const RATE: f64 = 3e-3;
const SEED: u64 = 1;
/// How many bytes are written in the end.
const WRITTEN: usize = 400;

model! {
    use tapeless::models::Gpt;

    /// A decoder over bytes that counts its steps, so that a run goes on where it was saved.
    pub model Writer(ids: u32<N, T>) -> f32<N, T, 256> {
        #[state]
        let steps: i64 = zeros();
        let gpt = Gpt(VOCAB = 256, LAYERS = 4, HEADS = 4, D = 128, CONTEXT = 64);
        if training {
            steps = steps + 1;
        }
        gpt(ids)
    }

    /// One step of AdamW on windows of a text.
    pub step Train(ids: u32<dyn B, dyn T>, next: u32<B, T>, lr: f32) {
        let net = Writer();
        let loss = cross_entropy(net(ids).flatten(0, 1), next.flatten());
        minimize(loss, over = net, with = AdamW(lr, betas = (0.9, 0.95), weight_decay = 0.1), clip_norm = 1.0);
        metric(loss);
    }

    /// The loss on windows of a text.
    pub step Try(ids: u32<dyn B, dyn T>, next: u32<B, T>) {
        let net = Writer();
        let loss = cross_entropy(net(ids).flatten(0, 1), next.flatten());
        metric(loss);
    }

    /// How probable each byte is behind the first `length` of a window.
    pub step Next(ids: u32<1, dyn T>, length: u32<1>) -> f32<256> {
        let net = Writer();
        let last = arange(T).eq(length - 1);
        select(last.unsqueeze(1), net(ids).squeeze(0), 0.0).sum(0).softmax(0)
    }
}

fn main() -> Result<(), ExampleError> {
    let arguments = Arguments::read(&[("data", "FILE"), ("steps", "N"), ("save", "FILE"), ("resume", "FILE")])?;
    let text = match arguments.path("data") {
        Some(path) => Text::read(&path)?,
        None => Text::embedded(),
    };
    let text = text.at_least(CONTEXT)?;
    let steps = arguments.number("steps")?.unwrap_or(if arguments.smoke { 3 } else { STEPS });
    let device = Device::cpu();
    let mut net = Writer::new(&device, Seed(SEED))?;
    if let Some(path) = arguments.path("resume") {
        net.load(path)?;
    }

    let rate = fit(&device, &mut net, &text.train, steps)?;
    if let Some(path) = arguments.path("save") {
        net.save(path)?;
    }
    let loss = held_out(&device, &net, &text.held_out, if arguments.smoke { 1 } else { usize::MAX })?;
    write(&device, &net, &text.held_out, if arguments.smoke { 20 } else { WRITTEN })?;
    println!("result val_loss={loss:.4} tokens_per_s={rate:.0}");
    Ok(())
}

/// Trains from the step that the model has come to up to the last one; tokens per second.
fn fit(device: &Device, net: &mut Writer, part: &[u32], steps: usize) -> Result<f64, ExampleError> {
    let mut train = Train::compile(device, Train::dims().b(BATCH).t(CONTEXT), &Options::default())?;
    let schedule = Schedule::cosine(RATE, steps.saturating_sub(WARM_UP), 0.1 * RATE).warm_up(WARM_UP, 0.01);
    let first = net.get_typed::<i64>("steps")?.to_vec()[0] as usize;
    let start = Instant::now();
    for step in first..steps {
        // The windows depend on nothing but the number of the step.
        let mut random = Rng::with_seed(SEED << 32 | step as u64);
        let (ids, next) = text::drawn(part, BATCH, CONTEXT, &mut random);
        let loss = train.run(net, &ids, &next, schedule.rate(step))?.loss;
        if step % 100 == 0 || step + 1 == steps {
            println!("step {step}: loss {loss:.4}, {:.1} s", start.elapsed().as_secs_f64());
        }
    }
    Ok((steps.saturating_sub(first) * BATCH * CONTEXT) as f64 / start.elapsed().as_secs_f64())
}

/// The mean loss over windows that lie side by side, in so many groups at most.
fn held_out(device: &Device, net: &Writer, part: &[u32], most: usize) -> Result<f64, ExampleError> {
    let mut step = Try::compile(device, Try::dims().b(BATCH).t(CONTEXT), &Options::default())?;
    let (mut sum, mut count) = (0.0, 0.0);
    for (ids, next) in text::beside(part, BATCH, CONTEXT).take(most) {
        sum += f64::from(step.run(net, &ids, &next)?.loss);
        count += 1.0;
    }
    Ok(sum / count)
}

/// Prints what the model writes behind the first bytes of a text: each byte is drawn by how probable it is.
fn write(device: &Device, net: &Writer, part: &[u32], count: usize) -> Result<(), ExampleError> {
    let mut step = Next::compile(device, Next::dims().t(CONTEXT), &Options::default())?;
    let mut random = Rng::with_seed(SEED);
    let mut written: Vec<u32> = part[..CONTEXT / 2].to_vec();
    for _ in 0..count {
        let seen = &written[written.len().saturating_sub(CONTEXT)..];
        let mut window = seen.to_vec();
        window.resize(CONTEXT, 0);
        let out = step.run(net, &window, &[seen.len() as u32])?;
        written.push(draw(&out.output, &mut random));
    }
    let bytes: Vec<u8> = written.into_iter().map(|token| token as u8).collect();
    println!("{}", String::from_utf8_lossy(&bytes));
    Ok(())
}

/// A token, each as probable as it is said to be.
fn draw(probabilities: &[f32], random: &mut Rng) -> u32 {
    let mut left = random.f32();
    for (token, probability) in probabilities.iter().enumerate() {
        left -= probability;
        if left < 0.0 {
            return token as u32;
        }
    }
    TOKENS as u32 - 1
}
