//! Laws of plans, over random graphs of elementwise ops, views, reductions, gathers and state pairs.

use crate::runs::{assert_runs, planned};
use crate::steps::{input, metric, state};
use proptest::prelude::*;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::fuse::Fusion;
use tapeless_compiler::graph::{Builder, Graph, Origin, Role, ValueId};
use tapeless_compiler::ops::*;
use tapeless_compiler::shape::Shape;

/// One node: which op, and which of the earlier values it takes.
type Choice = (u8, usize, usize);

/// What a random graph is made from.
#[derive(Clone, Debug)]
struct Recipe {
    extents: (usize, usize),
    nodes: Vec<Choice>,
    /// For each state, which value of its shape comes next.
    next: Vec<usize>,
    metrics: Vec<usize>,
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let node = (any::<u8>(), any::<usize>(), any::<usize>());
    let parts = (
        (1usize..5, 1usize..5),
        prop::collection::vec(node, 1..20),
        prop::collection::vec(any::<usize>(), 4),
        prop::collection::vec(any::<usize>(), 0..3),
    );
    parts.prop_map(|(extents, nodes, next, metrics)| Recipe { extents, nodes, next, metrics })
}

/// The matrix x repeated to the shape it had before some of its axes were summed.
fn repeated(b: &mut Builder<'_>, x: ValueId, axis: usize, shape: &Shape) -> ValueId {
    let x = unsqueeze(b, x, &[axis]);
    broadcast(b, x, shape)
}

/// Every value of these graphs is a matrix of f32 with the extents of the recipe, so that everything fits everything.
fn node(b: &mut Builder<'_>, index: ValueId, (op, x, y): (u8, ValueId, ValueId)) -> ValueId {
    let shape = b.shape(x);
    let extents = shape.known().expect("the extents are known");
    let turned = Shape::from_known(&[extents[1], extents[0]]);
    match op % 16 {
        0 => add(b, x, y),
        1 => mul(b, x, y),
        2 => sub(b, x, y),
        3 => tanh(b, x),
        4 => neg(b, x),
        5 => relu(b, x),
        6 => maximum(b, x, y),
        7 => {
            let smaller = lt(b, x, y);
            select(b, smaller, y, x)
        }
        // The same elements in another order, twice over.
        8 => {
            let x = permute(b, x, &[1, 0]);
            reshape(b, x, &shape)
        }
        9 => {
            let x = reshape(b, x, &turned);
            permute(b, x, &[1, 0])
        }
        10 | 11 => {
            let axis = usize::from(op % 16 == 11);
            let total = sum(b, x, &[axis]);
            let total = tanh(b, total);
            repeated(b, total, axis, &shape)
        }
        12 => {
            let largest = max(b, x, &[0, 1]);
            broadcast(b, largest, &shape)
        }
        13 => gather(b, x, index, 0),
        14 => {
            let square = contract(b, x, y, "ik,jk->ij");
            let product = contract(b, square, y, "ij,jk->ik");
            tanh(b, product)
        }
        _ => {
            let half = constant(b, 0.5, DType::F32);
            let half = broadcast(b, half, &shape);
            mul(b, x, half)
        }
    }
}

fn graph(recipe: &Recipe) -> Graph {
    let mut graph = Graph::new("Random");
    let shape = [recipe.extents.0, recipe.extents.1];
    let index = input(&mut graph, "index", DType::U32, &shape);
    let mut values = vec![input(&mut graph, "x", DType::F32, &shape)];
    let states: Vec<ValueId> = (0..recipe.next.len()).map(|at| state(&mut graph, &at.to_string(), &shape)).collect();
    values.extend(&states);
    for &(op, x, y) in &recipe.nodes {
        let choice = (op, values[x % values.len()], values[y % values.len()]);
        values.push(node(&mut Builder::new(&mut graph, Origin::default()), index, choice));
    }
    for (&leaf, &next) in states.iter().zip(&recipe.next) {
        graph.result(Role::Next(leaf), values[next % values.len()]);
    }
    for (at, &value) in recipe.metrics.iter().enumerate() {
        metric(&mut graph, &at.to_string(), values[value % values.len()]);
    }
    graph
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Fused or not, a plan is proved and computes what the graph means; fusion adds no launches. Computing a value once for
    /// each reader may: what it is made of is read for longer then, and a state cannot be replaced while its value before
    /// is still read, so the one that comes next may need a copy.
    #[test]
    fn plans_compute_what_the_graph_means(recipe in recipes()) {
        let graph = graph(&recipe);
        let once = Fusion { rematerialize: false, ..Fusion::default() };
        let [fused, once, unfused] = [Fusion::default(), once, Fusion::none()].map(|fusion| {
            let plan = planned(&graph, fusion);
            assert_runs(&graph, &plan);
            plan
        });
        prop_assert!(once.launches.len() <= unfused.launches.len());
        prop_assert!(fused.workspace_bytes <= fused.unshared_bytes);
    }
}
