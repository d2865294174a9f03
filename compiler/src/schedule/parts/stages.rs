//! Stages: which parts stand in one loop, and in which order the loops come.
//!
//! Parts enter in an order in which each comes after what it reads; a list of stages leaves. Invariant: what a part reads of
//! another is computed in an earlier stage, or before it in the same loop at the same point.

use super::Laid;
use crate::nest::Index;

/// Parts that are computed in one loop nest, or one by one where no axes are left.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::schedule) struct Stage {
    /// The extents of its loops.
    pub extents: Vec<usize>,
    /// How many of the loops are around what is reduced in the others; nothing if nothing is reduced.
    pub around: Option<usize>,
    /// The parts, in order.
    pub parts: Vec<usize>,
}

/// The stages of parts in order.
pub(super) fn stages(parts: &[Laid<'_>], operands: usize) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let mut of: Vec<usize> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let (extents, around) = (part.extents(), part.reduces().then_some(part.outputs.len()));
        let first = earliest(parts, operands, at, &stages, &of);
        let joins = |stage: &Stage| {
            let same = stage.around.is_none() || around.is_none() || stage.around == around;
            stage.extents == extents && same
        };
        let found = (first..stages.len()).find(|&stage| joins(&stages[stage]));
        let stage = found.unwrap_or_else(|| {
            stages.push(Stage { extents, around, parts: Vec::new() });
            stages.len() - 1
        });
        stages[stage].around = stages[stage].around.or(around);
        stages[stage].parts.push(at);
        of.push(stage);
    }
    stages
}

/// The first stage that a part may stand in: behind those of what it reads, or with it where it reads the same point.
fn earliest(parts: &[Laid<'_>], operands: usize, at: usize, stages: &[Stage], of: &[usize]) -> usize {
    let part = &parts[at];
    let reads = part.nest.reads.iter().filter(|read| read.operand >= operands);
    let stage = |read: &crate::nest::Read| {
        let producer = read.operand - operands;
        let together = at_same_point(part, &parts[producer], &read.index)
            && !parts[producer].reduces()
            && stages[of[producer]].extents == part.extents();
        if together { of[producer] } else { of[producer] + 1 }
    };
    reads.map(stage).max().unwrap_or(0)
}

/// Whether a part finds the element of a producer that was computed at the point where it is itself.
pub(in crate::schedule) fn at_same_point(part: &Laid<'_>, producer: &Laid<'_>, index: &[Index]) -> bool {
    let own: Vec<usize> = part.outputs.iter().chain(&part.reductions).copied().collect();
    own.len() == producer.outputs.len()
        && producer.outputs.iter().zip(own).all(|(&axis, own)| index[axis] == Index::axis(own))
}
