//! Scans: what runs once per turn is fused by itself, and nothing is fused with what is around it.

use super::{Draft, Fusing, Group, Refusal, fuse_for};
use crate::graph::{NodeId, ValueId};
use crate::nest::{Body, Index, Nest, Read};
use crate::ops::Turns;

/// What a scan runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// The scan.
    pub turns: Turns,
    /// The results of the scan that are needed.
    pub results: Vec<Option<ValueId>>,
    /// The groups of its body, in launch order. Values are those of the body.
    pub groups: Vec<Group>,
    /// What was not fused in the body and why.
    pub refusals: Vec<Refusal>,
}

impl Fusing<'_> {
    /// Makes a scan a group of its own if something needs it. It reads whole arrays from memory, no views.
    pub(super) fn scan(&mut self, node: NodeId) {
        let (graph, made) = (self.graph, self.graph.node(node));
        let used = |&value: &ValueId| self.wanted.contains(&value) || !self.reads_of(value).is_empty();
        let results: Vec<Option<ValueId>> = made.results.iter().map(|value| used(value).then_some(*value)).collect();
        if results.iter().all(Option::is_none) {
            return;
        }
        for &operand in made.operands.iter().filter(|&&operand| graph.as_leaf(operand).is_none()) {
            self.wanted.insert(operand);
            self.scanned.insert(operand);
        }
        let turns = Turns::of(&made.attributes);
        let (groups, refusals) = fuse_for(turns.body.graph(), self.fusion, self.gpu);
        let read = |&operand: &ValueId| {
            let ty = graph.ty(operand);
            Read { operand: operand.0, dtype: ty.dtype, index: (0..ty.rank()).map(Index::axis).collect() }
        };
        // What the draft reads is known, and nothing becomes part of it.
        let nest = Nest {
            extents: vec![0],
            outputs: 1,
            reads: made.operands.iter().map(read).collect(),
            body: Body::default(),
            reducer: None,
            epilogue: None,
            dtype: graph.dtype(made.results[0]),
        };
        let scan = Some(Scan { turns, results, groups, refusals });
        let (result, nodes, origin) = (made.results[0], vec![node], made.origin);
        self.drafts.push(Draft { nest, result, nodes, origin, repeated: 0, scan });
    }

    /// The group of a scan.
    pub(super) fn scan_group(&self, draft: &Draft, scan: &Scan) -> Group {
        let made = self.graph.node(draft.nodes[0]);
        Group {
            shared: Vec::new(),
            parts: Vec::new(),
            operands: made.operands.clone(),
            nodes: draft.nodes.clone(),
            label: made.op.name().to_string(),
            origin: draft.origin,
            scan: Some(scan.clone()),
        }
    }
}

impl Draft {
    /// What it makes.
    pub(super) fn results(&self) -> Vec<ValueId> {
        match &self.scan {
            Some(scan) => scan.results.iter().copied().flatten().collect(),
            None => vec![self.result],
        }
    }
}
