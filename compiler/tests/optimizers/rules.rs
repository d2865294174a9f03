//! Each optimizer over several updates, for every argument that changes its rule.

use crate::run::{ELEMENTS, Run, START, Vector, gradient, lr};
use std::collections::BTreeMap;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{Builder, Graph, Leaf, Origin, StoreDecl, verify};
use tapeless_compiler::optim::{self, Group, OPTIMIZERS, Options, Slots, Update, Value};
use tapeless_compiler::shape::Type;

const STEPS: usize = 30;
/// Both sides are f64 and differ in the order of operations only.
const TOLERANCE: f64 = 1e-11;

/// Holds the steps of an optimizer against a rule: a function from step, parameter and gradient to the next parameter.
fn compare(
    name: &str,
    arguments: &[(&str, Value)],
    tolerance: f64,
    mut rule: impl FnMut(usize, Vector, Vector) -> Vector,
) {
    let mut run = Run::new(name, &[arguments], |_| Options::default());
    let mut expected = START;
    for step in 0..STEPS {
        expected = rule(step, expected, gradient(step, 0));
        let found = run.usual_step()[0];
        for (found, expected) in found.iter().zip(expected) {
            let error = (found - expected).abs();
            assert!(error < tolerance, "{name} {arguments:?}: step {step}: {found} instead of {expected}");
        }
    }
}

/// The same for a rule of single elements, with memory of its own for every element.
fn compare_elements<R: FnMut(usize, f64, f64) -> f64>(
    name: &str,
    arguments: &[(&str, Value)],
    tolerance: f64,
    rule: impl Fn() -> R,
) {
    let mut rules: [R; ELEMENTS] = std::array::from_fn(|_| rule());
    compare(name, arguments, tolerance, |step, p, g| std::array::from_fn(|i| rules[i](step, p[i], g[i])));
}

fn number(name: &str, value: f64) -> (&str, Value) {
    (name, Value::Number(value))
}

fn switch(name: &str, on: bool) -> (&str, Value) {
    (name, Value::Switch(on))
}

fn betas((first, second): (f64, f64)) -> (&'static str, Value) {
    ("betas", Value::Pair(first, second))
}

#[test]
fn sgd_follows_its_rule() {
    for (momentum, dampening, decay, nesterov) in [
        (0.0, 0.0, 0.0, false),
        (0.0, 0.0, 0.2, false),
        (0.9, 0.0, 0.0, false),
        (0.9, 0.3, 0.0, false),
        (0.9, 0.3, 0.2, false),
        (0.9, 0.0, 0.0, true),
        (0.9, 0.0, 0.2, true),
    ] {
        let arguments = [
            number("momentum", momentum),
            number("dampening", dampening),
            number("weight_decay", decay),
            switch("nesterov", nesterov),
        ];
        compare_elements("Sgd", &arguments, TOLERANCE, || {
            let mut buffer: Option<f64> = None;
            move |step, p, g| {
                let g = g + decay * p;
                let after = buffer.map_or(g, |before| momentum * before + (1.0 - dampening) * g);
                buffer = Some(after);
                let direction = match (momentum == 0.0, nesterov) {
                    (true, _) => g,
                    (false, true) => g + momentum * after,
                    (false, false) => after,
                };
                p - lr(step) * direction
            }
        });
    }
}

#[test]
fn adagrad_follows_its_rule() {
    for (lr_decay, decay, initial, eps) in
        [(0.0, 0.0, 0.0, 1e-10), (0.3, 0.0, 0.0, 1e-10), (0.0, 0.2, 0.5, 1e-10), (0.1, 0.2, 0.1, 1e-2)]
    {
        let arguments = [
            number("lr_decay", lr_decay),
            number("weight_decay", decay),
            number("initial_accumulator_value", initial),
            number("eps", eps),
        ];
        compare_elements("Adagrad", &arguments, TOLERANCE, || {
            let mut sum = initial;
            move |step, p, g| {
                let g = g + decay * p;
                sum += g * g;
                let rate = lr(step) / (1.0 + step as f64 * lr_decay);
                p - rate * g / (sum.sqrt() + eps)
            }
        });
    }
}

#[test]
fn rmsprop_follows_its_rule() {
    for (alpha, eps, decay, momentum, centered) in [
        (0.99, 1e-8, 0.0, 0.0, false),
        (0.9, 1e-3, 0.2, 0.0, false),
        (0.9, 1e-8, 0.0, 0.0, true),
        (0.9, 1e-8, 0.0, 0.8, false),
        (0.5, 1e-8, 0.1, 0.8, true),
    ] {
        let arguments = [
            number("alpha", alpha),
            number("eps", eps),
            number("weight_decay", decay),
            number("momentum", momentum),
            switch("centered", centered),
        ];
        compare_elements("RmsProp", &arguments, TOLERANCE, || {
            let (mut square, mut mean, mut buffer) = (0.0, 0.0, 0.0);
            move |step, p, g| {
                let g = g + decay * p;
                square = alpha * square + (1.0 - alpha) * g * g;
                mean = alpha * mean + (1.0 - alpha) * g;
                let under = if centered { square - mean * mean } else { square };
                buffer = momentum * buffer + g / (under.sqrt() + eps);
                p - lr(step) * buffer
            }
        });
    }
}

#[test]
fn centered_rmsprop_survives_gradients_that_do_not_change() {
    let mut run = Run::new("RmsProp", &[&[number("alpha", 0.1), switch("centered", true)]], |_| Options::default());
    for _ in 0..60 {
        let found = run.step(&[[0.3, -0.7, 1e-3]], 1e-9, 0.0)[0];
        assert!(found.iter().all(|p| p.is_finite()), "{found:?}");
    }
}

#[test]
fn adadelta_follows_its_rule() {
    for (rho, eps, decay) in [(0.9, 1e-6, 0.0), (0.5, 1e-3, 0.2)] {
        let arguments = [number("rho", rho), number("eps", eps), number("weight_decay", decay)];
        compare_elements("Adadelta", &arguments, TOLERANCE, || {
            let (mut square, mut changes) = (0.0f64, 0.0f64);
            move |step, p, g| {
                let g = g + decay * p;
                square = rho * square + (1.0 - rho) * g * g;
                let change = (changes + eps).sqrt() / (square + eps).sqrt() * g;
                changes = rho * changes + (1.0 - rho) * change * change;
                p - lr(step) * change
            }
        });
    }
}

/// The running means of Adam and its kin, and what corrects them.
#[derive(Default)]
struct Moments {
    mean: f64,
    square: f64,
}

impl Moments {
    fn follow(&mut self, g: f64, betas: (f64, f64)) {
        self.mean = betas.0 * self.mean + (1.0 - betas.0) * g;
        self.square = betas.1 * self.square + (1.0 - betas.1) * g * g;
    }
}

fn corrections(step: usize, betas: (f64, f64)) -> (f64, f64) {
    let t = step as i32 + 1;
    (1.0 - betas.0.powi(t), 1.0 - betas.1.powi(t))
}

fn adam(name: &str, of: (f64, f64), eps: f64, decay: f64, amsgrad: bool, decoupled: bool) {
    let mut arguments = vec![betas(of), number("eps", eps), number("weight_decay", decay), switch("amsgrad", amsgrad)];
    if name == "Adam" {
        arguments.push(switch("decoupled_weight_decay", decoupled));
    }
    compare_elements(name, &arguments, TOLERANCE, || {
        let (mut moments, mut largest) = (Moments::default(), 0f64);
        move |step, p, g| {
            let (p, g) = if decoupled { (p * (1.0 - lr(step) * decay), g) } else { (p, g + decay * p) };
            moments.follow(g, of);
            largest = largest.max(moments.square);
            let (first, second) = corrections(step, of);
            let root = if amsgrad { largest } else { moments.square };
            p - lr(step) / first * moments.mean / (root.sqrt() / second.sqrt() + eps)
        }
    });
}

#[test]
fn adam_and_adamw_follow_their_rule() {
    adam("Adam", (0.9, 0.999), 1e-8, 0.0, false, false);
    adam("Adam", (0.8, 0.9), 1e-3, 0.0, false, false);
    adam("Adam", (0.9, 0.99), 1e-8, 0.1, false, false);
    adam("Adam", (0.9, 0.99), 1e-8, 0.1, false, true);
    adam("Adam", (0.5, 0.6), 1e-8, 0.0, true, false);
    adam("Adam", (0.5, 0.6), 1e-8, 0.1, true, false);
    adam("Adam", (0.0, 0.0), 1e-8, 0.0, false, false);
    adam("AdamW", (0.9, 0.999), 1e-8, 0.01, false, true);
    adam("AdamW", (0.5, 0.6), 1e-4, 0.3, true, true);
}

#[test]
fn adamax_follows_its_rule() {
    for (of, eps, decay) in [((0.9, 0.999), 1e-8, 0.0), ((0.5, 0.7), 1e-2, 0.2)] {
        let arguments = [betas(of), number("eps", eps), number("weight_decay", decay)];
        compare_elements("Adamax", &arguments, TOLERANCE, || {
            let (mut mean, mut largest) = (0.0, 0f64);
            move |step, p, g| {
                let g = g + decay * p;
                mean = of.0 * mean + (1.0 - of.0) * g;
                largest = (of.1 * largest).max(g.abs() + eps);
                p - lr(step) / corrections(step, of).0 * mean / largest
            }
        });
    }
}

#[test]
fn nadam_follows_its_rule() {
    for (of, eps, decay, momentum_decay, decoupled) in [
        ((0.9, 0.999), 1e-8, 0.0, 4e-3, false),
        ((0.6, 0.7), 1e-3, 0.2, 0.5, false),
        ((0.9, 0.99), 1e-8, 0.2, 4e-3, true),
    ] {
        let arguments = [
            betas(of),
            number("eps", eps),
            number("weight_decay", decay),
            number("momentum_decay", momentum_decay),
            switch("decoupled_weight_decay", decoupled),
        ];
        compare_elements("Nadam", &arguments, TOLERANCE, || {
            let (mut moments, mut product) = (Moments::default(), 1.0);
            move |step, p, g| {
                let (p, g) = if decoupled { (p * (1.0 - lr(step) * decay), g) } else { (p, g + decay * p) };
                let mu = |t: f64| of.0 * (1.0 - 0.5 * 0.96f64.powf(t * momentum_decay));
                let t = step as f64 + 1.0;
                let (now, next) = (mu(t), mu(t + 1.0));
                product *= now;
                moments.follow(g, of);
                let root = (moments.square / corrections(step, of).1).sqrt() + eps;
                let p = p - lr(step) * (1.0 - now) / (1.0 - product) * g / root;
                p - lr(step) * next / (1.0 - product * next) * moments.mean / root
            }
        });
    }
}

#[test]
fn radam_follows_its_rule() {
    for (of, eps, decay, decoupled) in [
        ((0.9, 0.999), 1e-8, 0.0, false),
        ((0.9, 0.9), 1e-3, 0.2, false),
        ((0.5, 0.8), 1e-8, 0.2, true),
        ((0.9, 0.6), 1e-8, 0.0, false),
    ] {
        let arguments =
            [betas(of), number("eps", eps), number("weight_decay", decay), switch("decoupled_weight_decay", decoupled)];
        // A continued fraction is broken off after five terms.
        compare_elements("Radam", &arguments, 1e-8, || {
            let mut moments = Moments::default();
            move |step, p, g| {
                let (p, g) = if decoupled { (p * (1.0 - lr(step) * decay), g) } else { (p, g + decay * p) };
                moments.follow(g, of);
                let t = step as f64 + 1.0;
                let (first, second) = corrections(step, of);
                let last = 2.0 / (1.0 - of.1) - 1.0;
                let rho = last - 2.0 * t * of.1.powf(t) / second;
                let mean = moments.mean / first;
                if rho <= 5.0 {
                    return p - lr(step) * mean;
                }
                let trust = (rho - 4.0) * (rho - 2.0) * last / ((last - 4.0) * (last - 2.0) * rho);
                p - lr(step) * mean * trust.sqrt() * second.sqrt() / (moments.square.sqrt() + eps)
            }
        });
    }
}

#[test]
fn lion_follows_its_rule() {
    for (of, decay) in [((0.9, 0.99), 0.0), ((0.5, 0.7), 0.3)] {
        compare_elements("Lion", &[betas(of), number("weight_decay", decay)], TOLERANCE, || {
            let mut mean = 0.0;
            move |step, p, g| {
                let p = p * (1.0 - lr(step) * decay);
                let direction = of.0 * mean + (1.0 - of.0) * g;
                mean = of.1 * mean + (1.0 - of.1) * g;
                let sign = if direction == 0.0 { 0.0 } else { direction.signum() };
                p - lr(step) * sign
            }
        });
    }
}

#[test]
fn lion_leaves_a_parameter_without_gradient_alone() {
    let mut run = Run::new("Lion", &[&[]], |_| Options::default());
    let found = run.step(&[[0.0, 1.0, 0.0]], 0.5, 0.0)[0];
    assert_eq!(found, [START[0], START[1] - 0.5, START[2]]);
}

fn norm(x: Vector) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[test]
fn lamb_follows_its_rule() {
    for (of, eps, decay) in [((0.9, 0.999), 1e-6, 0.0), ((0.5, 0.7), 1e-2, 0.3)] {
        let mut moments: [Moments; ELEMENTS] = Default::default();
        let arguments = [betas(of), number("eps", eps), number("weight_decay", decay)];
        compare("Lamb", &arguments, TOLERANCE, |step, p, g| {
            let (first, second) = corrections(step, of);
            let direction: Vector = std::array::from_fn(|i| {
                moments[i].follow(g[i], of);
                moments[i].mean / first / ((moments[i].square / second).sqrt() + eps) + decay * p[i]
            });
            let ratio = norm(p) / norm(direction);
            std::array::from_fn(|i| p[i] - lr(step) * ratio * direction[i])
        });
    }
}

#[test]
fn lamb_takes_a_ratio_of_one_where_a_norm_is_zero() {
    let mut run = Run::new("Lamb", &[&[number("eps", 0.5)]], |_| Options::default());
    assert_eq!(run.step(&[[0.0; ELEMENTS]], 0.1, 0.0)[0], START);
    let mut run = Run::new("Lamb", &[&[number("eps", 0.0), betas((0.0, 0.0))]], |_| Options::default());
    run.set("w0", [0.0; ELEMENTS]);
    // With these betas the direction is the sign of the gradient.
    assert_eq!(run.step(&[[3.0, -2.0, 1.0]], 0.5, 0.0)[0], [-0.5, 0.5, -0.5]);
}

#[test]
fn maximize_turns_every_gradient_around() {
    for signature in OPTIMIZERS {
        let decay = number("weight_decay", 0.1);
        let up = [switch("maximize", true), decay];
        let mut ascent = Run::new(signature.name, &[&up], |_| Options::default());
        let mut descent = Run::new(signature.name, &[&[decay]], |_| Options::default());
        for step in 0..8 {
            let g = gradient(step, 0);
            let (up, down) = (ascent.step(&[g], lr(step), 0.0), descent.step(&[g.map(|g| -g)], lr(step), 0.0));
            assert_eq!(up, down, "{}", signature.name);
            assert_ne!(up[0], START, "{}", signature.name);
        }
    }
}

#[test]
fn slots_are_named_by_minimize_slot_and_key() {
    let mut graph = Graph::new("Train");
    graph.stores = ["a", "b"].map(|name| StoreDecl { binding: name.into(), model: "Net".into() }).to_vec();
    let parameters =
        [0, 1].map(|store| graph.leaf(Leaf::Parameter { store, key: "fc.bias".into() }, Type::scalar(DType::F32)));
    let updates = parameters.map(|parameter| Update { parameter, gradient: parameter, key: "fc.bias".into() });
    let optimizer = optim::build("Adam", &BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"));
    let groups = vec![Group { optimizer, updates: updates.to_vec() }];
    let mut b = Builder::new(&mut graph, Origin::default());
    optim::minimize(&mut b, groups, &Options::default(), Slots::new(2, 1));
    let slot = |leaf: &Leaf| match leaf {
        Leaf::Slot { store, name, .. } => Some((*store, name.clone())),
        _ => None,
    };
    let slots: Vec<(usize, String)> = graph.leaves().filter_map(|(_, leaf, _)| slot(leaf)).collect();
    let expected = [
        (1, "2.count"),
        (0, "2.mean.fc.bias"),
        (0, "2.square.fc.bias"),
        (1, "2.mean.fc.bias"),
        (1, "2.square.fc.bias"),
    ];
    assert_eq!(slots, expected.map(|(store, name)| (store, name.to_string())));
    assert_eq!(verify(&graph), Ok(()));
}
