//! What should be fused: whether the composed nest is worth it. That it means the same is assumed.

use super::Reason;
use super::cluster::is_contraction;
use super::compose::{in_epilogue_only, inlined};
use crate::dtype::DType;
use crate::nest::{Atom, Index, Nest, Read, Scalar, ScalarId};
use crate::scalar::ScalarOp;
use std::collections::BTreeSet;

/// How many operations a kernel may have. Beyond that its values no longer fit the registers of any machine, and nothing is
/// won by keeping another one out of memory. Random numbers take some 130 of them, of which few are alive at once.
const MOST_OPERATIONS: usize = 256;

/// What recomputing may cost per element, in additions, to save a trip through memory.
const CHEAP: usize = 4;

/// What that may cost if several consumers do it at more points than there are elements: the value stays close to the
/// processor then, so that little but a launch is saved.
const MOST_AT_EACH_POINT: usize = 1;

/// How much a kernel may compute of what other kernels compute too, in additions per point: a few values of the cost above.
/// It also bounds what a step may grow by.
const MOST_REPEATED: usize = 4 * CHEAP;

/// How many rows and columns a product of matrices has at least, and how many products per sum, if it is cut into tiles on
/// every machine.
const TILED: [usize; 2] = [32, 16];

/// Whether an elementwise producer with one read should be part of its consumer.
pub fn should_inline(producer: &Nest, consumer: &Nest, read: usize) -> Result<(), Reason> {
    should_fit(producer, consumer)?;
    if is_contraction(consumer) && !in_epilogue_only(consumer, read) {
        return should_be_packed(producer, consumer, read);
    }
    should_be_repeated(producer, consumer, read, CHEAP)
}

/// Whether a consumer that reads elements more often than there are any computes them so often, if they cost at most so much.
fn should_be_repeated(producer: &Nest, consumer: &Nest, read: usize, most: usize) -> Result<(), Reason> {
    let elements = producer.extents.iter().product::<usize>();
    let axes = if in_epilogue_only(consumer, read) { consumer.outputs } else { consumer.extents.len() };
    let points = consumer.extents[..axes].iter().product::<usize>();
    match points > elements && cost(producer) > most {
        true => Err(Reason::Recomputed { elements, points }),
        false => Ok(()),
    }
}

/// Whether an elementwise producer with so many reads is cheap enough to be computed once for each: it takes few operations,
/// and finds what it reads side by side: no element of a row is gathered, or read at the nearest place of a border.
pub fn should_repeat(producer: &Nest, reads: usize) -> Result<(), Reason> {
    let apart = |atom: &Atom| matches!(atom, Atom::Gathered { .. } | Atom::Clamped(..));
    match cost(producer) {
        operations if operations > CHEAP => Err(Reason::DearForEach { reads, operations }),
        _ if producer
            .reads
            .iter()
            .filter_map(|read| read.index.last())
            .any(|index| index.any(&mut |atom| apart(atom))) =>
        {
            Err(Reason::SeveralReads(reads))
        }
        _ => Ok(()),
    }
}

/// Whether a consumer that already repeats so much of what others compute should compute a cheap producer too.
pub fn should_take_repeated(producer: &Nest, consumer: &Nest, read: usize, repeated: usize) -> Result<(), Reason> {
    if is_contraction(consumer) && !in_epilogue_only(consumer, read) {
        return Err(Reason::ConsumerMultiplies);
    }
    should_fit(producer, consumer)?;
    // A single number is read at no cost, and what it is made of, such as a count of runs, may be updated before it is used.
    let alone = producer.extents.iter().product::<usize>() == 1;
    should_be_repeated(producer, consumer, read, if alone { 0 } else { MOST_AT_EACH_POINT })?;
    match repeated + cost(producer) {
        operations if operations > MOST_REPEATED => Err(Reason::RepeatsTooMuch(operations)),
        _ => Ok(()),
    }
}

/// Whether one evaluation of the body is so cheap that memory is dearer.
pub fn is_cheap(nest: &Nest) -> bool {
    cost(nest) <= CHEAP
}

/// Whether a kernel may compute as much.
pub fn fits_a_kernel(nest: &Nest) -> bool {
    nest.body.scalars.len() <= MOST_OPERATIONS
}

fn should_fit(producer: &Nest, consumer: &Nest) -> Result<(), Reason> {
    match producer.body.scalars.len() + consumer.body.scalars.len() {
        operations if operations > MOST_OPERATIONS => Err(Reason::TooLarge(operations)),
        _ => Ok(()),
    }
}

/// Whether a producer should be part of a factor of a product of matrices: tiles pack such a factor, and so they compute each
/// element of it once, side by side if they find what it is made of so.
fn should_be_packed(producer: &Nest, consumer: &Nest, read: usize) -> Result<(), Reason> {
    let packed = inlined(consumer, read, producer);
    let Some(sides) = Sides::new(consumer, read).filter(|_| is_contraction(&packed)) else {
        return Err(Reason::ConsumerMultiplies);
    };
    let extent = |axes: &BTreeSet<usize>| axes.iter().map(|&axis| consumer.extents[axis]).product::<usize>();
    let [rows, columns] = [extent(&sides.own), extent(&sides.other)];
    let depth = consumer.extents[consumer.outputs..].iter().product::<usize>();
    let [side, sum] = TILED;
    if rows.min(columns) < side || depth < sum {
        return Err(Reason::SmallProduct { rows, columns, depth });
    }
    // Rows are packed once for each position along all axes of the columns but one, and columns likewise.
    let once = sides.own.len() == 1 || sides.other.len() == 1;
    let along = |axis: usize| packed.reads.iter().filter(|r| !consumer.reads.contains(r)).all(|r| beside(r, axis));
    let mut lanes = sides.own.iter().copied().chain([consumer.extents.len() - 1]);
    match once && lanes.any(along) {
        true => Ok(()),
        false => Err(Reason::ConsumerMultiplies),
    }
}

/// The axes of a product of matrices that one factor moves along and the other does not.
struct Sides {
    /// Of the factor that a read is part of.
    own: BTreeSet<usize>,
    /// Of the other factor.
    other: BTreeSet<usize>,
}

impl Sides {
    /// The sides of a product of f32 whose factors both move along all that is summed along; `None` if it is none, or if both
    /// factors use the read.
    fn new(nest: &Nest, read: usize) -> Option<Sides> {
        let Some(Scalar::Apply(ScalarOp::Mul, factors)) = nest.body.scalars.last() else { return None };
        let uses = |factor: ScalarId| nest.body.part(factor).scalars.contains(&Scalar::Read(read));
        let [own, other] = match [uses(factors[0]), uses(factors[1])] {
            [true, false] => [factors[0], factors[1]],
            [false, true] => [factors[1], factors[0]],
            _ => return None,
        };
        let [own, other] = [moving(nest, own), moving(nest, other)];
        let long = |axis: &usize| nest.extents[*axis] > 1;
        let summed = (nest.outputs..nest.extents.len()).all(|axis| own.contains(&axis) && other.contains(&axis));
        let shown = (0..nest.outputs).filter(long).all(|axis| own.contains(&axis) || other.contains(&axis));
        let single = nest.body.dtype(&|read| nest.reads[read].dtype) == DType::F32;
        let but = |one: &BTreeSet<usize>, two: &BTreeSet<usize>| one.difference(two).copied().filter(long).collect();
        (summed && shown && single).then(|| Sides { own: but(&own, &other), other: but(&other, &own) })
    }
}

/// The axes that a scalar of the body changes along.
fn moving(nest: &Nest, scalar: ScalarId) -> BTreeSet<usize> {
    let part = nest.body.part(scalar);
    let indices = part.scalars.iter().flat_map(|scalar| match scalar {
        Scalar::Read(read) => nest.reads[*read].index.as_slice(),
        Scalar::Index(index) => std::slice::from_ref(index),
        _ => &[],
    });
    let indices: Vec<&Index> = indices.collect();
    (0..nest.extents.len()).filter(|&axis| indices.iter().any(|index| index.uses(axis))).collect()
}

/// Whether what is read along an axis lies side by side.
fn beside(read: &Read, axis: usize) -> bool {
    match read.index.split_last() {
        Some((last, others)) => {
            (!last.uses(axis) || last.stride(axis) == Some(1)) && others.iter().all(|index| !index.uses(axis))
        }
        None => true,
    }
}

/// How many operations what follows a product of matrices may have: more of them would wait for registers longer than for
/// memory.
const MOST_RIDING: usize = 64;

/// Whether nests should be one kernel, of which the first is a product of matrices and the others follow it.
pub fn should_ride<'n>(nests: impl Iterator<Item = &'n Nest>) -> Result<(), Reason> {
    match nests.skip(1).map(|nest| nest.body.scalars.len()).sum::<usize>() {
        operations if operations > MOST_RIDING => Err(Reason::TooLarge(operations)),
        _ => Ok(()),
    }
}

/// How many operations the parts of a kernel may have together; they need not all be alive at once.
const MOST_TOGETHER: usize = 4 * MOST_OPERATIONS;

/// The most points of a kernel that takes about as long as its launch.
pub const SMALL: usize = 1 << 12;

/// How many bytes the values of a row may take that a kernel keeps for itself: they stay in the second-level cache of any
/// machine, beside what the row reads. A part whose values need no scratch counts too.
const MOST_SCRATCH: usize = 64 << 10;

/// Whether nests should be one kernel, over so many leading axes.
pub fn should_cluster(nests: &[&Nest], shared: usize) -> Result<(), Reason> {
    let operations: usize = nests.iter().map(|nest| nest.body.scalars.len()).sum();
    let bytes = |nest: &&Nest| {
        let elements = nest.extents[shared.min(nest.outputs)..nest.outputs].iter().product::<usize>();
        elements * nest.dtype.size()
    };
    let scratch: usize = if shared > 0 { nests.iter().map(bytes).sum() } else { 0 };
    match () {
        () if operations > MOST_TOGETHER => Err(Reason::TooLarge(operations)),
        () if scratch > MOST_SCRATCH => Err(Reason::LongRows { bytes: scratch, most: MOST_SCRATCH }),
        () => Ok(()),
    }
}

/// What one evaluation of the body costs, in additions.
pub fn cost(nest: &Nest) -> usize {
    let cost = |scalar: &Scalar| match scalar {
        Scalar::Apply(op, _) => match op {
            op if op.is_transcendental() => 16,
            ScalarOp::Div | ScalarOp::Sqrt => 4,
            _ => 1,
        },
        _ => 0,
    };
    nest.body.scalars.iter().map(cost).sum()
}
