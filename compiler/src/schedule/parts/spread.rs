//! Whether parts are spread over threads, and in which pieces.

use super::Laid;
use super::stages::Stage;
use super::write::has_lane_types;
use crate::nest::Scalar;
use crate::schedule::choose::operation_cost;
use crate::schedule::spread;
use crate::target::Target;

/// How many positions of the first shared axis are one piece of work, or of the first axis of points without shared axes;
/// `None` if all is one piece.
pub(super) fn piece(shared: &[usize], parts: &[Laid<'_>], stages: &[Stage], target: &Target) -> Option<usize> {
    let turns: f64 = shared.iter().map(|&extent| extent as f64).product();
    let work = turns * stages.iter().map(|stage| stage_work(stage, parts, target)).sum::<f64>();
    if let Some(&extent) = shared.first() {
        return spread::piece(extent, 1, work, target);
    }
    // What single values need comes first; what is combined of many points has no place between two pieces.
    let mut points = stages.iter().filter(|stage| !stage.extents.is_empty());
    let (Some(stage), None) = (points.next(), points.next()) else { return None };
    let reduces = stage.parts.iter().any(|&part| parts[part].reduces());
    let step = if stage.extents.len() == 1 { 4 * target.lanes } else { 1 };
    let first = stages.first().is_some_and(|first| first.extents.is_empty() || stages.len() == 1);
    if reduces || !first { None } else { spread::piece(stage.extents[0], step, work, target) }
}

/// About how many cycles a stage takes in one turn.
fn stage_work(stage: &Stage, parts: &[Laid<'_>], target: &Target) -> f64 {
    let points: f64 = stage.extents.iter().map(|&extent| extent as f64).product();
    let lanes = stage.extents.last().is_some_and(|&last| last >= target.lanes)
        && stage.parts.iter().all(|&part| has_lane_types(&parts[part]));
    let scalars = stage.parts.iter().flat_map(|&part| &parts[part].nest.body.scalars);
    let operations: f64 = scalars.map(cost).sum();
    points * operations / if lanes { target.lanes as f64 } else { 1.0 }
}

fn cost(scalar: &Scalar) -> f64 {
    match scalar {
        Scalar::Apply(op, _) => operation_cost(*op),
        Scalar::Read(_) | Scalar::Index(_) => 1.0,
        Scalar::Constant(..) | Scalar::Reduced => 0.0,
    }
}
