//! Clusters: which drafts run as parts of one kernel, over axes that they share.
//!
//! Drafts enter in launch order, each a nest whose reads name values of the graph. What leaves is a partition of them. The
//! members of a cluster are ordered as they were, and each says which of its axes the shared ones are. Invariants: no path
//! leads out of a cluster and back into it; a member reads of an earlier member only what stands at the same place of the
//! shared axes, and nothing of one that sums up along them.
//!
//! There are four kinds. What updates a parameter and its slots rides in the product of matrices that makes its gradient. Rows
//! share leading axes: softmax, layer norm and their gradients turn one row after the other, and
//! what a row needs of itself stays near the processor. Siblings share all their axes: an optimizer's update of a parameter
//! and its slots, or several values made of the same operands, are one loop. Neighbours share nothing: small elementwise
//! drafts that do not wait for each other, as the updates of many small parameters, save launches.

use super::compose::gathers;
use super::rows::{Kind, fits_a_block, has_rows, mappings, straight};
use super::{Draft, Fusion, Reason, profit};
use crate::graph::ValueId;
use crate::nest::{Nest, Read, Reducer, Scalar};
use crate::scalar::ScalarOp;
use std::collections::{BTreeMap, BTreeSet};

/// Drafts that become one kernel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cluster {
    /// The extents of the axes that all members share; nothing for siblings and for a draft alone.
    pub shared: Vec<usize>,
    /// Positions of the drafts, in order, and which axis of each the shared ones are.
    pub members: Vec<(usize, Vec<usize>)>,
}

/// Two drafts that could be one kernel, the earlier one first, and why they are not.
pub(super) type Apart = (usize, usize, Reason);

/// The clusters of drafts, of which some make the next values of leaves: pairs of a value and its leaf. Beside them what was
/// refused on the way.
pub(super) fn clusters(
    drafts: &[Draft],
    updates: &[(ValueId, ValueId)],
    fusion: &Fusion,
    gpu: bool,
) -> (Vec<Cluster>, Vec<Apart>) {
    let mut clustering = Clustering::new(drafts, updates, gpu);
    if fusion.updates {
        clustering.updates();
    }
    if fusion.rows {
        for shared in row_candidates(drafts) {
            clustering.cluster(&shared, Kind::Rows);
        }
    }
    if fusion.siblings {
        for shared in sibling_candidates(drafts) {
            clustering.cluster(&shared, Kind::Siblings);
        }
    }
    if fusion.neighbours {
        clustering.neighbours();
    }
    (clustering.clusters_in_order(), clustering.apart)
}

/// Whether a nest is a product of matrices: two of its reads are each used again along output axes that the other one
/// depends on. Such nests have schedules of their own.
pub(super) fn is_contraction(nest: &Nest) -> bool {
    let outputs = || (0..nest.outputs).filter(|&axis| nest.extents[axis] > 1);
    let missing = |read: &Read| -> BTreeSet<usize> {
        outputs().filter(|&axis| !read.index.iter().any(|index| index.uses(axis))).collect()
    };
    let free: Vec<BTreeSet<usize>> = nest.reads.iter().map(missing).filter(|axes| !axes.is_empty()).collect();
    let multiplies = nest.body.scalars.iter().any(|scalar| matches!(scalar, Scalar::Apply(ScalarOp::Mul, _)));
    nest.reducer == Some(Reducer::Sum)
        && multiplies
        && free.iter().enumerate().any(|(at, one)| free[..at].iter().any(|other| one.is_disjoint(other)))
}

/// The leading extents that reductions leave or sum up, those with the most work first.
fn row_candidates(drafts: &[Draft]) -> Vec<Vec<usize>> {
    let mut work: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
    for Draft { nest, .. } in drafts.iter().filter(|draft| draft.nest.reducer.is_some() && !is_contraction(&draft.nest))
    {
        let points = nest.extents.iter().product::<usize>();
        let mut left = nest.extents[..nest.outputs].to_vec();
        while left.last() == Some(&1) {
            left.pop();
        }
        let summed = nest.extents.get(nest.outputs).map(|&extent| vec![extent]);
        for shared in [Some(left), summed].into_iter().flatten() {
            if shared.iter().product::<usize>() > 1 {
                *work.entry(shared).or_default() += points;
            }
        }
    }
    let mut candidates: Vec<(usize, Vec<usize>)> = work.into_iter().map(|(shared, points)| (points, shared)).collect();
    // Of equal work, the longer rows first: fewer of them stay near the processor longer.
    candidates.sort_by_key(|(points, shared)| (std::cmp::Reverse(*points), shared.iter().product::<usize>()));
    candidates.into_iter().map(|(_, shared)| shared).collect()
}

/// The extents of elementwise drafts.
fn sibling_candidates(drafts: &[Draft]) -> BTreeSet<Vec<usize>> {
    let elementwise = drafts.iter().filter(|draft| draft.nest.reducer.is_none());
    elementwise
        .map(|draft| draft.nest.extents.clone())
        .filter(|extents| extents.iter().product::<usize>() > 1)
        .collect()
}

struct Clustering<'d> {
    drafts: &'d [Draft],
    /// Whether rows run in blocks of threads.
    gpu: bool,
    /// The draft that makes each value.
    made: BTreeMap<usize, usize>,
    /// The leaf that a draft makes the next value of.
    updates: BTreeMap<usize, usize>,
    /// The cluster of each draft; those without one are alone.
    of: Vec<Option<usize>>,
    clusters: Vec<Cluster>,
    apart: Vec<Apart>,
}

/// A cluster that still grows.
#[derive(Default)]
struct Growing {
    members: Vec<(usize, Vec<usize>)>,
    /// Which drafts are members, and whether they sum up along shared axes.
    sums: BTreeMap<usize, bool>,
    /// Drafts that need a member.
    later: BTreeSet<usize>,
}

impl<'d> Clustering<'d> {
    fn new(drafts: &'d [Draft], updates: &[(ValueId, ValueId)], gpu: bool) -> Clustering<'d> {
        let results = |(at, draft): (usize, &Draft)| draft.results().into_iter().map(move |result| (result.0, at));
        let made: BTreeMap<usize, usize> = drafts.iter().enumerate().flat_map(results).collect();
        let updates = updates.iter().filter_map(|(value, leaf)| Some((*made.get(&value.0)?, leaf.0))).collect();
        let (mut of, mut clusters) = (vec![None; drafts.len()], Vec::new());
        for at in (0..drafts.len()).filter(|&at| drafts[at].scan.is_some()) {
            // Nothing runs with a scan.
            of[at] = Some(clusters.len());
            clusters.push(Cluster { shared: Vec::new(), members: vec![(at, Vec::new())] });
        }
        Clustering { drafts, gpu, made, updates, of, clusters, apart: Vec::new() }
    }

    /// Clusters what is free and fits these extents.
    fn cluster(&mut self, shared: &[usize], kind: Kind) {
        let free: Vec<usize> = (0..self.drafts.len()).filter(|&at| self.of[at].is_none()).collect();
        let components = self.components(&free, shared, kind);
        for mut component in components {
            loop {
                let growing = self.grow(&component, shared, kind);
                component.retain(|at| !growing.members.iter().any(|(member, _)| member == at));
                let alone = growing.members.is_empty();
                self.take(growing, shared, kind);
                // Behind what waits for the first ones there may be others: gradients are behind the loss.
                if alone || !self.gpu {
                    break;
                }
            }
        }
    }

    /// Makes a cluster of what has grown, if it pays.
    fn take(&mut self, growing: Growing, shared: &[usize], kind: Kind) {
        let nests: Vec<&Nest> = growing.members.iter().map(|(at, _)| &self.drafts[*at].nest).collect();
        let turns = kind == Kind::Siblings || nests.iter().any(|nest| has_rows(nest, shared));
        if !turns || nests.len() < 2 {
            return;
        }
        let members: Vec<usize> = growing.members.iter().map(|(at, _)| *at).collect();
        // On a GPU nothing of a row goes through memory.
        let rows = if kind == Kind::Rows && !self.gpu { shared.len() } else { 0 };
        if let Err(reason) = profit::should_cluster(&nests, rows) {
            self.apart.push((members[0], members[members.len() - 1], reason));
            return;
        }
        let shared = if kind == Kind::Rows { shared.to_vec() } else { Vec::new() };
        let axes = |axes: Vec<usize>| if kind == Kind::Rows { axes } else { Vec::new() };
        let members: Vec<(usize, Vec<usize>)> = growing.members.into_iter().map(|(at, own)| (at, axes(own))).collect();
        members.iter().for_each(|(at, _)| self.of[*at] = Some(self.clusters.len()));
        self.clusters.push(Cluster { shared, members });
    }

    /// Puts what updates parameters with the product of matrices that makes their gradient.
    fn updates(&mut self) {
        for at in 0..self.drafts.len() {
            if !is_contraction(&self.drafts[at].nest) {
                continue;
            }
            let (members, apart) = self.riding(at);
            self.apart.extend(apart);
            if members.len() > 1 {
                members.iter().for_each(|&member| self.of[member] = Some(self.clusters.len()));
                let members = members.into_iter().map(|member| (member, Vec::new())).collect();
                self.clusters.push(Cluster { shared: Vec::new(), members });
            }
        }
    }

    /// A product of matrices and the elementwise drafts over its result that need it at the same point, in order, and the
    /// updates that need it but do not run with it.
    fn riding(&self, product: usize) -> (Vec<usize>, Vec<Apart>) {
        let (mut members, mut later, mut apart) = (vec![product], BTreeSet::new(), Vec::new());
        for at in self.launch_order() {
            let producers = self.producers(at);
            let needs = producers.iter().any(|producer| members.contains(producer));
            let waits = producers.iter().any(|producer| later.contains(producer));
            if !needs && !waits {
                continue;
            }
            match self.may_ride(&members, at, waits) {
                Ok(()) => members.push(at),
                Err(reason) => {
                    later.extend(self.together(at));
                    if needs && self.updates.contains_key(&at) {
                        apart.push((product, at, reason));
                    }
                }
            }
        }
        let updates = members.iter().any(|at| self.updates.contains_key(at));
        (if updates { members } else { Vec::new() }, apart)
    }

    /// Whether a draft that needs something of a product of matrices and of what rides in it may ride in it too; it may wait
    /// for something else that needs them.
    fn may_ride(&self, members: &[usize], at: usize, waits: bool) -> Result<(), Reason> {
        let extents = &self.drafts[members[0]].nest.extents[..self.drafts[members[0]].nest.outputs];
        let draft = &self.drafts[at].nest;
        let made = |operand: usize| self.made.get(&operand).is_some_and(|producer| members.contains(producer));
        let all: Vec<usize> = (0..extents.len()).collect();
        let mut reads = draft.reads.iter().filter(|read| made(read.operand));
        let same = draft.reducer.is_none()
            && draft.extents == extents
            && reads.all(|read| read.index.len() == all.len() && straight(&read.index, &all))
            && !draft.reads.iter().flat_map(|read| &read.index).any(gathers);
        match () {
            () if self.of[at].is_some() => Err(Reason::RunsWithAnother),
            () if !same => Err(Reason::OtherPoints),
            () if waits => Err(Reason::Waits),
            () if self.overtake(members[0], at) => Err(Reason::OldValueIsRead),
            () => profit::should_ride(members.iter().chain([&at]).map(|&at| &self.drafts[at].nest)),
        }
    }

    /// Puts small clusters and drafts that do not wait for each other together.
    fn neighbours(&mut self) {
        let readers = self.readers();
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        // In a long row of drafts that wait for each other there is little to find.
        for _ in 0..8 {
            // A new cluster waits for all that its members wait for, so the order is another one each time.
            let units = self.units().into_iter();
            let waiting = units.filter(|unit| self.is_small(unit) && !seen.contains(&unit[0])).collect();
            let taken = self.independent(waiting, &readers);
            let members: Vec<usize> = taken.iter().flatten().copied().collect();
            seen.extend(&members);
            if taken.len() > 1 {
                members.iter().for_each(|&at| self.of[at] = Some(self.clusters.len()));
                let members = members.into_iter().map(|at| (at, Vec::new())).collect();
                self.clusters.push(Cluster { shared: Vec::new(), members });
            }
        }
    }

    /// What runs as one, in launch order: the members of a cluster, or a draft alone.
    fn units(&self) -> Vec<Vec<usize>> {
        let order = self.launch_order();
        let same = |&a: &usize, &b: &usize| self.of[a].is_some() && self.of[a] == self.of[b];
        order.chunk_by(same).map(<[usize]>::to_vec).collect()
    }

    /// Whether a unit is elementwise and so small that its launch is a part of its time.
    fn is_small(&self, unit: &[usize]) -> bool {
        let rows = self.of[unit[0]].is_some_and(|cluster| !self.clusters[cluster].shared.is_empty());
        let small = |&at: &usize| {
            let nest = &self.drafts[at].nest;
            nest.reducer.is_none() && (1..=profit::SMALL).contains(&nest.extents.iter().product())
        };
        !rows && unit.iter().all(small)
    }

    /// As many of these units, which are in launch order, as may run together: none of them waits for another.
    fn independent(&self, units: Vec<Vec<usize>>, readers: &[Vec<usize>]) -> Vec<Vec<usize>> {
        let mut behind = vec![false; self.drafts.len()];
        let mut taken: Vec<Vec<usize>> = Vec::new();
        for unit in units {
            let waits = unit.iter().any(|&at| behind[at]);
            let members = || taken.iter().flatten().chain(&unit);
            let nests: Vec<&Nest> = members().map(|&at| &self.drafts[at].nest).collect();
            let overtakes = unit.iter().any(|&at| self.overtakes_any(at, &taken));
            if !waits && !overtakes && profit::should_cluster(&nests, 0).is_ok() {
                unit.iter().for_each(|&at| self.mark_behind(at, readers, &mut behind));
                taken.push(unit);
            }
        }
        taken
    }

    /// The drafts that read each draft.
    fn readers(&self) -> Vec<Vec<usize>> {
        let mut readers = vec![Vec::new(); self.drafts.len()];
        for at in 0..self.drafts.len() {
            self.producers(at).into_iter().for_each(|producer| readers[producer].push(at));
        }
        readers
    }

    /// Marks everything that waits for a draft: what reads it, and what runs with that.
    fn mark_behind(&self, at: usize, readers: &[Vec<usize>], behind: &mut [bool]) {
        let mut open = readers[at].clone();
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut behind[at], true) {
                continue;
            }
            open.extend(&readers[at]);
            if let Some(cluster) = self.of[at] {
                open.extend(self.clusters[cluster].members.iter().map(|(member, _)| *member));
            }
        }
    }

    /// The drafts that fit, taken apart where neither a value nor an operand connects them.
    fn components(&self, free: &[usize], shared: &[usize], kind: Kind) -> Vec<Vec<usize>> {
        let fitting: Vec<usize> =
            free.iter().copied().filter(|&at| !self.mappings(at, shared, kind).is_empty()).collect();
        let mut component: Vec<usize> = (0..fitting.len()).collect();
        let mut touched: BTreeMap<usize, usize> = BTreeMap::new();
        for (position, &at) in fitting.iter().enumerate() {
            let draft = &self.drafts[at];
            let large = draft.nest.reads.iter().filter(|read| read.index.len() >= shared.len().max(1));
            for value in large.map(|read| read.operand).chain([draft.result.0]) {
                let known = *touched.entry(value).or_insert(component[position]);
                let own = component[position];
                component.iter_mut().filter(|other| **other == own).for_each(|other| *other = known);
                touched.values_mut().filter(|other| **other == own).for_each(|other| *other = known);
            }
        }
        let mut components: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (&at, component) in fitting.iter().zip(component) {
            components.entry(component).or_default().push(at);
        }
        components.into_values().collect()
    }

    /// As much of a component as may run together, in order.
    fn grow(&self, component: &[usize], shared: &[usize], kind: Kind) -> Growing {
        let mut growing = Growing::default();
        for at in self.launch_order() {
            let producers = self.producers(at);
            let needs = producers.iter().any(|p| growing.sums.contains_key(p) || growing.later.contains(p));
            let around = producers.iter().any(|p| growing.later.contains(p));
            let fits = component.contains(&at) && !around && (kind == Kind::Siblings || !self.overtakes(at, &growing));
            let mapping = fits.then(|| self.mapping(at, shared, kind, &growing)).flatten();
            match mapping {
                Some((axes, sums)) => {
                    growing.members.push((at, axes));
                    growing.sums.insert(at, sums);
                }
                None if needs => self.mark_later(at, &mut growing),
                None => {}
            }
        }
        growing
    }

    /// Whether a draft or a member would update what the other one reads: over rows, the update could not be in place.
    fn overtakes(&self, at: usize, growing: &Growing) -> bool {
        growing.members.iter().any(|&(member, _)| self.overtake(at, member))
    }

    /// The same for what is in another loop of the same kernel.
    fn overtakes_any(&self, at: usize, units: &[Vec<usize>]) -> bool {
        units.iter().flatten().any(|&member| self.overtake(at, member))
    }

    fn overtake(&self, one: usize, other: usize) -> bool {
        let reads = |draft: usize, leaf: &usize| self.drafts[draft].nest.reads.iter().any(|read| read.operand == *leaf);
        let updated = |writer: usize, reader: usize| self.updates.get(&writer).is_some_and(|leaf| reads(reader, leaf));
        updated(one, other) || updated(other, one)
    }

    /// Drafts of one cluster run together, so whoever needs one of them waits for all.
    fn mark_later(&self, at: usize, growing: &mut Growing) {
        growing.later.extend(self.together(at));
    }

    /// The draft and what runs with it.
    fn together(&self, at: usize) -> Vec<usize> {
        match self.of[at] {
            Some(cluster) => self.clusters[cluster].members.iter().map(|(member, _)| *member).collect(),
            None => vec![at],
        }
    }

    /// The drafts such that producers come first, those of a cluster together.
    fn launch_order(&self) -> Vec<usize> {
        let mut order = Vec::new();
        let mut seen = vec![false; self.drafts.len()];
        for at in 0..self.drafts.len() {
            self.visit(at, &mut seen, &mut order);
        }
        order
    }

    fn visit(&self, at: usize, seen: &mut [bool], order: &mut Vec<usize>) {
        if seen[at] {
            return;
        }
        let members = self.together(at);
        members.iter().for_each(|&member| seen[member] = true);
        for &member in &members {
            self.producers(member).into_iter().for_each(|producer| self.visit(producer, seen, order));
        }
        order.extend(members);
    }

    fn producers(&self, at: usize) -> BTreeSet<usize> {
        self.drafts[at].nest.reads.iter().filter_map(|read| self.made.get(&read.operand)).copied().collect()
    }

    /// Which axes of a draft the shared ones are, if it may be a member, and whether it sums up along them.
    fn mapping(&self, at: usize, shared: &[usize], kind: Kind, growing: &Growing) -> Option<(Vec<usize>, bool)> {
        let nest = &self.drafts[at].nest;
        self.mappings(at, shared, kind).into_iter().find(|(axes, _)| {
            nest.reads.iter().all(|read| match self.made.get(&read.operand).and_then(|p| growing.sums.get(p)) {
                None => true,
                Some(sums) => !sums && straight(&read.index, axes),
            })
        })
    }

    /// Which axes of a draft the shared ones may be, and whether it then sums up along them.
    fn mappings(&self, at: usize, shared: &[usize], kind: Kind) -> Vec<(Vec<usize>, bool)> {
        let nest = &self.drafts[at].nest;
        let mut mappings = mappings(nest, shared, kind);
        if self.gpu && kind == Kind::Rows {
            mappings.retain(|(axes, sums)| fits_a_block(nest, axes, *sums));
        }
        mappings
    }

    fn clusters_in_order(&self) -> Vec<Cluster> {
        let mut done = vec![false; self.clusters.len()];
        let mut clusters = Vec::new();
        for at in self.launch_order() {
            match self.of[at] {
                None => clusters.push(Cluster { shared: Vec::new(), members: vec![(at, Vec::new())] }),
                Some(cluster) if !std::mem::replace(&mut done[cluster], true) => {
                    clusters.push(self.clusters[cluster].clone());
                }
                Some(_) => {}
            }
        }
        clusters
    }
}

/// The values of a cluster that others read, or that are wanted after the step.
pub(super) fn kept(drafts: &[Draft], cluster: &Cluster, wanted: &BTreeSet<ValueId>) -> Vec<bool> {
    let inside: BTreeSet<usize> = cluster.members.iter().map(|(at, _)| *at).collect();
    let read = |value: ValueId| {
        let mut outside = drafts.iter().enumerate().filter(|(at, _)| !inside.contains(at));
        outside.any(|(_, draft)| draft.nest.reads.iter().any(|read| read.operand == value.0))
    };
    let of = |at: usize| drafts[at].result;
    cluster.members.iter().map(|(at, _)| wanted.contains(&of(*at)) || read(of(*at))).collect()
}
