//! Random graphs over every op: their text, their plans on the interpreter, and their gradients.

use tapeless_compiler::autodiff::gradients;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::fuse::Fusion;
use tapeless_compiler::generate::{Generated, generate};
use tapeless_compiler::graph::{self, Array, Builder, Graph, Origin, Role, ValueId, evaluate};
use tapeless_compiler::kernel;
use tapeless_compiler::ops::{self, OPS};
use tapeless_compiler::pipeline::{self, Options};
use tapeless_compiler::plan;
use tapeless_compiler::target::Target;

/// How many graphs.
const GRAPHS: u64 = 2000;
/// About how many nodes each has.
const NODES: usize = 6;
/// How far an f32 result may be off, relative to the largest element of its array or to 1. The generator keeps graphs out
/// in which an error of 1e-6 of the leaves becomes one of 1e-4: rounding to 6e-8 in a chain of ops stays well below.
const TOLERANCE: f64 = 1e-4;

fn close(found: &Array, expected: &Array, seed: u64) {
    assert_eq!((found.dtype, &found.shape), (expected.dtype, &expected.shape), "seed {seed}");
    let largest = expected.elements.iter().fold(1.0, |largest: f64, x| largest.max(x.abs()));
    let tolerance = if expected.dtype.is_float() { TOLERANCE * largest } else { 0.0 };
    for (i, (x, y)) in found.elements.iter().zip(&expected.elements).enumerate() {
        assert!((x - y).abs() <= tolerance, "seed {seed}, element {i}: {x} is not {y}");
    }
}

/// How many graphs run with every subset of the kinds of fusion; the others with one that their number names.
const EVERY: u64 = 10;

/// Everything on, nothing on, and of the subsets between them one or all.
fn subsets(seed: u64) -> Vec<Fusion> {
    // Taken apart, so that a new kind of fusion is not forgotten here.
    let Fusion {
        elementwise: _,
        reductions: _,
        epilogues: _,
        rows: _,
        siblings: _,
        neighbours: _,
        updates: _,
        rematerialize: _,
        prologues: _,
    } = Fusion::none();
    let subset = |bits: u64| {
        let on = |bit: u32| bits >> bit & 1 == 1;
        Fusion {
            elementwise: on(0),
            reductions: on(1),
            epilogues: on(2),
            rows: on(3),
            siblings: on(4),
            neighbours: on(5),
            updates: on(6),
            rematerialize: on(7),
            prologues: on(8),
        }
    };
    if seed < EVERY { (0..512).map(subset).collect() } else { [0, 511, seed % 512].map(subset).to_vec() }
}

/// Plans run on the interpreter with four lanes, whole and in pieces as small as can be.
#[test]
fn plans_of_random_graphs_compute_what_they_mean() {
    let mut parallel = 0;
    for seed in 0..GRAPHS {
        let Generated { graph, leaves } = generate(seed, NODES);
        let expected = evaluate(&graph, &leaves);
        for (number, fusion) in subsets(seed).into_iter().enumerate() {
            let options = Options { fusion, ..Options::default() };
            let target = match number % 2 {
                0 => Target::default(),
                _ => Target { piece: 1, ..Target::default() },
            };
            let plan =
                pipeline::plan(&graph, &[], &options, &target).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            let phases = plan.kernels.iter().flat_map(kernel::phases);
            parallel += phases.filter(|phase| phase.parallel.is_some_and(|extent| extent > 1)).count();
            let run = plan::interpret(&plan, &leaves_of(&plan, &graph, &leaves), 4);
            for (position, expected) in expected.iter().enumerate() {
                let role = Role::Output(position);
                let at = plan.results.iter().position(|result| result.role == role).expect("an output of the plan");
                close(&run.results[at], expected, seed);
            }
        }
    }
    assert!(parallel > 1000, "{parallel} loops ran in pieces");
}

/// The leaves that a plan has, in its order.
fn leaves_of(plan: &plan::Plan, graph: &Graph, leaves: &[Array]) -> Vec<Array> {
    let array = |planned: &plan::PlanLeaf| {
        let at = graph.leaves().position(|(_, leaf, _)| *leaf == planned.leaf).expect("a leaf of the graph");
        leaves[at].clone()
    };
    plan.leaves.iter().map(array).collect()
}

#[test]
fn random_graphs_come_back_from_their_text() {
    for seed in 0..GRAPHS {
        let graph = generate(seed, NODES).graph;
        let text = graph::print(&graph);
        let again = graph::parse(&text, OPS).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        assert_eq!(graph::print(&again), text, "seed {seed}");
    }
}

/// The sum of all elements of float outputs, each bent by a tangent, as the only result.
fn with_loss(graph: &Graph) -> Option<(Graph, ValueId)> {
    let mut graph = graph.clone();
    let outputs: Vec<ValueId> = std::mem::take(&mut graph.results).into_iter().map(|result| result.value).collect();
    let mut b = Builder::new(&mut graph, Origin::default());
    let mut loss: Option<ValueId> = None;
    for output in outputs {
        if !b.dtype(output).is_float() {
            continue;
        }
        let weighted = ops::scale(&mut b, output, 0.3);
        let bent = ops::tanh(&mut b, weighted);
        let axes: Vec<usize> = (0..b.ty(bent).rank()).collect();
        let total = ops::sum(&mut b, bent, &axes);
        let total = ops::cast(&mut b, total, DType::F32);
        loss = Some(loss.map_or(total, |sum| ops::add(&mut b, sum, total)));
    }
    let loss = loss?;
    graph.result(Role::Output(0), loss);
    Some((graph, loss))
}

#[test]
fn gradients_of_random_graphs_agree_with_differences() {
    let (mut compared, mut kinks) = (0, 0);
    for seed in 0..GRAPHS {
        let Generated { graph, leaves } = generate(seed, NODES);
        let Some((forward, loss)) = with_loss(&graph) else { continue };
        // What a node hides from the gradient, a difference sees.
        if forward.nodes().any(|(_, node)| node.op.stops_gradients()) {
            continue;
        }
        let floats: Vec<usize> = (0..leaves.len()).filter(|&at| leaves[at].dtype.is_float()).collect();
        let ids: Vec<ValueId> = forward.leaves().map(|(leaf, ..)| leaf).collect();
        let wrt: Vec<ValueId> = floats.iter().map(|&at| ids[at]).collect();
        let mut backward = forward.clone();
        let found = gradients(&mut backward, loss, &wrt);
        backward.results.clear();
        for (position, gradient) in found.iter().enumerate() {
            if let Some(gradient) = gradient {
                backward.result(Role::Output(position), *gradient);
            }
        }
        assert_eq!(graph::verify(&backward), Ok(()), "seed {seed}");
        let mut derived = evaluate(&backward, &leaves).into_iter();
        for (&at, gradient) in floats.iter().zip(&found) {
            let derived = gradient.and_then(|_| derived.next());
            let count = leaves[at].elements.len();
            // Three elements of each leaf: first, last and one between.
            let mut elements = vec![0, count / 2, count.saturating_sub(1)];
            elements.dedup();
            for element in elements.into_iter().filter(|&element| element < count) {
                let derived = derived.as_ref().map_or(0.0, |array| array.elements[element]);
                match difference(&forward, &leaves, at, element) {
                    Some(numerical) => {
                        let close = (derived - numerical).abs() <= 1e-4 * (1.0 + numerical.abs());
                        assert!(close, "seed {seed}, leaf {at}, element {element}: {derived} is not {numerical}");
                        compared += 1;
                    }
                    None => kinks += 1,
                }
            }
        }
    }
    assert!(compared > 5000 && kinks * 20 < compared, "{compared} derivatives were compared, {kinks} lie at kinks");
}

/// The central difference of the only result by one element of one leaf; `None` where two widths of the step disagree, or
/// the two sides do, for there the function has a kink or a jump.
fn difference(graph: &Graph, leaves: &[Array], leaf: usize, element: usize) -> Option<f64> {
    let mut moved = leaves.to_vec();
    let mut at = |step: f64| {
        moved[leaf].elements[element] = leaves[leaf].elements[element] + step;
        evaluate(graph, &moved)[0].elements[0]
    };
    let here = at(0.0);
    let mut quotients = |h: f64| [(at(h) - here) / h, (here - at(-h)) / h];
    let [narrow, wide] = [quotients(1e-6), quotients(4e-6)].map(|[ahead, behind]| (ahead + behind) / 2.0);
    let [ahead, behind] = quotients(1e-6);
    let agree = |one: f64, other: f64, room: f64| (one - other).abs() <= room * (1.0 + narrow.abs());
    (agree(narrow, wide, 2e-5) && agree(ahead, behind, 1e-3)).then_some(narrow)
}
