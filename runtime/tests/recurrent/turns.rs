//! Sequences of every length by one code, on any number of threads, without an allocation.

use crate::filled;
use tapeless::{Device, Error, Fusion, Options, Seed, model};

model! {
    pub model Sequence(x: f32<T, N, 24>) -> f32<N, 5> {
        let lstm = Lstm(40, num_layers = 2, bidirectional = true);
        let gru = Gru(24);
        let rnn = Rnn(16);
        let head = Linear(5);
        let (y, _) = x.lstm();
        let (y, _) = y.gru();
        let (_, h) = y.rnn();
        h.at(0, 0).head()
    }

    pub step Train(x: f32<dyn T, dyn B, 24>, label: u32<B>, lr: f32) -> f32<B, 5> {
        let net = Sequence();
        let logits = net(x);
        let loss = cross_entropy(logits, label);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss);
        logits
    }

    pub step Predict(x: f32<dyn T, dyn B, 24>) -> f32<B, 5> {
        let net = Sequence();
        net(x)
    }
}

fn train(options: &Options, turns: usize, rows: usize) -> Result<(Vec<u32>, String), Error> {
    let device = Device::cpu();
    let mut net = Sequence::new(&device, Seed(9))?;
    let mut step = Train::compile(&device, Train::dims().t(turns).b(rows), options)?;
    let label: Vec<u32> = (0..rows as u32).map(|i| i % 5).collect();
    let mut left = Vec::new();
    for _ in 0..3 {
        let out = step.run(&mut net, &filled(turns * rows * 24, 3, 16.0), &label, 1e-3)?;
        left.extend(out.output.iter().map(|x| x.to_bits()));
    }
    for parameter in net.parameters() {
        left.extend(net.get(&parameter.key)?.to_vec().iter().map(|x| x.to_bits()));
    }
    Ok((left, step.explain()))
}

#[test]
fn threads_change_nothing() -> Result<(), Error> {
    for (turns, rows) in [(6, 33), (1, 3), (9, 1)] {
        let bits = |threads| train(&Options { threads, ..Options::default() }, turns, rows).map(|(bits, _)| bits);
        assert_eq!(bits(1)?, bits(2)?, "{turns} turns of {rows} rows");
    }
    Ok(())
}

#[test]
fn fusion_changes_next_to_nothing() -> Result<(), Error> {
    let (fused, _) = train(&Options::default(), 4, 7)?;
    let (unfused, _) = train(&Options { fusion: Fusion::none(), ..Options::default() }, 4, 7)?;
    for (fused, unfused) in fused.iter().zip(&unfused) {
        let (x, y) = (f32::from_bits(*fused), f32::from_bits(*unfused));
        // The sign of a gradient near zero decides about a whole step of Adam's.
        assert!((x - y).abs() <= 2e-3 * 3.0, "{x} and {y}");
    }
    Ok(())
}

/// The launches and kernels in the first line of a report: `Train: 80 launches of 60 kernels, …`.
fn counts(report: &str) -> [usize; 2] {
    let words: Vec<&str> = report.split(' ').collect();
    [words[1], words[4]].map(|word| word.parse().expect("a number"))
}

#[test]
fn longer_sequences_take_no_more_launches_and_kernels() -> Result<(), Error> {
    let device = Device::cpu();
    let report = |turns, fusion| {
        let options = Options { fusion, ..Options::default() };
        Train::compile(&device, Train::dims().t(turns).b(3), &options).map(|step| step.explain())
    };
    let (short, long) = (report(4, Fusion::none())?, report(64, Fusion::none())?);
    assert_eq!(counts(&short), counts(&long));
    // What is around the loops is fused and cut by its size.
    let (short, long) = (report(4, Fusion::default())?, report(64, Fusion::default())?);
    assert_eq!(looped(&short), looped(&long), "{short}\n{long}");
    // Forward and backward: four directions of two layers, and two more.
    assert_eq!(looped(&long).len(), 12, "{long}");
    Ok(())
}

/// How many launches each loop of a report has: `loop: 64 turns of launches 3 to 4, …`.
fn looped(report: &str) -> Vec<usize> {
    let number = |word: &str| word.trim_end_matches(',').parse::<usize>().expect("a number");
    let lines = report.lines().filter(|line| line.starts_with("loop: "));
    let words = lines.map(|line| line.split(' ').collect::<Vec<&str>>());
    words.map(|words| number(words[7]) + 1 - number(words[5])).collect()
}

#[test]
fn predictions_keep_no_stack_that_nobody_reads() -> Result<(), Error> {
    let (device, net) = (Device::cpu(), Sequence::new(&Device::cpu(), Seed(9))?);
    let mut step = Predict::compile(&device, Predict::dims().t(12).b(2), &Options::default())?;
    let found = step.run(&net, &filled(12 * 2 * 24, 3, 16.0))?.output.to_vec();
    assert!(found.iter().all(|x| x.is_finite()));
    assert_eq!(step.explain().matches("loop: 12 turns").count(), 6);
    Ok(())
}

#[test]
fn times_of_turns_are_added_up() -> Result<(), Error> {
    let (device, net) = (Device::cpu(), Sequence::new(&Device::cpu(), Seed(9))?);
    let options = Options { profile: true, ..Options::default() };
    let mut step = Predict::compile(&device, Predict::dims().t(50).b(4), &options)?;
    for _ in 0..3 {
        step.run(&net, &filled(50 * 4 * 24, 3, 16.0))?;
    }
    let profile = step.profile()?;
    let product = profile.launches.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds)).expect("there are launches");
    assert!(product.flops >= 50 * 4 * 16, "{product:?}");
    Ok(())
}

#[test]
fn a_sequence_has_a_turn() {
    let found = Predict::compile(&Device::cpu(), Predict::dims().t(0).b(2), &Options::default());
    let message = found.expect_err("there is nothing to begin with").to_string();
    assert!(message.contains("there are no turns"), "{message}");
}
