//! Uses of values, and dead code: what no result needs.

use crate::graph::{Defined, Graph, Leaf, Rewriter, Role, ValueId};

/// The graph without nodes and leaves that no result needs. Inputs of the step stay, for its signature has them.
pub fn without_dead(graph: &Graph) -> Graph {
    let uses = uses(graph);
    let kept = |id: ValueId| uses[id.0] > 0 || matches!(graph.as_leaf(id), Some(Leaf::User { .. }));
    let mut rewriter = Rewriter::new(graph);
    for check in &graph.checks {
        rewriter.target().check(check.clone());
    }
    for defined in graph.definitions() {
        match defined {
            Defined::Leaf(id, ty) if kept(id) => rewriter.leaf(id, ty.clone()),
            Defined::Node(_, node) if node.results.iter().any(|&result| kept(result)) => {
                rewriter.node(node, node.attributes.clone()).expect("a copy of a node is as well typed as the node");
            }
            _ => {}
        }
    }
    rewriter.finish()
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
