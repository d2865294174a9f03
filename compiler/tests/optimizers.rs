//! Optimizers against their rules, written out over single numbers.

use std::collections::BTreeMap;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{Array, Builder, Graph, Leaf, Origin, Role, StoreDecl, ValueId, evaluate, verify};
use tapeless_compiler::optim::{self, Slots, Update, Value};
use tapeless_compiler::shape::{Shape, Type};

const STEPS: usize = 6;
const START: [f64; 3] = [0.5, -1.25, 3.0];

/// The gradients of the steps: no pattern, both signs, different sizes.
fn gradient(step: usize) -> [f64; 3] {
    let t = step as f64;
    [(1.7 * t).sin(), 0.01 * (t - 2.0), 5.0 * (0.9 * t + 0.3).cos()]
}

/// The learning rates of the steps, which change from run to run.
fn lr(step: usize) -> f64 {
    0.1 / (1.0 + step as f64)
}

/// The parameter after every step of an optimizer with these arguments beside `lr`.
fn run(name: &str, arguments: &[(&str, Value)]) -> Vec<[f64; 3]> {
    let mut graph = Graph::new("Train");
    graph.stores.push(StoreDecl { binding: "net".into(), model: "Net".into() });
    let vector = Type::new(DType::F32, Shape::from_known(&[3]));
    let rate = graph.leaf(Leaf::User { name: "lr".into() }, Type::scalar(DType::F32));
    let gradient_leaf = graph.leaf(Leaf::User { name: "g".into() }, vector.clone());
    let parameter = graph.leaf(Leaf::Parameter { store: 0, key: "w".into() }, vector);
    let mut given: BTreeMap<String, Value> = arguments.iter().map(|&(name, value)| (name.into(), value)).collect();
    given.insert("lr".into(), Value::Graph(rate));
    let optimizer = optim::build(name, &given).unwrap_or_else(|error| panic!("{error}"));
    let update = Update { parameter, gradient: gradient_leaf, key: "w".into() };
    optimizer.update(&mut Builder::new(&mut graph, Origin::default()), &[update], &mut Slots::new(0, 0));
    assert_eq!(verify(&graph), Ok(()));
    steps(&graph, parameter)
}

fn steps(graph: &Graph, parameter: ValueId) -> Vec<[f64; 3]> {
    let initial = |leaf: &Leaf, ty: &Type| match leaf {
        Leaf::Slot { initial, .. } => Array::filled(ty.dtype, &ty.known_shape(), *initial),
        _ => Array::filled(ty.dtype, &ty.known_shape(), f64::NAN),
    };
    let ids: Vec<ValueId> = graph.leaves().map(|(id, _, _)| id).collect();
    let mut leaves: Vec<Array> = graph.leaves().map(|(_, leaf, ty)| initial(leaf, ty)).collect();
    let position = |id: ValueId| ids.iter().position(|&leaf| leaf == id).expect("a leaf");
    leaves[position(parameter)].elements = START.to_vec();
    let mut parameters = Vec::new();
    for step in 0..STEPS {
        leaves[0].elements = vec![lr(step)];
        leaves[1].elements = gradient(step).to_vec();
        let results = evaluate(graph, &leaves);
        for (result, array) in graph.results.iter().zip(results) {
            let Role::Next(leaf) = result.role else { panic!("optimizers add next values only") };
            leaves[position(leaf)] = array;
        }
        parameters.push(leaves[position(parameter)].elements.clone().try_into().expect("three elements"));
    }
    parameters
}

/// Holds the steps of the graph against those of a rule: a function from step, parameter and gradient to the next
/// parameter, with memory of its own for every element.
fn compare<R: FnMut(usize, f64, f64) -> f64>(found: &[[f64; 3]], mut rule: impl FnMut() -> R) {
    for element in 0..3 {
        let (mut rule, mut expected) = (rule(), START[element]);
        for (step, found) in found.iter().enumerate() {
            expected = rule(step, expected, gradient(step)[element]);
            let error = (found[element] - expected).abs();
            assert!(error < 1e-12, "step {step}, element {element}: {} instead of {expected}", found[element]);
        }
    }
}

fn sgd(momentum: f64, dampening: f64, weight_decay: f64, nesterov: bool) {
    let found = run(
        "Sgd",
        &[
            ("momentum", Value::Number(momentum)),
            ("dampening", Value::Number(dampening)),
            ("weight_decay", Value::Number(weight_decay)),
            ("nesterov", Value::Switch(nesterov)),
        ],
    );
    compare(&found, || {
        let mut buffer: Option<f64> = None;
        move |step, p, g| {
            let g = g + weight_decay * p;
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

#[test]
fn sgd_follows_its_rule() {
    sgd(0.0, 0.0, 0.0, false);
    sgd(0.0, 0.0, 0.2, false);
    sgd(0.9, 0.0, 0.0, false);
    sgd(0.9, 0.3, 0.0, false);
    sgd(0.9, 0.3, 0.2, false);
    sgd(0.9, 0.0, 0.0, true);
    sgd(0.9, 0.0, 0.2, true);
}

fn adam(betas: (f64, f64), eps: f64, weight_decay: f64, amsgrad: bool) {
    let found = run(
        "Adam",
        &[
            ("betas", Value::Pair(betas.0, betas.1)),
            ("eps", Value::Number(eps)),
            ("weight_decay", Value::Number(weight_decay)),
            ("amsgrad", Value::Switch(amsgrad)),
        ],
    );
    compare(&found, || {
        let (mut m, mut v, mut largest) = (0.0, 0.0, 0f64);
        move |step, p, g| {
            let (t, g) = (step as i32 + 1, g + weight_decay * p);
            m = betas.0 * m + (1.0 - betas.0) * g;
            v = betas.1 * v + (1.0 - betas.1) * g * g;
            largest = largest.max(v);
            let (first, second) = (1.0 - betas.0.powi(t), 1.0 - betas.1.powi(t));
            let root = if amsgrad { largest } else { v };
            p - lr(step) / first * m / (root.sqrt() / second.sqrt() + eps)
        }
    });
}

#[test]
fn adam_follows_its_rule() {
    adam((0.9, 0.999), 1e-8, 0.0, false);
    adam((0.8, 0.9), 1e-3, 0.0, false);
    adam((0.9, 0.99), 1e-8, 0.1, false);
    adam((0.5, 0.6), 1e-8, 0.0, true);
    adam((0.5, 0.6), 1e-8, 0.1, true);
    adam((0.0, 0.0), 1e-8, 0.0, false);
}

#[test]
fn slots_are_named_by_minimize_slot_and_key() {
    let mut graph = Graph::new("Train");
    graph.stores = ["a", "b"].map(|name| StoreDecl { binding: name.into(), model: "Net".into() }).to_vec();
    let parameters =
        [0, 1].map(|store| graph.leaf(Leaf::Parameter { store, key: "fc.bias".into() }, Type::scalar(DType::F32)));
    let updates = parameters.map(|parameter| Update { parameter, gradient: parameter, key: "fc.bias".into() });
    let adam = optim::build("Adam", &BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"));
    adam.update(&mut Builder::new(&mut graph, Origin::default()), &updates, &mut Slots::new(2, 1));
    let slot = |leaf: &Leaf| match leaf {
        Leaf::Slot { store, name, .. } => Some((*store, name.clone())),
        _ => None,
    };
    let slots: Vec<(usize, String)> = graph.leaves().filter_map(|(_, leaf, _)| slot(leaf)).collect();
    let expected = [
        (1, "2.correction1"),
        (1, "2.correction2"),
        (0, "2.mean.fc.bias"),
        (0, "2.square.fc.bias"),
        (1, "2.mean.fc.bias"),
        (1, "2.square.fc.bias"),
    ];
    assert_eq!(slots, expected.map(|(store, name)| (store, name.to_string())));
    assert_eq!(verify(&graph), Ok(()));
}
