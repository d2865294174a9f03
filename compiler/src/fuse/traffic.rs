//! Traffic: how many bytes move if a value lies in memory, and if its readers compute it.
//!
//! A producer and its readers enter; what leaves is whether the readers should take it in, as far as bytes decide. What the
//! producer reads may not lie in memory either while the producer does: it could be part of the producer, or of a kernel with
//! it. Such operands are written for the readers, unless these can take them in as well. Values of which that cannot be known
//! yet count as if they were in no memory, so that a fusion is refused rather than done for nothing.

use super::{Fusing, Reason, compose, is_contraction, legality};
use crate::graph::{Graph, Lowering, NodeId, ValueId};
use crate::nest::{Atom, Index, Nest, Read};
use std::collections::{BTreeMap, BTreeSet};

/// The nodes that read each value, be it through views.
pub(super) fn users(graph: &Graph, lowerings: &[Lowering]) -> BTreeMap<ValueId, BTreeSet<NodeId>> {
    let is_view = |node: NodeId| matches!(lowerings[node.0], Lowering::View(_));
    let shown = |mut value: ValueId| {
        while let Some((_, view)) = graph.producer(value).filter(|(node, _)| is_view(*node)) {
            value = view.operands[0];
        }
        value
    };
    let mut users: BTreeMap<ValueId, BTreeSet<NodeId>> = BTreeMap::new();
    for (id, node) in graph.nodes().filter(|(id, _)| !is_view(*id)) {
        for &operand in &node.operands {
            users.entry(shown(operand)).or_default().insert(id);
        }
    }
    users
}

impl Fusing<'_> {
    /// Whether fewer bytes move if these readers compute a producer. With it, they take in what only it reads and what is
    /// elementwise too, as long as all of that `fits`.
    pub(super) fn moves_less(
        &self,
        producer: &Nest,
        readers: &[(usize, usize)],
        fits: impl Fn(&Nest) -> bool,
    ) -> Result<(), Reason> {
        let producer = self.with_own_operands(producer, fits);
        let stored = producer.extents.iter().product::<usize>() * producer.dtype.size();
        let (mut kept, mut inlined) = (stored, 0);
        let mut operands = BTreeSet::new();
        for read in &producer.reads {
            let value = ValueId(read.operand);
            match self.lies_in_memory(value) {
                true => kept += self.bytes(&producer, read),
                false if operands.insert(value) && !self.is_literal(value) => inlined += self.size(value),
                false => {}
            }
        }
        for &(draft, read) in readers {
            let consumer = &self.drafts[draft].nest;
            kept += self.bytes(consumer, &consumer.reads[read]);
            let composed = compose::inlined(consumer, read, &producer);
            let new = composed.reads.iter().filter(|read| !consumer.reads.contains(read));
            inlined += new.map(|read| self.bytes(&composed, read)).sum::<usize>();
        }
        if inlined < kept { Ok(()) } else { Err(Reason::MovesNoLess { kept, inlined }) }
    }

    /// The nest with all elementwise operands that nobody else reads, as long as it fits.
    fn with_own_operands(&self, nest: &Nest, fits: impl Fn(&Nest) -> bool) -> Nest {
        let mut nest = nest.clone();
        while let Some(larger) = (0..nest.reads.len()).find_map(|read| {
            let own = self.own_operand(ValueId(nest.reads[read].operand))?;
            legality::may_inline(&own, &nest, read).ok()?;
            Some(compose::inlined(&nest, read, &own)).filter(&fits)
        }) {
            nest = larger;
        }
        nest
    }

    /// What computes a value that has one user, or is no work.
    fn own_operand(&self, value: ValueId) -> Option<Nest> {
        let (node, made) = self.graph.producer(value)?;
        let Lowering::Nest(nest) = &self.lowerings[node.0] else { return None };
        let own = self.is_literal(value) || self.users.get(&value).is_some_and(|users| users.len() == 1);
        let whole = nest.reducer.is_none() && !self.wanted.contains(&value);
        (own && whole).then(|| self.resolved(nest.clone(), &made.operands))
    }

    /// Whether a value is in memory whatever becomes of one of its readers.
    fn lies_in_memory(&self, value: ValueId) -> bool {
        let several = self.users.get(&value).is_some_and(|users| users.len() > 1);
        let multiplied = || self.users.get(&value).is_some_and(|users| users.iter().any(|&user| self.multiplies(user)));
        let made = || self.graph.producer(value).is_some_and(|(node, _)| self.multiplies(node));
        self.graph.as_leaf(value).is_some() || self.wanted.contains(&value) || several && (made() || multiplied())
    }

    fn multiplies(&self, node: NodeId) -> bool {
        matches!(&self.lowerings[node.0], Lowering::Nest(nest) if is_contraction(nest))
    }

    /// Whether a value is part of whoever reads it.
    fn is_literal(&self, value: ValueId) -> bool {
        let lowering = self.graph.producer(value).map(|(node, _)| &self.lowerings[node.0]);
        matches!(lowering, Some(Lowering::Nest(nest)) if nest.reads.is_empty() && nest.reducer.is_none())
    }

    fn size(&self, value: ValueId) -> usize {
        let ty = self.graph.ty(value);
        ty.known_shape().iter().product::<usize>() * ty.dtype.size()
    }

    /// How many bytes of an operand a nest reads.
    fn bytes(&self, nest: &Nest, read: &Read) -> usize {
        let value = ValueId(read.operand);
        if self.is_literal(value) {
            return 0;
        }
        let moves = |axis: &usize| read.index.iter().any(|index| moves(nest, index, *axis));
        let points = (0..nest.extents.len()).filter(moves).map(|axis| nest.extents[axis]);
        let elements = points.fold(1usize, |points, extent| points.saturating_mul(extent));
        elements.saturating_mul(read.dtype.size()).min(self.size(value))
    }
}

/// Whether an index changes along an axis, by itself or by what it gathers.
fn moves(nest: &Nest, index: &Index, axis: usize) -> bool {
    let gathered = |read: usize| nest.reads[read].index.iter().any(|index| index.uses(axis));
    index.uses(axis) || index.any(&mut |atom| matches!(atom, Atom::Gathered { read, .. } if gathered(*read)))
}
