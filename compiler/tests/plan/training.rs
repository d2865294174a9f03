//! Whole training steps, from a loss to a plan: derived, optimized, fused, placed and run.

use crate::runs::{assert_runs, leaf_copies};
use crate::steps::{input, metric, parameter};
use std::collections::BTreeMap;
use tapeless_compiler::autodiff::gradients;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{Builder, Graph, Origin, Role, ValueId};
use tapeless_compiler::ops::*;
use tapeless_compiler::optim::{self, Group, Scalar, Slots, Update, Value};
use tapeless_compiler::pipeline::{self, Fusion, Options};
use tapeless_compiler::target::Target;

/// `linear(x)`: x w^T + b.
fn linear(b: &mut Builder<'_>, x: ValueId, w: ValueId, bias: ValueId) -> ValueId {
    let product = contract(b, x, w, "bi,oi->bo");
    let shape = b.shape(product);
    let repeated = broadcast(b, bias, &shape);
    add(b, product, repeated)
}

/// A classifier with one hidden layer, trained by that optimizer; its gradients are results too.
fn classifier(optimizer: &str, arguments: &[(&str, Value)], options: &optim::Options) -> Graph {
    let mut graph = Graph::new("Classifier");
    let x = input(&mut graph, "x", DType::F32, &[6, 5]);
    let label = input(&mut graph, "label", DType::U32, &[6]);
    let keys = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"];
    let shapes: [&[usize]; 4] = [&[8, 5], &[8], &[4, 8], &[4]];
    let [w1, b1, w2, b2] = [0, 1, 2, 3].map(|at| parameter(&mut graph, keys[at], shapes[at]));
    let mut b = Builder::new(&mut graph, Origin::default());
    let hidden = linear(&mut b, x, w1, b1);
    let hidden = tanh(&mut b, hidden);
    let logits = linear(&mut b, hidden, w2, b2);
    let loss = cross_entropy(&mut b, logits, label, 0.1, "mean");
    let found = argmax(&mut b, logits, 1);
    let correct = eq(&mut b, found, label);
    let correct = cast(&mut b, correct, DType::U32);
    let correct = sum(&mut b, correct, &[0]);
    metric(&mut graph, "loss", loss);
    metric(&mut graph, "correct", correct);
    let derived = gradients(&mut graph, loss, &[w1, b1, w2, b2]);
    let update = |(at, parameter): (usize, ValueId)| Update {
        parameter,
        gradient: derived[at].expect("the loss depends on every parameter"),
        key: keys[at].to_string(),
    };
    let updates: Vec<Update> = [w1, b1, w2, b2].into_iter().enumerate().map(update).collect();
    for Update { gradient, key, .. } in &updates {
        graph.result(Role::Gradient { store: 0, key: key.clone() }, *gradient);
    }
    let arguments: BTreeMap<String, Value> = arguments.iter().map(|(name, value)| (name.to_string(), *value)).collect();
    let optimizer = optim::build(optimizer, &arguments).expect("the arguments are right");
    let mut b = Builder::new(&mut graph, Origin::default());
    optim::minimize(&mut b, vec![Group { optimizer, updates }], options, Slots::new(0, 0));
    graph
}

fn assert_trains(graph: &Graph) {
    let graph = pipeline::finish(graph).expect("the step is right");
    for keep_gradients in [true, false] {
        let mut sizes = Vec::new();
        for fusion in [Fusion::none(), Fusion::default()] {
            let options = Options { fusion, keep_gradients, ..Options::default() };
            let plan = pipeline::plan(&graph, &[], &options, &Target::default()).expect("the step compiles");
            let mut kept = graph.clone();
            kept.results.retain(|result| keep_gradients || !matches!(result.role, Role::Gradient { .. }));
            assert_runs(&kept, &plan);
            assert_eq!(leaf_copies(&plan), 0, "every parameter and slot is updated in place");
            sizes.push((plan.launches.len(), plan.unshared_bytes));
        }
        assert!(sizes[1].0 < sizes[0].0 && sizes[1].1 < sizes[0].1, "unfused and fused: {sizes:?}");
    }
}

#[test]
fn stochastic_gradient_descent_with_momentum_and_decay() {
    let arguments =
        [("lr", Value::Number(0.1)), ("momentum", Value::Number(0.9)), ("weight_decay", Value::Number(0.01))];
    assert_trains(&classifier("Sgd", &arguments, &optim::Options::default()));
}

#[test]
fn every_optimizer() {
    for signature in optim::OPTIMIZERS {
        assert_trains(&classifier(signature.name, &[("lr", Value::Number(0.01))], &optim::Options::default()));
    }
}

#[test]
fn every_option_of_minimize() {
    let options = optim::Options {
        clip_norm: Some(Scalar::Constant(0.5)),
        clip_value: Some(Scalar::Constant(0.2)),
        accumulate: 2,
        ema: Some(Scalar::Constant(0.9)),
    };
    assert_trains(&classifier("Nadam", &[("weight_decay", Value::Number(0.1))], &options));
}
