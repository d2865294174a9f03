//! What a `minimize` does beside its optimizer: accumulation, clipping, moving averages, groups.

use crate::run::{ELEMENTS, Run, START, Vector, gradient, lr};
use tapeless_compiler::optim::{OPTIMIZERS, Options, Scalar, Value};

const TOLERANCE: f64 = 1e-12;

fn assert_near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < TOLERANCE, "{what}: {found} instead of {expected}");
    }
}

fn plain(_: Scalar) -> Options {
    Options::default()
}

/// The mean of the gradients of these runs, of one parameter.
fn mean(runs: std::ops::Range<usize>, parameter: usize) -> Vector {
    let count = runs.len() as f64;
    std::array::from_fn(|i| runs.clone().map(|run| gradient(run, parameter)[i]).sum::<f64>() / count)
}

#[test]
fn accumulated_runs_are_one_update_with_the_mean_gradient() {
    const RUNS: usize = 3;
    for signature in OPTIMIZERS {
        let decay: &[_] = &[("weight_decay", Value::Number(0.1))];
        let accumulate =
            |_| Options { accumulate: RUNS as u32, ema: Some(Scalar::Constant(0.9)), ..Options::default() };
        let mut accumulated = Run::new(signature.name, &[decay, decay], accumulate);
        let mut whole = Run::new(signature.name, &[decay, decay], |_| Options {
            ema: Some(Scalar::Constant(0.9)),
            ..Options::default()
        });
        for update in 0..5 {
            let runs = update * RUNS..(update + 1) * RUNS;
            let before = kept(&accumulated);
            for run in runs.clone().take(RUNS - 1) {
                let gradients = [gradient(run, 0), gradient(run, 1)];
                accumulated.step(&gradients, f64::NAN, 0.0);
                assert_eq!(kept(&accumulated), before, "{}: run {run}", signature.name);
            }
            let last = runs.end - 1;
            accumulated.step(&[gradient(last, 0), gradient(last, 1)], lr(last), 0.0);
            whole.step(&[mean(runs.clone(), 0), mean(runs, 1)], lr(last), 0.0);
            for name in whole.names().iter().filter(|name| is_kept(name)) {
                assert_near(&accumulated.leaf(name), &whole.leaf(name), &format!("{} {name}", signature.name));
            }
        }
    }
}

/// Whether a leaf changes only where there is an update.
fn is_kept(name: &str) -> bool {
    name.starts_with('w') || (name.starts_with("0.") && name != "0.runs" && !name.starts_with("0.gradient."))
}

fn kept(run: &Run) -> Vec<Vec<f64>> {
    run.names().iter().filter(|name| is_kept(name)).map(|name| run.leaf(name)).collect()
}

#[test]
fn a_learning_rate_that_is_no_number_between_updates_harms_nothing() {
    let mut run = Run::new("Adam", &[&[]], |_| Options { accumulate: 2, ..Options::default() });
    let between = run.step(&[[1.0; ELEMENTS]], f64::NAN, 0.0)[0];
    assert_eq!(between, START);
    let after = run.step(&[[1.0; ELEMENTS]], 0.1, 0.0)[0];
    assert!(after.iter().zip(START).all(|(after, before)| (before - after - 0.1).abs() < 1e-7), "{after:?}");
}

#[test]
fn the_norm_over_all_gradients_is_clipped() {
    for limit in [0.0, 0.5, 1.0, 100.0] {
        let mut run = Run::new("Sgd", &[&[], &[]], |limit| Options { clip_norm: Some(limit), ..Options::default() });
        let mut fixed = Run::new("Sgd", &[&[], &[]], |_| Options {
            clip_norm: Some(Scalar::Constant(limit)),
            ..Options::default()
        });
        let mut expected = [START; 2];
        for step in 0..5 {
            let gradients = [gradient(step, 0), gradient(step, 1)];
            let norm = gradients.iter().flatten().map(|g| g * g).sum::<f64>().sqrt();
            let factor = (limit / (norm + 1e-6)).min(1.0);
            let (found, same) = (run.step(&gradients, lr(step), limit), fixed.step(&gradients, lr(step), 0.0));
            for at in 0..2 {
                expected[at] = std::array::from_fn(|i| expected[at][i] - lr(step) * factor * gradients[at][i]);
                assert_near(&found[at], &expected[at], &format!("{limit}: step {step}"));
                assert_near(&same[at], &expected[at], &format!("{limit}, fixed: step {step}"));
            }
        }
    }
}

#[test]
fn every_element_is_clipped() {
    for limit in [0.0, 0.3, 10.0] {
        let mut run = Run::new("Sgd", &[&[]], |limit| Options { clip_value: Some(limit), ..Options::default() });
        let mut expected = START;
        for step in 0..5 {
            let gradient = gradient(step, 0);
            expected = std::array::from_fn(|i| expected[i] - lr(step) * gradient[i].clamp(-limit, limit));
            assert_near(&run.step(&[gradient], lr(step), limit)[0], &expected, &format!("{limit}: step {step}"));
        }
    }
}

#[test]
fn what_is_accumulated_is_clipped_as_a_whole_by_norm_and_then_by_value() {
    let options = |_| Options {
        clip_norm: Some(Scalar::Constant(1.5)),
        clip_value: Some(Scalar::Constant(0.9)),
        accumulate: 2,
        ema: None,
    };
    let mut run = Run::new("Sgd", &[&[]], options);
    let gradients = [[4.0, -1.0, 0.5], [-1.0, -1.0, 0.5]];
    run.step(&gradients[..1], 1.0, 0.0);
    let found = run.step(&gradients[1..], 1.0, 0.0)[0];
    let mean = [1.5, -1.0, 0.5];
    let norm = mean.iter().map(|g| g * g).sum::<f64>().sqrt();
    let clipped: Vector = mean.map(|g| (g * 1.5 / (norm + 1e-6)).clamp(-0.9, 0.9));
    assert!(clipped[0] == 0.9 && clipped[1] > -0.9, "both clips do something: {clipped:?}");
    assert_near(&found, &std::array::from_fn::<_, ELEMENTS, _>(|i| START[i] - clipped[i]), "clipped");
}

#[test]
fn a_moving_average_begins_at_the_parameter_after_the_first_update() {
    for decay in [0.0, 0.9, 1.0] {
        let mut run = Run::new("Sgd", &[&[], &[]], |limit| Options { ema: Some(limit), ..Options::default() });
        let mut expected: Option<Vec<Vector>> = None;
        for step in 0..6 {
            let parameters = run.step(&[gradient(step, 0), gradient(step, 1)], lr(step), decay);
            let moved = |at: usize, before: &Vector| -> Vector {
                std::array::from_fn(|i| decay * before[i] + (1.0 - decay) * parameters[at][i])
            };
            let next = match &expected {
                None => parameters.clone(),
                Some(before) => before.iter().enumerate().map(|(at, before)| moved(at, before)).collect(),
            };
            for (at, next) in next.iter().enumerate() {
                assert_near(&run.leaf(&format!("0.average.w{at}")), next, &format!("{decay}: step {step}"));
            }
            assert_eq!(run.leaf("0.averaged"), [step as f64 + 1.0]);
            expected = Some(next);
        }
    }
}

#[test]
fn groups_with_other_betas_correct_their_means_by_themselves() {
    for name in ["Adam", "Nadam", "Radam", "Lamb", "Adamax"] {
        let first: &[_] = &[("betas", Value::Pair(0.9, 0.99))];
        let second: &[_] = &[("betas", Value::Pair(0.5, 0.8)), ("weight_decay", Value::Number(0.1))];
        let mut both = Run::new(name, &[first, second], plain);
        let mut alone = [Run::new(name, &[first], plain), Run::new(name, &[second], plain)];
        for step in 0..10 {
            let gradients = [gradient(step, 0), gradient(step, 1)];
            let found = both.step(&gradients, lr(step), 0.0);
            for at in 0..2 {
                let expected = alone[at].step(&gradients[at..=at], lr(step), 0.0)[0];
                assert_near(&found[at], &expected, &format!("{name}: group {at}, step {step}"));
            }
        }
        assert_eq!(both.leaf("0.count"), [10.0]);
    }
    let names = Run::new("Nadam", &[&[], &[]], plain).names();
    let products: Vec<&String> = names.iter().filter(|name| name.contains("product")).collect();
    assert_eq!(products, ["0.momentum_product", "0.momentum_product.group1"]);
}
