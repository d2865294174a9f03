//! Simplification: a smaller graph of the same meaning.
//!
//! A graph comes in, one with the same results in the same order leaves. Round after round, every node is replaced by what
//! the first of the [`LAWS`] that holds makes of it, or by an equal node that stands before it, until another round would
//! change nothing; then what no result needs goes, except inputs of the step. It ends because every law takes something away: a
//! node, or work from a larger shape to a smaller one. Then the bodies of scans are simplified, and they lose what nobody
//! needs of them, which may leave less to do around them.

mod constants;
mod dead;
mod laws;
mod scans;

pub use laws::{LAWS, Law};

use crate::graph::{AttributeKey, Builder, Call, Defined, Graph, Node, NodeId, Rewriter, ValueId};
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

/// The simplified graph.
pub fn simplify(graph: &Graph) -> Graph {
    let mut laws = LawsOfOps::default();
    let mut simplified = in_rounds(graph, &mut laws);
    while let Some(reduced) = scans::reduced(&simplified) {
        simplified = in_rounds(&reduced, &mut laws);
    }
    simplified
}

fn in_rounds(graph: &Graph, laws: &mut LawsOfOps) -> Graph {
    let mut last = Round::new(graph, laws);
    while !last.is_last(laws) {
        last = Round::new(&last.graph, laws);
    }
    dead::without_dead(last.graph)
}

/// What makes two nodes equal: op, attributes and operands.
type Key = (&'static str, AttributeKey, Vec<ValueId>);
/// Nodes that differ.
type Known = FxHashMap<Key, NodeId>;

/// What a round made.
struct Round {
    graph: Graph,
    found: Found,
}

/// What a round found, which shows whether the next one would change anything.
#[derive(Default)]
struct Found {
    /// Whether a law or an equal node changed anything.
    changed: bool,
    /// The nodes that were copied, by what makes them equal to another.
    known: Known,
    /// Nodes that laws made, at which no law has looked yet.
    made: Vec<Range<usize>>,
    /// Nodes that a law was not tried on because something else used their operands.
    shared: Vec<NodeId>,
}

impl Found {
    /// Replaces a node, or copies it; `alone` if nothing else uses its operands.
    fn node(&mut self, rewriter: &mut Rewriter<'_>, laws: &[&Law], node: &Node, alone: bool) {
        let call = rewriter.call(node);
        let target = rewriter.target();
        let next = target.nodes().len();
        if let Some(value) = lawful(&mut Builder::new(target, node.origin), laws, node, &call, alone) {
            self.made.push(next..target.nodes().len());
            self.changed = true;
            return rewriter.define(node, &[value]);
        }
        match self.known.entry((node.op.name(), AttributeKey(call.attributes), call.operands)) {
            Entry::Occupied(equal) => {
                self.changed = true;
                rewriter.merge(node, *equal.get());
            }
            Entry::Vacant(place) => {
                let copy = *place.insert(rewriter.copy(node));
                if !alone && laws.iter().any(|law| law.alone) {
                    self.shared.push(copy);
                }
            }
        }
    }
}

impl Round {
    /// One round. What no result needs is left out.
    fn new(graph: &Graph, laws: &mut LawsOfOps) -> Round {
        let uses = dead::uses(graph);
        let mut found = Found::default();
        found.known.reserve(graph.nodes().len());
        let mut rewriter = Rewriter::new(graph);
        rewriter.copy_checks();
        for defined in graph.definitions().filter(|&defined| dead::needed(graph, &uses, defined)) {
            match defined {
                Defined::Leaf(id, ty) => rewriter.leaf(id, ty.clone()),
                Defined::Node(_, node) => found.node(&mut rewriter, laws.of(node), node, alone(node, &uses)),
            }
        }
        Round { graph: rewriter.finish(), found }
    }

    /// Whether another round would change nothing. Laws have looked at all nodes but those that laws made, and at each of
    /// them with the operands that it has now: so only the nodes that laws made can be changed, and those whose operands
    /// were used by something else and no longer are.
    fn is_last(&mut self, laws: &mut LawsOfOps) -> bool {
        if !self.found.changed {
            return true;
        }
        let uses = dead::uses(&self.graph);
        if self.found.shared.iter().any(|&node| alone(self.graph.node(node), &uses)) {
            return false;
        }
        for id in self.found.made.iter().cloned().flatten().map(NodeId) {
            let node = self.graph.node(id).clone();
            if !dead::needed(&self.graph, &uses, Defined::Node(id, &node)) {
                continue;
            }
            let call = Call { results: Vec::new(), ..self.graph.call(id) };
            let alone = alone(&node, &uses);
            // What a law makes here is needed by no result, so the next round leaves it out.
            let mut b = Builder::new(&mut self.graph, node.origin);
            if lawful(&mut b, laws.of(&node), &node, &call, alone).is_some() {
                return false;
            }
            let key = (node.op.name(), AttributeKey(call.attributes), call.operands);
            if self.found.known.insert(key, id).is_some() {
                return false;
            }
        }
        true
    }
}

/// The laws about each op, looked up once.
#[derive(Default)]
struct LawsOfOps(FxHashMap<&'static str, Vec<&'static Law>>);

impl LawsOfOps {
    /// The laws about a node's op, in the order in which they are tried.
    fn of(&mut self, node: &Node) -> &[&'static Law] {
        let about = || LAWS.iter().filter(|law| law.concerns(node.op)).collect();
        self.0.entry(node.op.name()).or_insert_with(about)
    }
}

/// Whether nothing else uses the operands of a node.
fn alone(node: &Node, uses: &[usize]) -> bool {
    node.operands.iter().all(|operand| uses[operand.0] <= 1)
}

/// What the first of these laws that holds puts in the place of a node; `alone` if nothing else uses its operands.
fn lawful(b: &mut Builder<'_>, laws: &[&Law], node: &Node, call: &Call, alone: bool) -> Option<ValueId> {
    let mut laws = laws.iter().filter(|law| alone || !law.alone);
    let value = laws.find_map(|law| (law.apply)(b, node.op, call))?;
    // Two extents may be equal by a check only: then the value is the same, but its type is written differently.
    (b.ty(value) == &call.result_types[0]).then_some(value)
}
