//! What makes up for running means that begin at 0, on the device, for every number of updates up to a million.

use tapeless::{Device, Options, Step};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{self, Builder, Graph, Leaf, Origin, Role, ValueId};
use tapeless_compiler::optim;
use tapeless_compiler::shape::{Shape, Type};

const UPDATES: usize = 1_000_000;

/// What a formula over the number of an update gives for each number from 1 on.
fn computed(formula: impl FnOnce(&mut Builder<'_>, ValueId) -> ValueId) -> Vec<f32> {
    let mut graph = Graph::new("Correct");
    let numbers = Type::new(DType::F32, Shape::from_known(&[UPDATES]));
    let t = graph.leaf(Leaf::User { name: "t".into() }, numbers);
    let value = formula(&mut Builder::new(&mut graph, Origin::default()), t);
    graph.result(Role::Output(0), value);
    let text: &'static str = Box::leak(graph::print(&graph).into_boxed_str());
    let mut step = Step::compile(text, &Device::cpu(), &[], &Options::default()).expect("the graph is right");
    let numbers: Vec<f32> = (1..=UPDATES).map(|t| t as f32).collect();
    step.run(&mut [], &[numbers.as_slice().into()]).expect("the input fits");
    step.view::<f32>(0).to_vec()
}

/// The largest relative error, and the update where it is.
fn largest_error(found: &[f32], exact: impl Fn(f64) -> f64) -> (f64, usize) {
    let error = |(at, &found): (usize, &f32)| {
        let exact = exact((at + 1) as f64);
        ((f64::from(found) - exact).abs() / exact, at + 1)
    };
    found.iter().enumerate().map(error).fold((0.0, 0), |a, b| if b.0 > a.0 { b } else { a })
}

#[test]
fn bias_corrections_have_a_relative_error_below_a_millionth() {
    for beta in [0.5, 0.9, 0.99, 0.999, 0.9999] {
        let found = computed(|b, t| optim::bias_correction(b, t, beta));
        let (error, at) = largest_error(&found, |t| -(t * beta.ln()).exp_m1());
        assert!(error < 1e-6, "beta {beta}: {error:e} at update {at}");
    }
}

#[test]
fn the_averaged_length_of_radam_keeps_its_digits() {
    for beta in [0.9, 0.99, 0.999, 0.9999] {
        let found = computed(|b, t| optim::averaged_length(b, t, beta));
        // Exact, from the ages of the gradients in the mean: 2 * mean age - 1 for weights (1 - beta) * beta^age.
        let (mut ages, mut weights) = (0.0, 0.0);
        let mut exact = Vec::with_capacity(UPDATES);
        for _ in 0..UPDATES {
            weights = beta * weights + (1.0 - beta);
            ages = beta * ages + weights;
            exact.push(2.0 * ages / weights - 1.0);
        }
        let (error, at) = largest_error(&found, |t| exact[t as usize - 1]);
        assert!(error < 1e-6, "beta {beta}: {error:e} at update {at}");
    }
}
