//! Runs of a graph that is nothing but a `minimize`: gradients come from outside.

use std::collections::BTreeMap;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{Array, Builder, Graph, Leaf, Origin, Role, StoreDecl, ValueId, evaluate, verify};
use tapeless_compiler::optim::{self, Group, Options, Scalar, Slots, Update, Value};
use tapeless_compiler::shape::{Shape, Type};

/// How many elements a parameter has.
pub const ELEMENTS: usize = 3;
/// The elements of a parameter.
pub type Vector = [f64; ELEMENTS];
/// What every parameter is at first.
pub const START: Vector = [0.5, -1.25, 3.0];

/// The gradient of a parameter in a run: no pattern, both signs, different sizes.
pub fn gradient(run: usize, parameter: usize) -> Vector {
    let (t, p) = (run as f64, parameter as f64);
    [(1.7 * t + p).sin(), 0.01 * (t - 2.0) - p, 5.0 * (0.9 * t + 0.3).cos()]
}

/// The learning rate of a run, which changes.
pub fn lr(run: usize) -> f64 {
    0.1 / (1.0 + run as f64)
}

/// A graph with one `minimize`, and what its leaves hold.
pub struct Run {
    graph: Graph,
    ids: Vec<ValueId>,
    leaves: Vec<Array>,
    parameters: usize,
    run: usize,
}

/// An optimizer whose `lr` is a step input.
pub fn optimizer(graph: &Graph, name: &str, arguments: &[(&str, Value)]) -> Box<dyn optim::Optimizer> {
    let rate = graph.leaves().next().expect("the rate is the first leaf").0;
    let mut given: BTreeMap<String, Value> = arguments.iter().map(|&(name, value)| (name.into(), value)).collect();
    given.insert("lr".into(), Value::Graph(rate));
    optim::build(name, &given).unwrap_or_else(|error| panic!("{error}"))
}

impl Run {
    /// Parameters `w0`, `w1`, … in one store: as many as there are sets of arguments, each a group of its own.
    pub fn new(name: &str, groups: &[&[(&str, Value)]], options: impl FnOnce(Scalar) -> Options) -> Run {
        let mut graph = Graph::new("Train");
        graph.stores.push(StoreDecl { binding: "net".into(), model: "Net".into() });
        graph.leaf(Leaf::User { name: "lr".into() }, Type::scalar(DType::F32));
        let limit = graph.leaf(Leaf::User { name: "limit".into() }, Type::scalar(DType::F32));
        let vector = Type::new(DType::F32, Shape::from_known(&[ELEMENTS]));
        let count = groups.len();
        let input = |at: usize, graph: &mut Graph| graph.leaf(Leaf::User { name: format!("g{at}") }, vector.clone());
        let gradients: Vec<ValueId> = (0..count).map(|at| input(at, &mut graph)).collect();
        let group = |(at, arguments): (usize, &&[(&str, Value)])| {
            let key = format!("w{at}");
            let parameter = graph.leaf(Leaf::Parameter { store: 0, key: key.clone() }, vector.clone());
            let updates = vec![Update { parameter, gradient: gradients[at], key }];
            Group { optimizer: optimizer(&graph, name, arguments), updates }
        };
        let groups: Vec<Group> = groups.iter().enumerate().map(group).collect();
        let mut b = Builder::new(&mut graph, Origin::default());
        optim::minimize(&mut b, groups, &options(Scalar::Graph(limit)), Slots::new(0, 0));
        assert_eq!(verify(&graph), Ok(()));
        let ids = graph.leaves().map(|(id, _, _)| id).collect();
        let leaves = graph.leaves().map(|(_, leaf, ty)| initial(leaf, ty)).collect();
        Run { graph, ids, leaves, parameters: count, run: 0 }
    }

    /// One run with these gradients, rate and limit; the parameters after it.
    pub fn step(&mut self, gradients: &[Vector], rate: f64, limit: f64) -> Vec<Vector> {
        self.leaves[0].elements = vec![rate];
        self.leaves[1].elements = vec![limit];
        for (at, gradient) in gradients.iter().enumerate() {
            self.leaves[2 + at].elements = gradient.to_vec();
        }
        let results = evaluate(&self.graph, &self.leaves);
        for (result, array) in self.graph.results.iter().zip(results) {
            let Role::Next(leaf) = result.role else { panic!("there are next values only") };
            let position = self.ids.iter().position(|&id| id == leaf).expect("a leaf");
            self.leaves[position] = array;
        }
        self.run += 1;
        (0..self.parameters).map(|at| self.leaf(&format!("w{at}")).try_into().expect("three elements")).collect()
    }

    /// The next run with the gradients and the rate of its number.
    pub fn usual_step(&mut self) -> Vec<Vector> {
        let gradients: Vec<Vector> = (0..self.parameters).map(|parameter| gradient(self.run, parameter)).collect();
        self.step(&gradients, lr(self.run), 1.0)
    }

    /// What a parameter or slot holds.
    pub fn leaf(&self, name: &str) -> Vec<f64> {
        self.leaves[self.position(name)].elements.clone()
    }

    /// Changes a parameter.
    pub fn set(&mut self, name: &str, elements: Vector) {
        let position = self.position(name);
        self.leaves[position].elements = elements.to_vec();
    }

    fn position(&self, name: &str) -> usize {
        let position = self.names().iter().position(|leaf| leaf == name);
        position.unwrap_or_else(|| panic!("no leaf {name} in {:?}", self.names()))
    }

    /// The keys of all parameters and the names of all slots.
    pub fn names(&self) -> Vec<String> {
        let name = |leaf: &Leaf| match leaf {
            Leaf::Slot { name, .. } | Leaf::User { name } => name.clone(),
            Leaf::Parameter { key, .. } | Leaf::State { key, .. } => key.clone(),
            Leaf::Seed { .. } => "seed".to_string(),
        };
        self.graph.leaves().map(|(_, leaf, _)| name(leaf)).collect()
    }
}

fn initial(leaf: &Leaf, ty: &Type) -> Array {
    match leaf {
        Leaf::Slot { initial, .. } => Array::filled(ty.dtype, &ty.known_shape(), *initial),
        Leaf::Parameter { .. } => Array::new(ty.dtype, &ty.known_shape(), START.to_vec()),
        _ => Array::filled(ty.dtype, &ty.known_shape(), f64::NAN),
    }
}
