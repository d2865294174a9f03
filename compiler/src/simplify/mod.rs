//! Simplification: a smaller graph of the same meaning.
//!
//! A graph comes in, one with the same results in the same order leaves. Round after round, every node is replaced by what
//! the first of the [`LAWS`] that holds makes of it, or by an equal node that stands before it, until a round changes
//! nothing; then what no result needs goes, except inputs of the step. It ends because every law takes something away: a
//! node, or work from a larger shape to a smaller one.

mod constants;
mod dead;
mod laws;

pub use laws::{LAWS, Law};

use crate::graph::{AttributeKey, Builder, Call, Defined, Graph, Node, Rewriter, ValueId};
use std::collections::HashMap;

/// The simplified graph.
pub fn simplify(graph: &Graph) -> Graph {
    let (mut simplified, mut changed) = round(graph);
    while changed {
        (simplified, changed) = round(&simplified);
    }
    dead::without_dead(simplified)
}

/// One round, and whether a law or an equal node changed anything. What no result needs is left out.
fn round(graph: &Graph) -> (Graph, bool) {
    let uses = dead::uses(graph);
    let mut known: HashMap<(&str, AttributeKey, Vec<ValueId>), Vec<ValueId>> = HashMap::new();
    let mut changed = false;
    let mut rewriter = Rewriter::new(graph);
    rewriter.copy_checks();
    for defined in graph.definitions().filter(|&defined| dead::needed(graph, &uses, defined)) {
        let node = match defined {
            Defined::Leaf(id, ty) => {
                rewriter.leaf(id, ty.clone());
                continue;
            }
            Defined::Node(_, node) => node,
        };
        let call = rewriter.call(node);
        let alone = node.operands.iter().all(|operand| uses[operand.0] <= 1);
        if let Some(value) = lawful(&mut Builder::new(rewriter.target(), node.origin), node, &call, alone) {
            changed = true;
            rewriter.define(node, &[value]);
            continue;
        }
        let key = (node.op.name(), AttributeKey(call.attributes.clone()), call.operands.clone());
        match known.get(&key) {
            Some(equal) => {
                changed = true;
                rewriter.define(node, equal);
            }
            None => {
                known.insert(key, rewriter.copy(node, call));
            }
        }
    }
    (rewriter.finish(), changed)
}

/// What the first law that holds puts in the place of a node; `alone` if nothing else uses its operands.
fn lawful(b: &mut Builder<'_>, node: &Node, call: &Call, alone: bool) -> Option<ValueId> {
    let mut laws = LAWS.iter().filter(|law| law.concerns(node.op) && (alone || !law.alone));
    let value = laws.find_map(|law| (law.apply)(b, node.op, call))?;
    // Two extents may be equal by a check only: then the value is the same, but its type is written differently.
    (b.ty(value) == &call.result_types[0]).then_some(value)
}
