//! Composition: how a nest takes in the views and the producers that it reads.
//!
//! All functions keep the meaning of the nest. While groups grow, operand numbers of reads are whatever the caller names
//! values by. Invariant of [`tidy`]: no two reads and no two scalars of a body are equal, none is unused, and axes of extent 1
//! are not mentioned, so that equal computations look equal.

use crate::dtype::DType;
use crate::nest::{Atom, Body, Index, Nest, Read, Scalar, ScalarId};

/// The nest that copies its only operand.
pub(crate) fn copy(dtype: DType, extents: &[usize]) -> Nest {
    let index = (0..extents.len()).map(Index::axis).collect();
    let mut body = Body::default();
    body.push(Scalar::Read(0));
    Nest {
        extents: extents.to_vec(),
        outputs: extents.len(),
        reads: vec![Read { operand: 0, dtype, index }],
        body,
        reducer: None,
        epilogue: None,
        dtype,
    }
}

/// Replaces every read of a view by a read of what it shows. `view` gives that and the indices, for views.
pub(super) fn see_through<'v>(nest: &mut Nest, view: impl Fn(usize) -> Option<(usize, &'v [Index])>) {
    for read in &mut nest.reads {
        while let Some((shown, through)) = view(read.operand) {
            // A view reads nothing, so that no read of it needs a new number.
            read.index = through.iter().map(|index| index.substitute(&read.index, &nest.extents, 0)).collect();
            read.operand = shown;
        }
    }
}

/// Replaces a read by what the producer, which has no reducer, computes at that index.
pub(super) fn inline(consumer: &mut Nest, read: usize, producer: &Nest) {
    let at = consumer.reads[read].index.clone();
    let first = consumer.reads.len();
    let extents = consumer.extents.clone();
    let moved = |index: &Index| index.substitute(&at, &extents, first);
    let reads = producer.reads.iter().map(|r| Read { index: r.index.iter().map(moved).collect(), ..r.clone() });
    consumer.reads.extend(reads);
    let scalar = |scalar: &Scalar| match scalar {
        Scalar::Read(read) => Scalar::Read(read + first),
        Scalar::Index(index) => Scalar::Index(moved(index)),
        other => other.clone(),
    };
    let body = Body { scalars: producer.body.scalars.iter().map(scalar).collect() };
    consumer.body = splice(&consumer.body, read, &body);
    consumer.epilogue = consumer.epilogue.as_ref().map(|epilogue| splice(epilogue, read, &body));
}

/// A nest with a producer in the place of a read, tidy.
pub(super) fn inlined(consumer: &Nest, read: usize, producer: &Nest) -> Nest {
    let mut nest = consumer.clone();
    inline(&mut nest, read, producer);
    tidy(&mut nest);
    nest
}

/// The nest of a producer that reduces, with an elementwise consumer that reads it as its epilogue.
pub(super) fn followed(producer: &Nest, consumer: &Nest, read: usize) -> Nest {
    let first = producer.reads.len();
    let later = |number: usize| number + first;
    let reads = consumer.reads.iter().map(|r| {
        let index = r.index.iter().map(|index| index.renumbered(&later)).collect();
        Read { index, ..r.clone() }
    });
    let scalar = |scalar: &Scalar| match scalar {
        Scalar::Read(r) if *r == read => Scalar::Reduced,
        Scalar::Read(r) => Scalar::Read(later(*r)),
        Scalar::Index(index) => Scalar::Index(index.renumbered(&later)),
        other => other.clone(),
    };
    Nest {
        reads: producer.reads.iter().cloned().chain(reads).collect(),
        epilogue: Some(Body { scalars: consumer.body.scalars.iter().map(scalar).collect() }),
        dtype: consumer.dtype,
        ..producer.clone()
    }
}

/// Whether the epilogue of a nest uses a read and nothing else does.
pub(super) fn in_epilogue_only(nest: &Nest, read: usize) -> bool {
    let uses = |body: &Body| body.scalars.contains(&Scalar::Read(read));
    nest.epilogue.as_ref().is_some_and(uses) && !uses(&nest.body) && !index_reads(nest).contains(&read)
}

/// The body with the scalars of another in the place of a read.
fn splice(body: &Body, read: usize, inlined: &Body) -> Body {
    let mut spliced = Body::default();
    let mut ids: Vec<ScalarId> = Vec::new();
    for scalar in &body.scalars {
        let id = match scalar {
            Scalar::Read(r) if *r == read => append(&mut spliced, inlined),
            other => spliced.push(other.renumbered(&ids)),
        };
        ids.push(id);
    }
    spliced
}

/// Appends the scalars of another body; the last is its result.
fn append(body: &mut Body, other: &Body) -> ScalarId {
    let mut ids: Vec<ScalarId> = Vec::new();
    for scalar in &other.scalars {
        ids.push(body.push(scalar.renumbered(&ids)));
    }
    *ids.last().expect("a body has a result")
}

/// Brings a nest into the form in which equal computations look equal.
pub(super) fn tidy(nest: &mut Nest) {
    drop_unit_axes(nest);
    while share_reads(nest) {}
    nest.body = numbered(&nest.body);
    nest.epilogue = nest.epilogue.as_ref().map(numbered);
    // What an unused read is indexed with is unused only once that read is gone.
    while drop_unused_reads(nest) {}
}

/// Reads of a nest that other reads or scalars use as an index.
pub(super) fn index_reads(nest: &Nest) -> Vec<usize> {
    let mut found = Vec::new();
    for index in nest.reads.iter().flat_map(|read| &read.index).chain(scalars(nest).filter_map(as_index)) {
        index.any(&mut |atom| {
            if let Atom::Gathered { read, .. } = atom {
                found.push(*read);
            }
            false
        });
    }
    found
}

/// Whether an index depends on a value.
pub(super) fn gathers(index: &Index) -> bool {
    index.any(&mut |atom| matches!(atom, Atom::Gathered { .. }))
}

fn scalars(nest: &Nest) -> impl Iterator<Item = &Scalar> {
    nest.body.scalars.iter().chain(nest.epilogue.iter().flat_map(|epilogue| &epilogue.scalars))
}

fn as_index(scalar: &Scalar) -> Option<&Index> {
    match scalar {
        Scalar::Index(index) => Some(index),
        _ => None,
    }
}

/// Applies a change to every index of a nest, and another to every read number of its bodies.
fn rewrite(nest: &mut Nest, index: impl Fn(&Index) -> Index, read: impl Fn(usize) -> usize) {
    for r in &mut nest.reads {
        r.index = r.index.iter().map(&index).collect();
    }
    let bodies = nest.epilogue.iter_mut().chain([&mut nest.body]);
    for scalar in bodies.flat_map(|body| &mut body.scalars) {
        match scalar {
            Scalar::Read(r) => *r = read(*r),
            Scalar::Index(i) => *i = index(i),
            _ => {}
        }
    }
}

/// Writes 0 for the position on an axis of extent 1.
fn drop_unit_axes(nest: &mut Nest) {
    let extents = nest.extents.clone();
    let position = |(axis, &extent)| if extent == 1 { Index::constant(0) } else { Index::axis(axis) };
    let axes: Vec<Index> = extents.iter().enumerate().map(position).collect();
    rewrite(nest, |index| index.substitute(&axes, &extents, 0), |read| read);
}

/// Lets equal reads have one number. Whether any read changed: what indexes with equal reads may have become equal too.
fn share_reads(nest: &mut Nest) -> bool {
    let first = |read: &Read| nest.reads.iter().position(|r| r == read).expect("every read equals itself");
    let numbers: Vec<usize> = nest.reads.iter().map(first).collect();
    let before = nest.reads.clone();
    rewrite(nest, |index| index.renumbered(&|read| numbers[read]), |read| numbers[read]);
    nest.reads != before
}

/// Drops reads that nothing uses. Whether there were any.
fn drop_unused_reads(nest: &mut Nest) -> bool {
    let mut used = index_reads(nest);
    used.extend(scalars(nest).filter_map(|scalar| match scalar {
        Scalar::Read(read) => Some(*read),
        _ => None,
    }));
    let mut numbers = Vec::new();
    let mut kept = 0;
    for read in 0..nest.reads.len() {
        numbers.push(kept);
        kept += usize::from(used.contains(&read));
    }
    let before = nest.reads.len();
    let mut read = 0..;
    nest.reads.retain(|_| read.next().is_some_and(|read| used.contains(&read)));
    rewrite(nest, |index| index.renumbered(&|read| numbers[read]), |read| numbers[read]);
    nest.reads.len() < before
}

/// The body with equal scalars computed once and none that the result does not need.
fn numbered(body: &Body) -> Body {
    let mut shared = Body::default();
    let mut ids: Vec<ScalarId> = Vec::new();
    for scalar in &body.scalars {
        let scalar = scalar.renumbered(&ids);
        let known = shared.scalars.iter().position(|other| same(other, &scalar));
        ids.push(known.map(ScalarId).unwrap_or_else(|| shared.push(scalar)));
    }
    shared.part(*ids.last().expect("a body has a result"))
}

fn same(a: &Scalar, b: &Scalar) -> bool {
    match (a, b) {
        // 0 and -0 are equal numbers but not the same one.
        (Scalar::Constant(s, x), Scalar::Constant(t, y)) => s == t && x.to_bits() == y.to_bits(),
        _ => a == b,
    }
}
