//! Whether parts are spread over threads, and in which pieces.

use super::Laid;
use super::stages::Stage;
use super::write::has_lane_types;
use crate::nest::Scalar;
use crate::schedule::choose::operation_cost;
use crate::schedule::spread;
use crate::target::Target;

/// How many positions of the first shared axis are one piece of work; `None` if there is no such axis, or all is one piece.
pub(super) fn piece(shared: &[usize], parts: &[Laid<'_>], stages: &[Stage], target: &Target) -> Option<usize> {
    let turns: f64 = shared.iter().map(|&extent| extent as f64).product();
    let work = turns * stages.iter().map(|stage| stage_work(stage, parts, target)).sum::<f64>();
    spread::piece(*shared.first()?, 1, work, target)
}

/// How many positions of the first axis of a stage are one piece of work, where parts share no axes; `None` if all is one
/// piece. A value that anything is reduced to belongs to one phase of a kernel, so then nothing is taken apart.
pub(super) fn stage_piece(stage: &Stage, parts: &[Laid<'_>], target: &Target) -> Option<usize> {
    if parts.iter().any(|part| part.reduces()) {
        return None;
    }
    let step = if stage.extents.len() == 1 { 4 * target.lanes } else { 1 };
    spread::piece(*stage.extents.first()?, step, stage_work(stage, parts, target), target)
}

/// About how many cycles a stage takes in one turn.
fn stage_work(stage: &Stage, parts: &[Laid<'_>], target: &Target) -> f64 {
    let points: f64 = stage.extents.iter().map(|&extent| extent as f64).product();
    let lanes = stage.extents.last().is_some_and(|&last| spread::fills(last, target))
        && stage.parts.iter().all(|&part| has_lane_types(&parts[part]));
    let scalars = stage.parts.iter().flat_map(|&part| &parts[part].nest.body.scalars);
    let operations: f64 = scalars.map(cost).sum();
    let in_lanes = |&last: &usize| spread::steps(last, target).into_iter().sum::<usize>() as f64 / last.max(1) as f64;
    points * operations * stage.extents.last().filter(|_| lanes).map_or(1.0, in_lanes)
}

fn cost(scalar: &Scalar) -> f64 {
    match scalar {
        Scalar::Apply(op, _) => operation_cost(*op),
        Scalar::Read(_) | Scalar::Index(_) => 1.0,
        Scalar::Constant(..) | Scalar::Reduced => 0.0,
    }
}
