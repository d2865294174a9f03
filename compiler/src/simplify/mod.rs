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

use crate::graph::{Attributes, Builder, Call, Graph, Node, ValueId, print, rewrite};
use std::collections::HashMap;

/// The simplified graph.
pub fn simplify(graph: &Graph) -> Graph {
    let (mut simplified, mut changed) = round(graph);
    while changed {
        (simplified, changed) = round(&simplified);
    }
    dead::without_dead(&simplified)
}

/// One round, and whether it changed anything.
fn round(graph: &Graph) -> (Graph, bool) {
    let uses = dead::uses(graph);
    let mut known: HashMap<(&str, String, Vec<ValueId>), Vec<ValueId>> = HashMap::new();
    let mut changed = false;
    let rewritten = rewrite(graph, |b, node, call| {
        let alone = node.operands.iter().all(|operand| uses[operand.0] <= 1);
        if let Some(value) = lawful(b, node, call, alone) {
            changed = true;
            return Some(vec![value]);
        }
        let key = (node.op.name(), identity(&call.attributes), call.operands.clone());
        if let Some(equal) = known.get(&key) {
            changed = true;
            return Some(equal.clone());
        }
        let results = b.apply_all(node.op, call.attributes.clone(), &call.operands);
        known.insert(key, results.clone());
        Some(results)
    });
    (rewritten, changed)
}

/// What the first law that holds puts in the place of a node; `alone` if nothing else uses its operands.
fn lawful(b: &mut Builder<'_>, node: &Node, call: &Call, alone: bool) -> Option<ValueId> {
    let mut laws = LAWS.iter().filter(|law| law.concerns(node.op) && (alone || !law.alone));
    let value = laws.find_map(|law| (law.apply)(b, node.op, call))?;
    // Two extents may be equal by a check only: then the value is the same, but its type is written differently.
    (b.ty(value) == &call.result_types[0]).then_some(value)
}

/// What equal attributes share. The printed form tells 0 from -0, and NaN is equal to itself there.
fn identity(attributes: &Attributes) -> String {
    let regions = attributes.regions().map(|region| print(region.graph()));
    std::iter::once(attributes.to_string()).chain(regions).collect()
}
