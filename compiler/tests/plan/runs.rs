//! Plans are made, proved and run against the reference.

use crate::steps::arrays;
use tapeless_compiler::fuse::{Fusion, fuse};
use tapeless_compiler::graph::{Array, Graph, Role, ValueId, evaluate};
use tapeless_compiler::plan::verify::verify;
use tapeless_compiler::plan::{self, BufferId, Interpreted, Place, Plan, plan};
use tapeless_compiler::target::Target;

/// Elementwise chains and nothing else.
pub const CHAINS: Fusion = Fusion { elementwise: true, ..Fusion::none() };

/// The plan of a graph, verified.
pub fn planned(graph: &Graph, fusion: Fusion) -> Plan {
    let plan = plan(graph, fuse(graph, &fusion), &Target::default());
    assert_eq!(verify(&plan, graph), Ok(()), "{}", plan::print(&plan));
    plan
}

/// Runs the plan on machines of several lane counts and compares with the reference.
pub fn assert_runs(graph: &Graph, plan: &Plan) {
    let leaves = arrays(graph, 7);
    let expected = evaluate(graph, &leaves);
    for lanes in [1, 4, 16] {
        assert_results(graph, plan, &plan::interpret(plan, &leaves, lanes), &expected);
    }
}

fn assert_results(graph: &Graph, plan: &Plan, run: &Interpreted, expected: &[Array]) {
    let positions: Vec<ValueId> = graph.leaves().map(|(leaf, ..)| leaf).collect();
    for (result, expected) in graph.results.iter().zip(expected) {
        let found = match &result.role {
            Role::Next(leaf) => &run.leaves[positions.iter().position(|p| p == leaf).expect("a leaf of the graph")],
            role => &run.results[plan.results.iter().position(|r| r.role == *role).expect("a result of the plan")],
        };
        assert_close(found, expected, &format!("{:?}", result.role));
    }
}

fn assert_close(found: &Array, expected: &Array, what: &str) {
    assert_eq!((found.dtype, &found.shape), (expected.dtype, &expected.shape), "{what}");
    for (a, b) in found.elements.iter().zip(&expected.elements) {
        assert!((a - b).abs() <= 1e-5 * (1.0 + b.abs()), "{what}: {a} instead of {b}");
    }
}

/// How many launches copy a next value into its leaf at the end.
pub fn leaf_copies(plan: &Plan) -> usize {
    let into_leaf = |buffer: BufferId| matches!(plan.buffers[buffer.0].place, Place::Leaf(_));
    plan.launches.iter().filter(|launch| launch.label == "copy" && into_leaf(launch.arguments[1])).count()
}
