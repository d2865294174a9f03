//! The loss of classes over turns against what PyTorch makes of the same logits in float64: losses in every reduction and
//! their gradient, with turns that are not all used, labels that repeat, none at all, and more than fit. `make.py` made the
//! records.

use serde_json::Value;
use tapeless::{Device, Error, Fusion, Options, Seed, model};

model! {
    pub model Scores(y: u32<N, 4>) -> f32<12, 6, 6> {
        #[param]
        let x: f32<12, 6, 6> = zeros();
        x
    }

    /// The mean, the sum and the single losses; each counts in the gradient.
    pub step First(y: u32<dyn N, 4>, turns: u32<N>, lengths: u32<N>, g: f32<6>) -> f32<N> {
        let net = Scores();
        let logs = net(y).log_softmax(-1);
        let average = ctc(logs, y, turns, lengths);
        let total = ctc(logs, y, turns, lengths, reduction = sum);
        let each = ctc(logs, y, turns, lengths, reduction = none);
        minimize(average + 2.0 * total + (each * g).sum(), over = net, with = Sgd(0.5));
        metric(average, total);
        each
    }

    /// The same with another blank, and no loss of what is impossible.
    pub step Last(y: u32<dyn N, 4>, turns: u32<N>, lengths: u32<N>, g: f32<6>) -> f32<N> {
        let net = Scores();
        let logs = net(y).log_softmax(-1);
        let average = ctc(logs, y, turns, lengths, 5, mean, true);
        let total = ctc(logs, y, turns, lengths, blank = 5, reduction = sum, zero_infinity = true);
        let each = ctc(logs, y, turns, lengths, blank = 5, reduction = none, zero_infinity = true);
        minimize(average + 2.0 * total + (each * g).sum(), over = net, with = Sgd(0.5));
        metric(average, total);
        each
    }

    /// The losses of what may be impossible, and the gradient of their sum.
    pub step Impossible(y: u32<dyn N, 4>, turns: u32<N>, lengths: u32<N>) -> f32<N> {
        let net = Scores();
        let each = ctc(net(y).log_softmax(-1), y, turns, lengths, blank = 5, reduction = none);
        minimize(each.sum(), over = net, with = Sgd(0.5));
        each
    }
}

fn record(case: &str, part: &str) -> Vec<f64> {
    let records: Value = serde_json::from_str(include_str!("records.json")).expect("records are JSON");
    let numbers = records[case][part].as_array().expect("the case is recorded");
    numbers.iter().map(|number| number.as_f64().unwrap_or(f64::INFINITY)).collect()
}

/// Sums of about a hundred logarithms in f32.
fn assert_close(what: &str, found: &[f32], exact: &[f64]) {
    assert_eq!(found.len(), exact.len(), "{what}");
    for (at, (&found, &exact)) in found.iter().zip(exact).enumerate() {
        let found = f64::from(found);
        let close = found == exact || (found - exact).abs() <= 3e-6 * exact.abs().max(1.0);
        assert!(close, "{what}: element {at} is {found}, not {exact}");
    }
}

fn logits() -> Vec<f32> {
    (0..432).map(|i| ((37 * i % 101) as f32 - 50.0) / 20.0).collect()
}

fn factors() -> Vec<f32> {
    (0..6).map(|i| (i % 5) as f32 * 0.5 - 0.75).collect()
}

/// Row 2 repeats a label without end, row 3 in the middle.
fn labels(first: u32) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..24).map(|at| (7 * at + 3) % 5).collect();
    rows[8..16].copy_from_slice(&[2, 2, 2, 2, 1, 4, 4, 3]);
    rows.iter().map(|label| label + first).collect()
}

const ROOM: ([u32; 6], [u32; 6]) = ([12, 9, 12, 7, 5, 1], [4, 3, 0, 4, 2, 1]);
const TOO_LITTLE: ([u32; 6], [u32; 6]) = ([12, 9, 4, 3, 5, 1], [4, 3, 4, 4, 0, 2]);

/// A test of a step against the record of the same name, fused and unfused.
macro_rules! cases {
    ($($name:ident: $step:ident from $first:expr, $lengths:ident);* $(;)?) => {
        $(#[test]
        fn $name() -> Result<(), Error> {
            for fusion in [Fusion::default(), Fusion::none()] {
                let device = Device::cpu();
                let options = Options { keep_gradients: true, fusion, ..Options::default() };
                let mut net = Scores::new(&device, Seed(0))?;
                net.set("x", &logits())?;
                let mut step = $step::compile(&device, $step::dims().n(6), &options)?;
                let out = step.run(&mut net, &labels($first), &$lengths.0, &$lengths.1, &factors())?;
                assert_close("the single losses", &out.output, &record(stringify!($name), "each"));
                assert_close("the mean", &[out.average], &record(stringify!($name), "average"));
                assert_close("the sum", &[out.total], &record(stringify!($name), "total"));
                assert_close("the gradient", &step.gradient("x")?, &record(stringify!($name), "gradient"));
            }
            Ok(())
        })*
    };
}

cases! {
    first_class_is_blank: First from 1, ROOM;
    last_class_is_blank: Last from 0, TOO_LITTLE;
}

#[test]
fn what_is_impossible_is_infinite_and_has_no_gradient() -> Result<(), Error> {
    let device = Device::cpu();
    let options = Options { keep_gradients: true, ..Options::default() };
    let mut net = Scores::new(&device, Seed(0))?;
    net.set("x", &logits())?;
    let mut step = Impossible::compile(&device, Impossible::dims().n(6), &options)?;
    let (turns, lengths) = TOO_LITTLE;
    let out = step.run(&mut net, &labels(0), &turns, &lengths)?;
    assert_close("the single losses", &out.output, &record("impossible", "each"));
    let gradient = step.gradient("x")?.to_vec();
    let of_sample = |n: usize| (0..12).flat_map(move |t| (0..6).map(move |class| (t * 6 + n) * 6 + class));
    for (n, loss) in record("impossible", "each").into_iter().enumerate() {
        let flows = of_sample(n).any(|at| gradient[at] != 0.0);
        assert_eq!(flows, loss.is_finite(), "sample {n}");
    }
    assert!(gradient.iter().all(|x| x.is_finite()));
    Ok(())
}

#[test]
fn labels_and_lengths_out_of_range_are_refused() -> Result<(), Error> {
    let device = Device::cpu();
    let mut net = Scores::new(&device, Seed(0))?;
    let mut step = First::compile(&device, First::dims().n(6), &Options::default())?;
    let mut rows = labels(1);
    rows[5] = 6;
    let label = step.run(&mut net, &rows, &ROOM.0, &ROOM.1, &factors()).expect_err("there are 6 classes");
    assert!(label.to_string().contains("`y`"), "{label}");
    let long =
        step.run(&mut net, &labels(1), &ROOM.0, &[4, 3, 0, 4, 5, 1], &factors()).expect_err("rows have 4 labels");
    assert!(long.to_string().contains("`lengths`"), "{long}");
    Ok(())
}
