//! Fusion: from a graph to groups, each of which becomes one kernel.
//!
//! What enters is a graph with known extents whose nodes all lower to nests or views. What leaves is a list of [`Group`]s in
//! launch order. Invariants: a group reads leaves and results of earlier groups only, never a view: a read of a view is a
//! read of what it shows, through composed indices. Every result and every next value of the graph has a group that writes
//! it (a leaf or a view is copied there). Literals, nests that read nothing, are part of whoever reads them.
//!
//! Two things are decided, one after the other. First, which nodes one nest computes: producers become part of the nest that
//! reads them, and what follows a product of matrices its epilogue. What is inlined is decided by [`legality`] (may) and
//! [`profit`] (should), which do not know of each other. The nodes are visited from the last to the first, so that all
//! readers of a value are nests already when it is decided whether the value needs memory. Then, which nests run as parts of
//! one kernel, and over which axes together.

mod cluster;
mod compose;
mod inlining;
pub mod legality;
mod print;
pub mod profit;
mod refusal;
mod rows;
mod scan;
mod traffic;

pub(crate) use compose::copy;
pub use print::print;
pub use refusal::{Reason, Refusal};
pub use scan::Scan;

use crate::graph::{Graph, Lowering, NodeId, Origin, Role, ValueId};
use crate::nest::{Index, Nest};
use cluster::{Cluster, clusters, is_contraction};
use std::collections::{BTreeMap, BTreeSet};

/// Which kinds of fusion are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fusion {
    /// An elementwise producer with one reader becomes part of that reader if it is elementwise too.
    pub elementwise: bool,
    /// A producer with one reader becomes part of that reader if it is a reduction, unless it is a product of matrices.
    pub reductions: bool,
    /// What a product of matrices is used for, element by element and once, becomes its epilogue: a bias, an activation, an
    /// update of the parameter that it is the gradient of.
    pub epilogues: bool,
    /// What turns one row after the other runs as one kernel over the rows: softmax, layer norm, their gradients, and sums
    /// over the rows.
    pub rows: bool,
    /// Elementwise kernels over the same extents that share values run as one: a parameter's update with those of its slots.
    pub siblings: bool,
    /// Small elementwise kernels that do not wait for each other run as one, whatever they share: the updates of many small
    /// parameters.
    pub neighbours: bool,
    /// What updates a parameter and its slots runs in the product of matrices that makes the gradient, tile by tile: the
    /// gradient then is nowhere in memory. An update with one result is an epilogue.
    pub updates: bool,
    /// A cheap elementwise producer with several readers is computed again in each of them, if that moves fewer bytes than
    /// its value does through memory.
    pub rematerialize: bool,
    /// An elementwise producer with one reader becomes part of that reader's factor if the reader is a product of matrices
    /// that runs in tiles, and if that moves fewer bytes: each element is computed once, when the factor is packed.
    pub prologues: bool,
}

impl Fusion {
    /// No fusion: one kernel per op. The baseline of every speed and the oracle of every result.
    pub const fn none() -> Fusion {
        Fusion {
            elementwise: false,
            reductions: false,
            epilogues: false,
            rows: false,
            siblings: false,
            neighbours: false,
            updates: false,
            rematerialize: false,
            prologues: false,
        }
    }
}

impl Default for Fusion {
    /// Everything on.
    fn default() -> Fusion {
        Fusion {
            elementwise: true,
            reductions: true,
            epilogues: true,
            rows: true,
            siblings: true,
            neighbours: true,
            updates: true,
            rematerialize: true,
            prologues: true,
        }
    }
}

/// Nodes that are computed together, by one kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The extents of the axes that the parts run over together, outermost first. Nothing where there is one part, or where
    /// all parts are elementwise over the same extents.
    pub shared: Vec<usize>,
    /// What is computed, in order.
    pub parts: Vec<Part>,
    /// What is read: leaves, or results of earlier groups.
    pub operands: Vec<ValueId>,
    /// The nodes that are computed, in order of the graph; literals may be in several groups.
    pub nodes: Vec<NodeId>,
    /// The ops in order, for listings.
    pub label: String,
    /// Where the last op was written.
    pub origin: Origin,
    /// What runs once per turn, if this is a scan, which has no parts.
    pub scan: Option<Scan>,
}

/// One nest of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What is computed. Operand numbers of its reads are positions in the operands of the group, and behind those, positions
    /// of earlier parts.
    pub nest: Nest,
    /// Which axis of the nest each shared one is.
    pub axes: Vec<usize>,
    /// What it computes. A leaf here means a copy of the leaf as it was before the step.
    pub result: ValueId,
    /// Whether the result is in memory after the launch.
    pub kept: bool,
}

impl Group {
    /// What is in memory after the launch.
    pub fn results(&self) -> impl Iterator<Item = ValueId> {
        let scanned = self.scan.iter().flat_map(|scan| scan.results.iter().copied().flatten());
        self.parts.iter().filter(|part| part.kept).map(|part| part.result).chain(scanned)
    }
}

/// The groups of a graph in launch order.
pub fn fuse(graph: &Graph, fusion: &Fusion) -> Vec<Group> {
    fuse_explained(graph, fusion).0
}

/// The groups of a graph in launch order, and what was not fused and why.
pub fn fuse_explained(graph: &Graph, fusion: &Fusion) -> (Vec<Group>, Vec<Refusal>) {
    fuse_for(graph, fusion, false)
}

/// The same for a GPU, if it is one, where the threads of a block share what runs over rows.
pub fn fuse_for(graph: &Graph, fusion: &Fusion, gpu: bool) -> (Vec<Group>, Vec<Refusal>) {
    let mut fusing = Fusing::new(graph, fusion, gpu);
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
    /// What it computes of values that other drafts compute too, in additions per point.
    repeated: usize,
    /// What runs once per turn, if this is a scan.
    scan: Option<Scan>,
}

struct Fusing<'g> {
    graph: &'g Graph,
    fusion: &'g Fusion,
    gpu: bool,
    lowerings: Vec<Lowering>,
    /// Values that must be in memory after the step.
    wanted: BTreeSet<ValueId>,
    /// Those among them that are there for scans.
    scanned: BTreeSet<ValueId>,
    /// In reverse launch order.
    drafts: Vec<Draft>,
    /// Drafts that read a value, or did before something was inlined.
    readers: BTreeMap<ValueId, BTreeSet<usize>>,
    refusals: Vec<Refusal>,
    /// The nodes that read a value, be it through views.
    users: BTreeMap<ValueId, BTreeSet<NodeId>>,
}

impl<'g> Fusing<'g> {
    fn new(graph: &'g Graph, fusion: &'g Fusion, gpu: bool) -> Fusing<'g> {
        let unchanged = |role: &Role, value| matches!(role, Role::Next(leaf) if *leaf == value);
        let lowerings: Vec<Lowering> = graph.nodes().map(|(id, node)| node.op.lower(&graph.call(id))).collect();
        Fusing {
            graph,
            fusion,
            gpu,
            users: traffic::users(graph, &lowerings),
            lowerings,
            wanted: graph.results.iter().filter(|r| !unchanged(&r.role, r.value)).map(|r| r.value).collect(),
            scanned: BTreeSet::new(),
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
            Lowering::Scan => return self.scan(node),
            Lowering::Expand => panic!("`expand` replaces every op that is made of others before fusion"),
        };
        let readers = self.reads_of(value);
        if !wanted && readers.is_empty() {
            return;
        }
        let nest = self.resolved(nest, &self.graph.node(node).operands);
        let inlined = match nest.reads.is_empty() && nest.reducer.is_none() {
            true => self.inline_literal(node, &nest, &readers),
            false => {
                self.follow(node, &nest, &readers, wanted) || self.inline_everywhere(node, &nest, &readers, wanted)
            }
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

    /// Makes the only reader of a product of matrices its epilogue, if it is elementwise. Whether it was.
    fn follow(&mut self, node: NodeId, nest: &Nest, readers: &[(usize, usize)], wanted: bool) -> bool {
        let [(draft, read)] = *readers else { return false };
        let on = self.fusion.epilogues && !wanted && is_contraction(nest);
        if !on || !legality::may_follow(nest, &self.drafts[draft].nest, read) {
            return false;
        }
        let consumer = &mut self.drafts[draft];
        consumer.nest = compose::followed(nest, &consumer.nest, read);
        compose::tidy(&mut consumer.nest);
        consumer.nodes.push(node);
        self.note_reads(draft);
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
        self.drafts.push(Draft { nest, result, nodes: node.into_iter().collect(), origin, repeated: 0, scan: None });
        self.note_reads(self.drafts.len() - 1);
    }

    fn note_reads(&mut self, draft: usize) {
        for read in &self.drafts[draft].nest.reads {
            self.readers.entry(ValueId(read.operand)).or_default().insert(draft);
        }
    }

    fn finish(mut self) -> (Vec<Group>, Vec<Refusal>) {
        self.refusals.reverse();
        let drafts = self.needed();
        let updates: Vec<(ValueId, ValueId)> = self
            .graph
            .results
            .iter()
            .filter_map(|result| match result.role {
                Role::Next(leaf) => Some((result.value, leaf)),
                _ => None,
            })
            .collect();
        let (clusters, apart) = clusters(&drafts, &updates, self.fusion, self.gpu);
        for (producer, consumer, reason) in apart {
            let [producer, consumer] = [producer, consumer].map(|at| drafts[at].nodes.first().copied());
            self.refusals.extend(producer.zip(consumer).map(|(producer, consumer)| Refusal {
                producer,
                consumer,
                reason,
            }));
        }
        (clusters.iter().map(|cluster| self.group(&drafts, cluster)).collect(), self.refusals)
    }

    /// The drafts in launch order, without those that nobody reads any more since an index turned out to be fixed.
    fn needed(&mut self) -> Vec<Draft> {
        let mut read = BTreeSet::new();
        let mut drafts: Vec<Draft> = Vec::new();
        for draft in std::mem::take(&mut self.drafts) {
            if draft.results().iter().any(|result| self.wanted.contains(result) || read.contains(&result.0)) {
                read.extend(draft.nest.reads.iter().map(|read| read.operand));
                drafts.push(draft);
            }
        }
        drafts.reverse();
        drafts
    }

    fn group(&self, drafts: &[Draft], cluster: &Cluster) -> Group {
        if let [(at, _)] = cluster.members[..]
            && let Some(scan) = &drafts[at].scan
        {
            return self.scan_group(&drafts[at], scan);
        }
        let kept = cluster::kept(drafts, cluster, &self.wanted);
        let made: Vec<ValueId> = cluster.members.iter().map(|(at, _)| drafts[*at].result).collect();
        let mut operands: Vec<ValueId> = Vec::new();
        let read = cluster.members.iter().flat_map(|(at, _)| &drafts[*at].nest.reads);
        for value in read.map(|read| ValueId(read.operand)) {
            // A copy of a leaf reads the leaf, not itself.
            let inside = made.contains(&value) && self.graph.as_leaf(value).is_none();
            if !inside && !operands.contains(&value) {
                operands.push(value);
            }
        }
        let number = |value: ValueId| match made.iter().position(|&made| made == value) {
            Some(part) if !operands.contains(&value) => operands.len() + part,
            _ => operands.iter().position(|&operand| operand == value).expect("what is read is an operand or a part"),
        };
        let part = |((at, axes), kept): (&(usize, Vec<usize>), bool)| {
            let Draft { nest, result, .. } = &drafts[*at];
            let mut nest = nest.clone();
            nest.reads.iter_mut().for_each(|read| read.operand = number(ValueId(read.operand)));
            Part { nest, axes: axes.clone(), result: *result, kept }
        };
        let parts = cluster.members.iter().zip(kept).map(part).collect();
        let mut nodes: Vec<NodeId> = cluster.members.iter().flat_map(|(at, _)| drafts[*at].nodes.clone()).collect();
        nodes.sort();
        nodes.dedup();
        let (last, _) = cluster.members.last().expect("a cluster has a member");
        Group {
            shared: cluster.shared.clone(),
            label: self.label(&nodes),
            parts,
            operands,
            nodes,
            origin: drafts[*last].origin,
            scan: None,
        }
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
