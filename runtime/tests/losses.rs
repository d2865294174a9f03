//! Every loss through the language and on the device, in every reduction, against formulas written out here in f64: at
//! kinks, with weights, with labels that are ignored, and with logits so large that a careless formula overflows.
//!
//! The prediction is a parameter, so that its gradient can be read. The loss of a step is the mean, twice the sum and the
//! single losses times factors of their own: each loss counts `1 / n + 2 + g` in the gradient.

use tapeless::{Device, Error, Options, Seed, model};

/// What a step gave.
struct Run {
    average: f32,
    total: f32,
    each: Vec<f32>,
    gradient: Vec<f32>,
}

/// How far a number may be off, relative to its size or to 1.
const TOLERANCE: f64 = 3e-6;

fn assert_close(what: &str, found: &[f32], exact: &[f64]) {
    assert_eq!(found.len(), exact.len(), "{what}");
    for (i, (&found, &exact)) in found.iter().zip(exact).enumerate() {
        let found = f64::from(found);
        let close = (found - exact).abs() <= TOLERANCE * (1.0 + exact.abs());
        assert!(close, "{what} {i} is {found}, not {exact}");
    }
}

impl Run {
    /// Holds a run against the single losses, what each counts in the mean, and the gradient of each prediction by the loss
    /// that it belongs to. `g` are the factors of the single losses.
    fn check(&self, name: &str, losses: &[f64], count: f64, slopes: &[f64], g: &[f32]) {
        let total = losses.iter().sum::<f64>();
        assert_close(&format!("{name}: loss"), &self.each, losses);
        assert_close(&format!("{name}: sum"), &[self.total], &[total]);
        assert_close(&format!("{name}: mean"), &[self.average], &[total / count]);
        let per_loss = slopes.len() / losses.len();
        let of = |(i, slope): (usize, &f64)| slope * (1.0 / count + 2.0 + f64::from(g[i / per_loss]));
        let gradient: Vec<f64> = slopes.iter().enumerate().map(of).collect();
        assert_close(&format!("{name}: gradient"), &self.gradient, &gradient);
    }
}

fn options() -> Options {
    Options { keep_gradients: true, ..Options::default() }
}

/// Factors of the single losses.
fn factors(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i % 5) as f32 * 0.5 - 0.75).collect()
}

/// Weights of the positions of a row, or of classes.
const WEIGHTS: [f32; 6] = [0.5, 1.0, 2.0, 0.25, 3.0, 1.5];

/// A loss of elements by its name, with options; `y` is the target, `g` and `p` are there for weights.
macro_rules! of_elements {
    ($($module:ident: $function:ident [$($option:tt)*])*) => {
        $(mod $module {
            use super::*;

            model! {
                pub model Scores(y: f32<4, 6>) -> f32<4, 6> {
                    #[param]
                    let x: f32<4, 6> = zeros();
                    let $module = x;
                    $module
                }

                pub step Losses(y: f32<4, 6>, g: f32<4, 6>, p: f32<6>) -> f32<4, 6> {
                    let net = Scores();
                    let x = net(y);
                    let average = $function(x, y, $($option)*);
                    let total = $function(x, y, $($option)* reduction = sum);
                    let each = $function(x, y, $($option)* reduction = none);
                    let loss = average + 2.0 * total + (each * g).sum();
                    minimize(loss, over = net, with = Sgd(0.5));
                    metric(average, total, weights = p.sum());
                    each
                }
            }

            pub fn run(x: &[f32], y: &[f32]) -> Result<Run, Error> {
                let device = Device::cpu();
                let mut net = Scores::new(&device, Seed(0))?;
                net.set("x", x)?;
                let mut step = Losses::compile(&device, Losses::dims(), &options())?;
                let out = step.run(&mut net, y, &factors(24), &WEIGHTS)?;
                let (average, total, each) = (out.average, out.total, out.output.to_vec());
                Ok(Run { average, total, each, gradient: step.gradient("x")?.to_vec() })
            }
        })*
    };
}

of_elements! {
    mse: mse []
    l1: l1 []
    smooth_l1: smooth_l1 [beta = 0.5,]
    smooth_l1_of_beta_0: smooth_l1 [beta = 0,]
    huber: huber [delta = 0.5,]
    bce: bce []
    weighted_bce: bce [weight = g,]
    logits: bce_with_logits []
    weighted_logits: bce_with_logits [weight = g, pos_weight = p,]
    positive_logits: bce_with_logits [pos_weight = p,]
    kl_div: kl_div []
    kl_div_of_logarithms: kl_div [log_target = true,]
    hinge: hinge_embedding []
    hinge_of_margin: hinge_embedding [margin = 0.5,]
}

/// Holds a loss of elements against its formula: loss and derivative from prediction, target and position.
fn check(name: &str, run: Run, x: &[f32], y: &[f32], formula: impl Fn(f64, f64, usize) -> (f64, f64)) {
    let both = x.iter().zip(y).enumerate().map(|(i, (&x, &y))| formula(x.into(), y.into(), i));
    let (losses, slopes): (Vec<f64>, Vec<f64>) = both.unzip();
    run.check(name, &losses, losses.len() as f64, &slopes, &factors(losses.len()));
}

/// Predictions and targets that differ by nothing, by exactly a half on both sides, by less and by more.
fn distances() -> (Vec<f32>, Vec<f32>) {
    let steps = [0.0, 0.5, -0.5, 0.25, -0.125, 0.75, -2.0, 10.0];
    let y: Vec<f32> = (0..24).map(|i| (i % 7) as f32 * 0.5 - 1.5).collect();
    let x = y.iter().enumerate().map(|(i, y)| y + steps[i % steps.len()]).collect();
    (x, y)
}

fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

#[test]
fn errors_of_numbers() -> Result<(), Error> {
    let (x, y) = distances();
    check("mse", mse::run(&x, &y)?, &x, &y, |x, y, _| ((x - y) * (x - y), 2.0 * (x - y)));
    let absolute = |x: f64, y: f64, _| ((x - y).abs(), sign(x - y));
    check("l1", l1::run(&x, &y)?, &x, &y, absolute);
    check("smooth_l1 of beta 0", smooth_l1_of_beta_0::run(&x, &y)?, &x, &y, absolute);
    check("huber", huber::run(&x, &y)?, &x, &y, |x, y, _| {
        let (d, delta) = (x - y, 0.5);
        let far = delta * (d.abs() - 0.5 * delta);
        (if d.abs() <= delta { 0.5 * d * d } else { far }, d.clamp(-delta, delta))
    });
    check("smooth_l1", smooth_l1::run(&x, &y)?, &x, &y, |x, y, _| {
        let (d, beta) = (x - y, 0.5);
        let near = d.abs() < beta;
        (if near { 0.5 * d * d / beta } else { d.abs() - 0.5 * beta }, if near { d / beta } else { sign(d) })
    });
    Ok(())
}

#[test]
fn logarithms_of_probabilities_count_100_at_most() -> Result<(), Error> {
    // The gradient at 0 and 1 is a million million times the difference: f32 has that to seven digits.
    let values = [0.0, 1.0, 0.5, 1e-6, 0.999, 0.25];
    let x: Vec<f32> = (0..24).map(|i| values[i % 6]).collect();
    let y: Vec<f32> = (0..24).map(|i| [0.0, 1.0, 0.5, 0.3][i / 6]).collect();
    let formula = |x: f64, y: f64| {
        let (log_x, log_rest) = (x.ln().max(-100.0), (1.0 - x).ln().max(-100.0));
        (-(y * log_x + (1.0 - y) * log_rest), (x - y) / (x * (1.0 - x)).max(1e-12))
    };
    check("bce", bce::run(&x, &y)?, &x, &y, |x, y, _| formula(x, y));
    let g = factors(24);
    check("weighted bce", weighted_bce::run(&x, &y)?, &x, &y, |x, y, i| {
        let ((loss, slope), weight) = (formula(x, y), f64::from(g[i]));
        (weight * loss, weight * slope)
    });
    Ok(())
}

#[test]
fn logits_may_be_large() -> Result<(), Error> {
    let values = [0.0, 1e4, -1e4, 88.0, -20.0, 0.5];
    let x: Vec<f32> = (0..24).map(|i| values[i % 6]).collect();
    let y: Vec<f32> = (0..24).map(|i| [0.0, 1.0, 0.5, 0.3][i / 6]).collect();
    let formula = |x: f64, y: f64, positive: f64| {
        let above = x.max(0.0) + (-x.abs()).exp().ln_1p();
        let sigmoid = if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) };
        let loss = (1.0 - y) * above + positive * y * (above - x);
        (loss, (1.0 - y) * sigmoid - positive * y * (1.0 - sigmoid))
    };
    check("bce_with_logits", logits::run(&x, &y)?, &x, &y, |x, y, _| formula(x, y, 1.0));
    let positive = |i: usize| f64::from(WEIGHTS[i % 6]);
    check("positives", positive_logits::run(&x, &y)?, &x, &y, |x, y, i| formula(x, y, positive(i)));
    let g = factors(24);
    check("weighted logits", weighted_logits::run(&x, &y)?, &x, &y, |x, y, i| {
        let ((loss, slope), weight) = (formula(x, y, positive(i)), f64::from(g[i]));
        (weight * loss, weight * slope)
    });
    Ok(())
}

#[test]
fn a_loss_of_logits_keeps_its_digits_where_it_is_small() -> Result<(), Error> {
    let (x, y) = ([20.0; 24], [1.0; 24]);
    let (found, exact) = (f64::from(logits::run(&x, &y)?.each[0]), (-20f64).exp().ln_1p());
    assert!((found / exact - 1.0).abs() < 1e-5, "{found} is not {exact}");
    Ok(())
}

#[test]
fn divergences() -> Result<(), Error> {
    let x: Vec<f32> = (0..24).map(|i| -0.25 * (i % 9) as f32 - 0.1).collect();
    let y: Vec<f32> = (0..24).map(|i| (i % 5) as f32 * 0.2).collect();
    check("kl_div", kl_div::run(&x, &y)?, &x, &y, |x, y, _| (if y == 0.0 { 0.0 } else { y * (y.ln() - x) }, -y));
    check("kl_div of logarithms", kl_div_of_logarithms::run(&x, &y)?, &x, &y, |x, y, _| (y.exp() * (y - x), -y.exp()));
    Ok(())
}

#[test]
fn hinges() -> Result<(), Error> {
    let values = [1.0, 0.5, 0.0, -1.0, 2.0, 0.75];
    let x: Vec<f32> = (0..24).map(|i| values[i % 6]).collect();
    let y: Vec<f32> = (0..24).map(|i| [1.0, -1.0, -1.0, 0.0][i / 6]).collect();
    let formula = |margin: f64| {
        move |x: f64, y: f64, _| {
            // The gradient flows where the prediction lies on the margin.
            let (far, slope) = ((margin - x).max(0.0), if margin - x >= 0.0 { -1.0 } else { 0.0 });
            match y {
                1.0 => (x, 1.0),
                -1.0 => (far, slope),
                _ => (x + far, 1.0 + slope),
            }
        }
    };
    check("hinge_embedding", hinge::run(&x, &y)?, &x, &y, formula(1.0));
    check("hinge_embedding of a margin", hinge_of_margin::run(&x, &y)?, &x, &y, formula(0.5));
    Ok(())
}

/// A loss of class numbers with options; `p` holds a weight for each class.
macro_rules! of_labels {
    ($($module:ident: $function:ident [$($option:tt)*])*) => {
        $(mod $module {
            use super::*;

            model! {
                pub model Scores(label: u32<4>) -> f32<4, 6> {
                    #[param]
                    let x: f32<4, 6> = zeros();
                    let $module = x;
                    $module
                }

                pub step Losses(label: u32<4>, g: f32<4>, p: f32<6>) -> f32<4> {
                    let net = Scores();
                    let x = net(label);
                    let average = $function(x, label, $($option)*);
                    let total = $function(x, label, $($option)* reduction = sum);
                    let each = $function(x, label, $($option)* reduction = none);
                    let loss = average + 2.0 * total + (each * g).sum();
                    minimize(loss, over = net, with = Sgd(0.5));
                    metric(average, total, weights = p.sum());
                    each
                }
            }

            /// Also gives what the parameter is afterwards.
            pub fn run(x: &[f32], labels: &[u32]) -> (Result<Run, Error>, Vec<f32>) {
                let device = Device::cpu();
                let mut net = Scores::new(&device, Seed(0)).expect("a model is made");
                net.set("x", x).expect("the parameter is there");
                let mut step = Losses::compile(&device, Losses::dims(), &options()).expect("the step compiles");
                let run = step.run(&mut net, labels, &factors(4), &WEIGHTS).map(|out| {
                    let (average, total, each) = (out.average, out.total, out.output.to_vec());
                    Run { average, total, each, gradient: Vec::new() }
                });
                let gradient = || step.gradient("x").expect("gradients are kept").to_vec();
                let run = run.map(|run| Run { gradient: gradient(), ..run });
                (run, net.get("x").expect("the parameter is there").to_vec())
            }
        })*
    };
}

of_labels! {
    labels: cross_entropy []
    ignoring: cross_entropy [ignore_index = 255,]
    ignoring_a_class: cross_entropy [ignore_index = 2,]
    smoothed: cross_entropy [label_smoothing = 0.1,]
    weighted: cross_entropy [weight = p,]
    all_at_once: cross_entropy [weight = p, ignore_index = 255, label_smoothing = 0.2,]
    negative_logarithms: nll []
    negative_logarithms_at_once: nll [p, 3,]
}

/// The options of a loss of class numbers.
#[derive(Clone, Copy)]
struct Classes {
    weight: [f32; 6],
    ignored: Option<u32>,
    smoothing: f64,
    /// Whether the scores are logits, or logarithms of probabilities.
    logits: bool,
}

const PLAIN: Classes = Classes { weight: [1.0; 6], ignored: None, smoothing: 0.0, logits: true };

fn check_labels(name: &str, run: Result<Run, Error>, x: &[f32], labels: &[u32], options: Classes) -> Result<(), Error> {
    let weight = |class: usize| f64::from(options.weight[class]);
    let (mut losses, mut slopes, mut count) = (Vec::new(), Vec::new(), 0.0);
    for (row, &label) in x.chunks(6).zip(labels) {
        if Some(label) == options.ignored {
            losses.push(0.0);
            slopes.extend([0.0; 6]);
            continue;
        }
        count += weight(label as usize);
        let row: Vec<f64> = row.iter().map(|&x| x.into()).collect();
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let normal = top + row.iter().map(|x| (x - top).exp()).sum::<f64>().ln();
        let normal = if options.logits { normal } else { 0.0 };
        let target = |class: usize| {
            let sharp = if class == label as usize { 1.0 - options.smoothing } else { 0.0 };
            weight(class) * (sharp + options.smoothing / 6.0)
        };
        let all: f64 = (0..6).map(target).sum();
        losses.push((0..6).map(|class| -target(class) * (row[class] - normal)).sum());
        let share = |class: usize| if options.logits { all * (row[class] - normal).exp() } else { 0.0 };
        slopes.extend((0..6).map(|class| share(class) - target(class)));
    }
    run?.check(name, &losses, count, &slopes, &factors(4));
    Ok(())
}

/// Rows of ordinary and of large logits.
fn logits_of_classes() -> Vec<f32> {
    let rows = [
        [0.5, -1.0, 2.0, 0.0, 1.0, -0.5],
        [1e4, -1e4, 0.0, 3.0, 9990.0, 1e4],
        [-1e4, -1e4, -1e4, -9999.0, -1e4, -1e4],
        [3.0, 3.0, 3.0, 3.0, 3.0, 3.0],
    ];
    rows.concat()
}

#[test]
fn class_numbers() -> Result<(), Error> {
    let x = logits_of_classes();
    check_labels("labels", labels::run(&x, &[1, 5, 3, 0]).0, &x, &[1, 5, 3, 0], PLAIN)?;
    check_labels("a large loss", labels::run(&x, &[2, 1, 0, 4]).0, &x, &[2, 1, 0, 4], PLAIN)?;
    let smoothed_options = Classes { smoothing: 0.1, ..PLAIN };
    check_labels("smoothing", smoothed::run(&x, &[2, 1, 0, 4]).0, &x, &[2, 1, 0, 4], smoothed_options)?;
    let weights = Classes { weight: WEIGHTS, ..PLAIN };
    check_labels("weights", weighted::run(&x, &[2, 1, 0, 4]).0, &x, &[2, 1, 0, 4], weights)?;
    Ok(())
}

#[test]
fn labels_that_are_ignored_count_nothing() -> Result<(), Error> {
    let x = logits_of_classes();
    let options = Classes { ignored: Some(255), ..PLAIN };
    check_labels("255", ignoring::run(&x, &[2, 255, 0, 255]).0, &x, &[2, 255, 0, 255], options)?;
    let options = Classes { ignored: Some(2), ..PLAIN };
    check_labels("2", ignoring_a_class::run(&x, &[2, 1, 0, 2]).0, &x, &[2, 1, 0, 2], options)?;
    let options = Classes { weight: WEIGHTS, ignored: Some(255), smoothing: 0.2, ..PLAIN };
    check_labels("all at once", all_at_once::run(&x, &[2, 255, 0, 4]).0, &x, &[2, 255, 0, 4], options)?;
    Ok(())
}

#[test]
fn the_mean_of_no_labels_is_no_number_but_its_gradient_is_0() -> Result<(), Error> {
    for (run, after) in
        [ignoring::run(&logits_of_classes(), &[255; 4]), all_at_once::run(&logits_of_classes(), &[255; 4])]
    {
        let run = run?;
        assert!(run.average.is_nan() && run.total == 0.0 && run.each == [0.0; 4]);
        assert_eq!(run.gradient, [0.0; 24]);
        assert_eq!(after, logits_of_classes());
    }
    Ok(())
}

#[test]
fn logarithms_of_class_probabilities() -> Result<(), Error> {
    let x: Vec<f32> = (0..24).map(|i| -0.125 * (i % 11) as f32).collect();
    let options = Classes { logits: false, ..PLAIN };
    check_labels("nll", negative_logarithms::run(&x, &[1, 5, 3, 0]).0, &x, &[1, 5, 3, 0], options)?;
    let options = Classes { weight: WEIGHTS, ignored: Some(3), ..options };
    check_labels("weighted nll", negative_logarithms_at_once::run(&x, &[1, 5, 3, 0]).0, &x, &[1, 5, 3, 0], options)
}

#[test]
fn labels_out_of_range_are_refused_and_change_nothing() {
    let x = logits_of_classes();
    let refused = |(run, after): (Result<Run, Error>, Vec<f32>), position: usize, value: i64| {
        let error = run.err().expect("the label is out of range");
        let Error::IndexOutOfRange { input, position: at, value: found, bound, .. } = &error else { panic!("{error}") };
        assert_eq!((input.as_str(), *at, *found, *bound), ("label", position, value, 6), "{error}");
        assert_eq!(after, x);
    };
    refused(labels::run(&x, &[0, 1, 6, 7]), 2, 6);
    refused(labels::run(&x, &[0, 1, 2, 255]), 3, 255);
    refused(ignoring::run(&x, &[255, 254, 0, 255]), 1, 254);
    refused(ignoring_a_class::run(&x, &[2, 2, 2, 6]), 3, 6);
    refused(negative_logarithms_at_once::run(&x, &[3, 3, 9, 3]), 2, 9);
}

mod probabilities {
    use super::*;

    model! {
        pub model Scores(y: f32<4, 6>) -> f32<4, 6> {
            #[param]
            let x: f32<4, 6> = zeros();
            x
        }

        pub model Targets(x: f32<4, 6>) -> f32<4, 6> {
            #[param]
            let y: f32<4, 6> = zeros();
            y
        }

        pub step Losses(g: f32<4>, p: f32<6>) -> (f32<4>, f32<4>) {
            let scores = Scores();
            let targets = Targets();
            let x = scores(targets.y);
            let y = targets(x);
            let average = cross_entropy(x, y);
            let total = cross_entropy(x, y, reduction = sum);
            let each = cross_entropy(x, y, reduction = none);
            let weighted = cross_entropy(x, y, p, label_smoothing = 0.2, reduction = none);
            let loss = average + 2.0 * total + (each * g).sum();
            minimize(loss, over = [scores, targets], with = Sgd(0.5));
            metric(average, total, weights = p.sum());
            (each, weighted)
        }
    }
}

#[test]
fn class_probabilities() -> Result<(), Error> {
    let device = Device::cpu();
    let x: Vec<f32> = (0..24).map(|i| (i * 7 % 11) as f32 * 0.5 - 2.0).collect();
    let y: Vec<f32> = (0..24).map(|i| [0.0, 0.25, 0.5, 0.125][i * 3 % 4]).collect();
    let mut scores = probabilities::Scores::new(&device, Seed(0))?;
    let mut targets = probabilities::Targets::new(&device, Seed(0))?;
    scores.set("x", &x)?;
    targets.set("y", &y)?;
    let mut step = probabilities::Losses::compile(&device, probabilities::Losses::dims(), &options())?;
    let out = step.run(&mut scores, &mut targets, &factors(4), &WEIGHTS)?;
    let (average, total, each, found) = (out.average, out.total, out.output.0.to_vec(), out.output.1.to_vec());
    let run = Run { average, total, each, gradient: step.gradient("scores.x")?.to_vec() };
    let (mut losses, mut slopes, mut by_target, mut weighted) = (vec![], vec![], vec![], vec![]);
    for (i, (row, target)) in x.chunks(6).zip(y.chunks(6)).enumerate() {
        let row: Vec<f64> = row.iter().map(|&x| x.into()).collect();
        let target: Vec<f64> = target.iter().map(|&y| y.into()).collect();
        let normal = row.iter().map(|x| x.exp()).sum::<f64>().ln();
        let all: f64 = target.iter().sum();
        losses.push((0..6).map(|class| -target[class] * (row[class] - normal)).sum());
        slopes.extend((0..6).map(|class| all * (row[class] - normal).exp() - target[class]));
        let factor = 1.0 / 4.0 + 2.0 + f64::from(factors(4)[i]);
        by_target.extend((0..6).map(|class| factor * (normal - row[class])));
        let smooth = |class: usize| f64::from(WEIGHTS[class]) * (0.8 * target[class] + 0.2 / 6.0);
        weighted.push((0..6).map(|class| -smooth(class) * (row[class] - normal)).sum());
    }
    run.check("probabilities", &losses, 4.0, &slopes, &factors(4));
    assert_close("gradient of the target", &step.gradient("targets.y")?, &by_target);
    assert_close("weighted and smoothed", &found, &weighted);
    Ok(())
}

mod vectors {
    use super::*;

    model! {
        pub model Vectors(y: f32<4, 3>) -> f32<4, 3> {
            #[param]
            let x: f32<4, 3> = zeros();
            x
        }

        pub step Cosines(y: f32<4, 3>, side: f32<4>, g: f32<4>) -> f32<4> {
            let net = Vectors();
            let x = net(y);
            let average = cosine_embedding(x, y, side, 0.25);
            let total = cosine_embedding(x, y, side, 0.25, sum);
            let each = cosine_embedding(x, y, side, 0.25, reduction = none);
            let loss = average + 2.0 * total + (each * g).sum();
            minimize(loss, over = net, with = Sgd(0.5));
            metric(average, total);
            each
        }

        pub step Triplets(near: f32<4, 3>, far: f32<4, 3>, g: f32<4>) -> f32<4> {
            let net = Vectors();
            let x = net(near);
            let average = triplet_margin(x, near, far);
            let total = triplet_margin(x, near, far, 1, reduction = sum);
            let each = triplet_margin(x, near, far, reduction = none);
            let loss = average + 2.0 * total + (each * g).sum();
            minimize(loss, over = net, with = Sgd(0.5));
            metric(average, total);
            each
        }

        pub step Swapped(near: f32<4, 3>, far: f32<4, 3>) -> f32<4> {
            let net = Vectors();
            triplet_margin(net(near), near, far, margin = 2, p = 1, swap = true, reduction = none)
        }
    }
}

fn vectors_of(count: usize, k: usize) -> Vec<f32> {
    (0..count).map(|i| (i * k % 7) as f32 * 0.5 - 1.25).collect()
}

/// The gradient by one vector, by central differences of a smooth formula.
fn differences(x: &[f64], loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let moved = |i: usize, by: f64| {
        let mut x = x.to_vec();
        x[i] += by;
        loss(&x)
    };
    (0..x.len()).map(|i| (moved(i, 1e-5) - moved(i, -1e-5)) / 2e-5).collect()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| x.into()).collect()
}

#[test]
fn cosines() -> Result<(), Error> {
    let device = Device::cpu();
    let (x, y, side) = (vectors_of(12, 3), vectors_of(12, 5), [1.0f32, -1.0, -1.0, 0.0]);
    let mut net = vectors::Vectors::new(&device, Seed(0))?;
    net.set("x", &x)?;
    let mut step = vectors::Cosines::compile(&device, vectors::Cosines::dims(), &options())?;
    let out = step.run(&mut net, &y, &side, &factors(4))?;
    let (average, total, each) = (out.average, out.total, out.output.to_vec());
    let run = Run { average, total, each, gradient: step.gradient("x")?.to_vec() };
    let (mut losses, mut slopes) = (Vec::new(), Vec::new());
    for (i, (x, y)) in x.chunks(3).zip(y.chunks(3)).enumerate() {
        let (x, y) = (wide(x), wide(y));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let loss = |x: &[f64]| {
            let cosine = dot(x, &y) / ((dot(x, x) + 1e-12) * (dot(&y, &y) + 1e-12)).sqrt();
            match side[i] {
                1.0 => 1.0 - cosine,
                -1.0 => (cosine - 0.25).max(0.0),
                _ => 0.0,
            }
        };
        losses.push(loss(&x));
        slopes.extend(differences(&x, loss));
    }
    run.check("cosine_embedding", &losses, 4.0, &slopes, &factors(4));
    Ok(())
}

#[test]
fn triplets() -> Result<(), Error> {
    let device = Device::cpu();
    let mut near = vectors_of(12, 5);
    let (mut x, far) = (vectors_of(12, 3), vectors_of(12, 4));
    // An anchor that is where its positive is, and one whose negative is farther than the margin.
    x[..3].copy_from_slice(&near[..3]);
    near[3..6].copy_from_slice(&[x[3] + 0.25, x[4], x[5]]);
    let mut net = vectors::Vectors::new(&device, Seed(0))?;
    net.set("x", &x)?;
    let distance = |x: &[f64], y: &[f64], p: f64| {
        x.iter().zip(y).map(|(x, y)| (x - y + 1e-6).abs().powf(p)).sum::<f64>().powf(1.0 / p)
    };
    let mut swapped = vectors::Swapped::compile(&device, vectors::Swapped::dims(), &Options::default())?;
    let found = swapped.run(&net, &near, &far)?.output.to_vec();
    let mut step = vectors::Triplets::compile(&device, vectors::Triplets::dims(), &options())?;
    let out = step.run(&mut net, &near, &far, &factors(4))?;
    let (average, total, each) = (out.average, out.total, out.output.to_vec());
    let run = Run { average, total, each, gradient: step.gradient("x")?.to_vec() };
    let (mut losses, mut slopes, mut exact) = (Vec::new(), Vec::new(), Vec::new());
    for ((x, near), far) in x.chunks(3).zip(near.chunks(3)).zip(far.chunks(3)) {
        let (x, near, far) = (wide(x), wide(near), wide(far));
        let loss = |x: &[f64]| (1.0 + distance(x, &near, 2.0) - distance(x, &far, 2.0)).max(0.0);
        losses.push(loss(&x));
        slopes.extend(differences(&x, loss));
        let closer = distance(&x, &far, 1.0).min(distance(&near, &far, 1.0));
        exact.push((2.0 + distance(&x, &near, 1.0) - closer).max(0.0));
    }
    assert!(losses.contains(&0.0) && losses.iter().any(|loss| *loss > 0.0), "{losses:?}");
    // The anchor that is where its positive is lies in the tip of a cone, which differences do not see.
    let corner = 1e-6 / (3f64.sqrt() * 1e-6);
    let away = differences(&wide(&x[..3]), |x| -distance(x, &wide(&far[..3]), 2.0));
    (0..3).for_each(|i| slopes[i] = if losses[0] > 0.0 { corner + away[i] } else { 0.0 });
    run.check("triplet_margin", &losses, 4.0, &slopes, &factors(4));
    assert_close("swapped", &found, &exact);
    Ok(())
}
