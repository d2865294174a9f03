//! Uses of values, and dead code: what no result needs.

use crate::graph::{Defined, Graph, Leaf, Rewriter, Role};

/// The graph without nodes and leaves that no result needs.
pub fn without_dead(graph: Graph) -> Graph {
    let uses = uses(&graph);
    if graph.definitions().all(|defined| needed(&graph, &uses, defined)) {
        return graph;
    }
    let mut rewriter = Rewriter::new(&graph);
    rewriter.copy_checks();
    for defined in graph.definitions().filter(|&defined| needed(&graph, &uses, defined)) {
        match defined {
            Defined::Leaf(id, ty) => rewriter.leaf(id, ty.clone()),
            Defined::Node(_, node) => {
                rewriter.copy(node);
            }
        }
    }
    rewriter.finish()
}

/// Whether a result needs what is defined here. Inputs of the step stay, for its signature has them.
pub fn needed(graph: &Graph, uses: &[usize], defined: Defined<'_>) -> bool {
    match defined {
        Defined::Leaf(id, _) => uses[id.0] > 0 || matches!(graph.as_leaf(id), Some(Leaf::User { .. })),
        Defined::Node(_, node) => node.results.iter().any(|result| uses[result.0] > 0),
    }
}

/// How often each value is used, by number: by nodes that a result needs, and by results.
pub fn uses(graph: &Graph) -> Vec<usize> {
    let mut uses = vec![0; graph.values().len()];
    for result in &graph.results {
        uses[result.value.0] += 1;
        if let Role::Next(leaf) = result.role {
            uses[leaf.0] += 1;
        }
    }
    for (_, node) in graph.nodes().rev() {
        if node.results.iter().any(|result| uses[result.0] > 0) {
            node.operands.iter().for_each(|operand| uses[operand.0] += 1);
        }
    }
    uses
}
