//! Scans, reduced to what is needed of them.
//!
//! The body of a scan is a graph of its own and simplified as such. Results of the scan that nobody uses go, with the carries
//! that only lead to themselves and the operands that the body no longer reads; of two results that are the same value of the
//! body one stays.

use super::{dead, simplify};
use crate::graph::{Defined, Graph, Node, Region, Rewriter, ValueId, between};
use crate::ops::{Turns, scan};
use std::collections::BTreeSet;

/// The graph with its scans reduced; `None` if there is nothing to take away.
pub(super) fn reduced(graph: &Graph) -> Option<Graph> {
    let is_scan = |node: &Node| node.op.name() == "scan";
    if !graph.nodes().any(|(_, node)| is_scan(node)) {
        return None;
    }
    let uses = dead::uses(graph);
    let mut changed = false;
    let mut rewriter = Rewriter::new(graph);
    rewriter.copy_checks();
    for defined in graph.definitions() {
        match defined {
            Defined::Leaf(id, ty) => rewriter.leaf(id, ty.clone()),
            Defined::Node(_, node) if is_scan(node) => {
                let used: Vec<bool> = node.results.iter().map(|result| uses[result.0] > 0).collect();
                let turns = Turns::of(&node.attributes);
                let reduced = Reduced::new(&turns, &used);
                changed |= reduced.turns != turns;
                reduced.apply(&mut rewriter, node);
            }
            Defined::Node(_, node) => {
                rewriter.copy(node);
            }
        }
    }
    changed.then(|| rewriter.finish())
}

/// What is left of a scan.
struct Reduced {
    turns: Turns,
    /// The operands that stay, by position.
    operands: Vec<usize>,
    /// For each result, which one is in its place.
    results: Vec<Option<usize>>,
}

impl Reduced {
    fn new(turns: &Turns, used: &[bool]) -> Reduced {
        let turns = Turns { body: Region::new(simplify(turns.body.graph())), ..turns.clone() };
        let (arguments, results) = (turns.arguments(), turns.results());
        let mut stacks: Vec<ValueId> = Vec::new();
        for (&result, _) in results.iter().zip(used).skip(turns.carries).filter(|(_, used)| **used) {
            if !stacks.contains(&result) {
                stacks.push(result);
            }
        }
        let carried: Vec<usize> = (0..turns.carries).filter(|&carry| used[carry]).collect();
        let (carried, read) = needed(&turns, carried, &stacks);
        let place = |(position, result): (usize, &ValueId)| match position < turns.carries {
            true => carried.iter().position(|&carry| carry == position),
            false => stacks.iter().position(|stack| stack == result).map(|stack| carried.len() + stack),
        };
        let places = results.iter().enumerate().map(place).collect();
        let is_kept = |position: &usize| match *position < turns.carries {
            true => carried.contains(position),
            false => read.contains(&arguments[*position]),
        };
        let operands: Vec<usize> = (0..arguments.len()).filter(is_kept).collect();
        let inside: Vec<ValueId> = operands.iter().map(|&operand| arguments[operand]).collect();
        let next: Vec<ValueId> = carried.iter().map(|&carry| results[carry]).chain(stacks).collect();
        let sliced = turns.carries..turns.carries + turns.slices;
        let turns = Turns {
            body: between(turns.body.graph(), &inside, &next),
            carries: carried.len(),
            slices: operands.iter().filter(|operand| sliced.contains(operand)).count(),
            ..turns
        };
        Reduced { turns, operands, results: places }
    }

    /// Puts it in the place of a node.
    fn apply(&self, rewriter: &mut Rewriter<'_>, node: &Node) {
        let operands = rewriter.call(node).operands;
        let operands: Vec<ValueId> = self.operands.iter().map(|&operand| operands[operand]).collect();
        let mut b = rewriter.builder(node.origin);
        let results = scan(&mut b, &self.turns, &operands);
        let results: Vec<Option<ValueId>> = self.results.iter().map(|place| place.map(|at| results[at])).collect();
        rewriter.define_used(node, &results);
    }
}

/// The carries that these and the stacks need, and the arguments of the body that all of them read.
fn needed(turns: &Turns, mut carried: Vec<usize>, stacks: &[ValueId]) -> (Vec<usize>, BTreeSet<ValueId>) {
    let (arguments, results) = (turns.arguments(), turns.results());
    loop {
        let wanted: Vec<ValueId> = carried.iter().map(|&carry| results[carry]).chain(stacks.iter().copied()).collect();
        let read = leaves(turns.body.graph(), wanted);
        let more = (0..turns.carries).filter(|carry| read.contains(&arguments[*carry]) && !carried.contains(carry));
        let more: Vec<usize> = more.collect();
        if more.is_empty() {
            return (carried, read);
        }
        carried.extend(more);
        carried.sort();
    }
}

/// The leaves that lead to these values.
fn leaves(graph: &Graph, mut open: Vec<ValueId>) -> BTreeSet<ValueId> {
    let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
    while let Some(value) = open.pop() {
        match graph.producer(value) {
            None => drop(found.insert(value)),
            Some((id, node)) if seen.insert(id) => open.extend(&node.operands),
            Some(_) => {}
        }
    }
    found
}
