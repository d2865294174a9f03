//! Fusion: from a graph to groups, each of which becomes one kernel.
//!
//! What enters is a graph with known extents whose nodes all lower to nests or views. What leaves is a list of [`Group`]s in
//! launch order. Invariants: a group reads leaves and results of earlier groups only, never a view: a read of a view is a
//! read of what it shows, through composed indices. Every result and every next value of the graph has a group that writes
//! it (a leaf or a view is copied there). Literals, nests that read nothing, are part of whoever reads them. What is inlined
//! beyond that is decided by [`legality`] (may) and [`profit`] (should), which do not know of each other.
//!
//! The nodes are visited from the last to the first, so that all readers of a value are groups already when it is decided
//! whether the value needs memory.

mod compose;
pub mod legality;
mod print;
pub mod profit;

pub(crate) use compose::copy;
pub use print::print;

use crate::graph::{Graph, Lowering, NodeId, Origin, Role, ValueId};
use crate::nest::{Index, Nest};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Which kinds of fusion are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fusion {
    /// An elementwise producer with one reader becomes part of that reader if it is elementwise too.
    pub elementwise: bool,
}

impl Fusion {
    /// No fusion: one kernel per op. The baseline of every speed and the oracle of every result.
    pub fn none() -> Fusion {
        Fusion { elementwise: false }
    }
}

impl Default for Fusion {
    /// Everything on.
    fn default() -> Fusion {
        Fusion { elementwise: true }
    }
}

/// Nodes that are computed together, by one nest.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What is computed; operand numbers of its reads are positions in `operands`.
    pub nest: Nest,
    /// What is read: leaves, or results of earlier groups.
    pub operands: Vec<ValueId>,
    /// What is written. A leaf here means a copy of the leaf as it was before the step.
    pub result: ValueId,
    /// The nodes that are computed, in order of the graph; literals may be in several groups.
    pub nodes: Vec<NodeId>,
    /// The ops in order, for listings.
    pub label: String,
    /// Where the last op was written.
    pub origin: Origin,
}

/// A fusion that did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The node that stays a kernel.
    pub producer: NodeId,
    /// The last node of the group that reads it.
    pub consumer: NodeId,
    /// Why.
    pub reason: Reason,
}

/// Why a producer is not inlined into its consumer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// The value must be in memory anyway.
    #[error("the value is a result of the step")]
    Result,
    /// Inlining would compute it more than once.
    #[error("the value is read {0} times")]
    SeveralReads(usize),
    /// A reduction cannot be recomputed for every element of a consumer.
    #[error("the producer reduces")]
    ProducerReduces,
    /// A consumer that reduces takes its operands from memory.
    #[error("the consumer reduces")]
    ConsumerReduces,
    /// An index is an element of an array.
    #[error("the consumer uses the value as an index")]
    UsedAsIndex,
    /// Only one index of a read may be a value.
    #[error("the consumer gathers from the value, which gathers itself")]
    NestedGather,
    /// Every element would be computed once per reader.
    #[error("the consumer repeats the value: {points} evaluations instead of {elements}")]
    Recomputed {
        /// Elements of the producer.
        elements: usize,
        /// Points of the consumer.
        points: usize,
    },
    /// The kernel would need too many registers.
    #[error("the kernel would have {0} operations")]
    TooLarge(usize),
}

/// The groups of a graph in launch order.
pub fn fuse(graph: &Graph, fusion: &Fusion) -> Vec<Group> {
    fuse_explained(graph, fusion).0
}

/// The groups of a graph in launch order, and what was not fused and why.
pub fn fuse_explained(graph: &Graph, fusion: &Fusion) -> (Vec<Group>, Vec<Refusal>) {
    let mut fusing = Fusing::new(graph, fusion);
    for (node, _) in graph.nodes().rev() {
        fusing.visit(node);
    }
    for (leaf, ..) in graph.leaves() {
        if fusing.wanted.contains(&leaf) {
            fusing.copy(leaf, None);
        }
    }
    fusing.finish()
}

/// A group that still grows. Operand numbers of its reads are value numbers of the graph.
struct Draft {
    nest: Nest,
    result: ValueId,
    nodes: Vec<NodeId>,
    origin: Origin,
}

struct Fusing<'g> {
    graph: &'g Graph,
    fusion: &'g Fusion,
    lowerings: Vec<Lowering>,
    /// Values that must be in memory after the step.
    wanted: BTreeSet<ValueId>,
    /// In reverse launch order.
    drafts: Vec<Draft>,
    /// Drafts that read a value, or did before something was inlined.
    readers: BTreeMap<ValueId, BTreeSet<usize>>,
    refusals: Vec<Refusal>,
}

impl<'g> Fusing<'g> {
    fn new(graph: &'g Graph, fusion: &'g Fusion) -> Fusing<'g> {
        let unchanged = |role: &Role, value| matches!(role, Role::Next(leaf) if *leaf == value);
        Fusing {
            graph,
            fusion,
            lowerings: graph.nodes().map(|(id, node)| node.op.lower(&graph.call(id))).collect(),
            wanted: graph.results.iter().filter(|r| !unchanged(&r.role, r.value)).map(|r| r.value).collect(),
            drafts: Vec::new(),
            readers: BTreeMap::new(),
            refusals: Vec::new(),
        }
    }

    /// Makes a node part of the groups that read it, a group of its own, or nothing if nobody wants it.
    fn visit(&mut self, node: NodeId) {
        let value = self.graph.node(node).results[0];
        let wanted = self.wanted.contains(&value);
        let nest = match &self.lowerings[node.0] {
            Lowering::View(_) if wanted => return self.copy(value, Some(node)),
            Lowering::View(_) => return,
            Lowering::Nest(nest) => nest.clone(),
            Lowering::Expand => panic!("`expand` replaces every op that is made of others before fusion"),
        };
        let readers = self.reads_of(value);
        if !wanted && readers.is_empty() {
            return;
        }
        let nest = self.resolved(nest, &self.graph.node(node).operands);
        let inlined = match nest.reads.is_empty() && nest.reducer.is_none() {
            true => self.inline_literal(node, &nest, &readers),
            false => self.inline_once(node, &nest, &readers, wanted),
        };
        if wanted || !inlined {
            self.add(nest, value, Some(node));
        }
    }

    /// The nest with its reads naming values of the graph, none of them a view.
    fn resolved(&self, mut nest: Nest, operands: &[ValueId]) -> Nest {
        nest.reads.iter_mut().for_each(|read| read.operand = operands[read.operand].0);
        compose::see_through(&mut nest, |value| self.view(ValueId(value)));
        compose::tidy(&mut nest);
        nest
    }

    /// What a view shows, and through which indices.
    fn view(&self, value: ValueId) -> Option<(usize, &[Index])> {
        let (node, made) = self.graph.producer(value)?;
        match &self.lowerings[node.0] {
            Lowering::View(index) => Some((made.operands[0].0, index)),
            _ => None,
        }
    }

    /// Every read of a value: draft and read number.
    fn reads_of(&self, value: ValueId) -> Vec<(usize, usize)> {
        let drafts = self.readers.get(&value).into_iter().flatten();
        let reads = |&draft: &usize| {
            let reads = self.drafts[draft].nest.reads.iter().enumerate();
            reads.filter(|(_, read)| read.operand == value.0).map(move |(read, _)| (draft, read)).collect::<Vec<_>>()
        };
        drafts.flat_map(reads).collect()
    }

    /// A literal is no work: it becomes part of every reader, except where it is an index. Whether none is left.
    fn inline_literal(&mut self, node: NodeId, nest: &Nest, readers: &[(usize, usize)]) -> bool {
        let mut all = true;
        // Backwards, since inlining a read renumbers the later ones of the same draft.
        for &(draft, read) in readers.iter().rev() {
            match legality::may_inline(nest, &self.drafts[draft].nest, read) {
                Ok(()) => self.inline(node, nest, draft, read),
                Err(_) => all = false,
            }
        }
        all
    }

    /// Inlines a producer into its only reader if that may and should be. Whether it was.
    fn inline_once(&mut self, node: NodeId, nest: &Nest, readers: &[(usize, usize)], wanted: bool) -> bool {
        if !self.fusion.elementwise {
            return false;
        }
        let decision = match readers {
            _ if wanted => Err(Reason::Result),
            [(draft, read)] => {
                let consumer = &self.drafts[*draft].nest;
                legality::may_inline(nest, consumer, *read)
                    .and_then(|()| profit::should_inline(nest, consumer))
                    .map(|()| (*draft, *read))
            }
            several => Err(Reason::SeveralReads(several.len())),
        };
        match decision {
            Ok((draft, read)) => self.inline(node, nest, draft, read),
            Err(reason) => return self.refuse(node, readers, reason),
        }
        true
    }

    fn refuse(&mut self, producer: NodeId, readers: &[(usize, usize)], reason: Reason) -> bool {
        let consumers: BTreeSet<NodeId> =
            readers.iter().filter_map(|(draft, _)| self.drafts[*draft].nodes.first().copied()).collect();
        let refusal = |consumer| Refusal { producer, consumer, reason: reason.clone() };
        self.refusals.extend(consumers.into_iter().map(refusal));
        false
    }

    fn inline(&mut self, node: NodeId, producer: &Nest, draft: usize, read: usize) {
        let consumer = &mut self.drafts[draft];
        compose::inline(&mut consumer.nest, read, producer);
        compose::tidy(&mut consumer.nest);
        consumer.nodes.push(node);
        self.note_reads(draft);
    }

    /// Adds a group that copies a value.
    fn copy(&mut self, value: ValueId, node: Option<NodeId>) {
        let ty = self.graph.ty(value);
        let nest = self.resolved(copy(ty.dtype, &ty.known_shape()), &[value]);
        self.add(nest, value, node);
    }

    fn add(&mut self, nest: Nest, result: ValueId, node: Option<NodeId>) {
        let origin = node.map(|node| self.graph.node(node).origin).unwrap_or_default();
        self.drafts.push(Draft { nest, result, nodes: node.into_iter().collect(), origin });
        self.note_reads(self.drafts.len() - 1);
    }

    fn note_reads(&mut self, draft: usize) {
        for read in &self.drafts[draft].nest.reads {
            self.readers.entry(ValueId(read.operand)).or_default().insert(draft);
        }
    }

    fn finish(mut self) -> (Vec<Group>, Vec<Refusal>) {
        self.refusals.reverse();
        let drafts = std::mem::take(&mut self.drafts);
        (drafts.into_iter().rev().map(|draft| self.group(draft)).collect(), self.refusals)
    }

    fn group(&self, draft: Draft) -> Group {
        let Draft { mut nest, result, mut nodes, origin } = draft;
        let mut operands: Vec<ValueId> = Vec::new();
        for read in &mut nest.reads {
            let value = ValueId(read.operand);
            read.operand = operands.iter().position(|&operand| operand == value).unwrap_or_else(|| {
                operands.push(value);
                operands.len() - 1
            });
        }
        nodes.sort();
        nodes.dedup();
        Group { label: self.label(&nodes), nest, operands, result, nodes, origin }
    }

    /// The ops of a group; literals only where there is nothing else.
    fn label(&self, nodes: &[NodeId]) -> String {
        let work = |node: &&NodeId| match &self.lowerings[node.0] {
            Lowering::Nest(nest) => !nest.reads.is_empty(),
            _ => false,
        };
        let name = |node: &NodeId| self.graph.node(*node).op.name();
        let mut names: Vec<&str> = nodes.iter().filter(work).map(name).collect();
        if names.is_empty() {
            names = nodes.iter().map(name).collect();
        }
        if names.is_empty() { "copy".to_string() } else { names.join("+") }
    }
}
