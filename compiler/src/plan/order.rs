//! The order of launches, and which next values are written straight into their leaves.
//!
//! A group may write the next value of a leaf into the leaf's own memory when every other group that reads the old value
//! can run before it. Each such decision adds "reader before writer" to what the data already demands; one that would close
//! a circle (`a <- b, b <- a`) is not taken, and the value goes through the workspace. Groups then run in their given order
//! except where that must wait: a writer moves behind the last reader of the old value and no further.

use crate::fuse::{Group, Part};
use crate::graph::{Graph, GraphResult, Role, ValueId};
use crate::nest::{Index, Read, Scalar};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// What was decided about groups.
pub(super) struct Order {
    /// Positions of the groups in launch order.
    pub launches: Vec<usize>,
    /// For each group, in the given order, and each of its parts: the leaf whose memory it writes.
    pub in_place: Vec<Vec<Option<ValueId>>>,
}

/// Decides on the order of groups and on what is updated in place.
pub(super) fn order(graph: &Graph, groups: &[Group]) -> Order {
    let mut after = dependents(graph, groups);
    let mut in_place = Vec::new();
    for (writer, group) in groups.iter().enumerate() {
        let mut leaf = |part: &Part| {
            let leaf = part.kept.then(|| written_leaf(graph, part.result)).flatten();
            let leaf = leaf.filter(|&leaf| reads_only_what_it_writes(group, part, leaf));
            leaf.filter(|&leaf| waits(&mut after, groups, writer, leaf))
        };
        in_place.push(group.parts.iter().map(&mut leaf).collect());
    }
    Order { launches: sorted(&after), in_place }
}

/// For each group, the groups that read its result.
fn dependents(graph: &Graph, groups: &[Group]) -> Vec<BTreeSet<usize>> {
    let results = groups.iter().enumerate().flat_map(|(at, group)| group.results().map(move |result| (result, at)));
    let made: BTreeMap<ValueId, usize> = results.collect();
    let mut after = vec![BTreeSet::new(); groups.len()];
    for (reader, group) in groups.iter().enumerate() {
        // A leaf is read from its own memory, even where a group copies it.
        for operand in group.operands.iter().filter(|&&operand| graph.as_leaf(operand).is_none()) {
            after[made[operand]].insert(reader);
        }
    }
    after
}

/// The leaf that a value is the next value of, if it is nothing else.
fn written_leaf(graph: &Graph, value: ValueId) -> Option<ValueId> {
    let mut uses = graph.results.iter().filter(|result| result.value == value && !unchanged(result));
    match (uses.next().map(|result| &result.role), uses.next()) {
        (Some(Role::Next(leaf)), None) => match graph.as_leaf(*leaf) {
            Some(kept) if kept.is_kept() => Some(*leaf),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a result says that a leaf stays what it is.
pub(super) fn unchanged(result: &GraphResult) -> bool {
    matches!(result.role, Role::Next(leaf) if leaf == result.value)
}

/// Whether each point of the group reads of the leaf at most the element that it writes, before it writes it. What is
/// reduced is read at other points too, an epilogue is not. Parts that run over rows have their points at different times.
fn reads_only_what_it_writes(group: &Group, writer: &Part, leaf: ValueId) -> bool {
    let is_leaf = |read: &Read| group.operands.get(read.operand) == Some(&leaf);
    group.parts.iter().all(|part| {
        let nest = &part.nest;
        let straight = |(axis, index): (usize, &Index)| match nest.extents[axis] {
            1 => *index == Index::constant(0),
            _ => *index == Index::axis(axis),
        };
        let reduced = |read: usize| nest.reducer.is_some() && nest.body.scalars.contains(&Scalar::Read(read));
        let mut reads = nest.reads.iter().enumerate().filter(|(_, read)| is_leaf(read));
        reads.all(|(number, read)| {
            (group.shared.is_empty() || part.result == writer.result)
                && !reduced(number)
                && read.index.len() == nest.outputs
                && read.index.iter().enumerate().all(straight)
        })
    })
}

/// Makes the writer wait for all other readers of the leaf; false, and nothing changed, if one of them waits for the writer.
fn waits(after: &mut [BTreeSet<usize>], groups: &[Group], writer: usize, leaf: ValueId) -> bool {
    let reads = |&reader: &usize| reader != writer && groups[reader].operands.contains(&leaf);
    let readers: Vec<usize> = (0..groups.len()).filter(reads).collect();
    let later = reachable(after, writer);
    if readers.iter().any(|reader| later.contains(reader)) {
        return false;
    }
    readers.into_iter().for_each(|reader| {
        after[reader].insert(writer);
    });
    true
}

fn reachable(after: &[BTreeSet<usize>], from: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(group) = open.pop() {
        open.extend(after[group].iter().filter(|&&next| found.insert(next)));
    }
    found
}

/// The topological order that keeps the given one where it can.
fn sorted(after: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut missing = vec![0; after.len()];
    after.iter().flatten().for_each(|&next| missing[next] += 1);
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..after.len()).filter(|&group| missing[group] == 0).map(Reverse).collect();
    let mut order = Vec::new();
    while let Some(Reverse(group)) = ready.pop() {
        order.push(group);
        for &next in &after[group] {
            missing[next] -= 1;
            if missing[next] == 0 {
                ready.push(Reverse(next));
            }
        }
    }
    assert_eq!(order.len(), after.len(), "no group waits for itself");
    order
}
