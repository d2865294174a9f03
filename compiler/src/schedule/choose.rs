//! Choosing a schedule: a flat nest enters, plain data about its loops leaves.
//!
//! One axis may run in lanes: the last output axis, whose elements are written side by side, or a reduction axis along which
//! operands are read side by side. A simple cost of a point decides. Nests that reduce are unrolled over output axes that
//! share an operand, so that what is loaded once is used several times and sums do not wait for each other.

use super::flat::Flat;
use super::form::{Form, Running, Scattered, form};
use super::spread::{fills, is_worth_it, piece, steps};
use super::tiles::tiles;
use crate::dtype::DType;
use crate::kernel::LoopKind;
use crate::nest::{Atom, Body, Index, Reducer, Scalar};
use crate::scalar::ScalarOp;
use crate::target::Target;

/// How many accumulators fit the registers of a machine beside what they are fed with.
pub(super) const ACCUMULATORS: usize = 8;

/// How a nest runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The loops over output axes, outermost first; each axis once.
    pub outputs: Vec<Level>,
    /// The loops over reduction axes, inside of those.
    pub reductions: Vec<Level>,
    /// What is done at their points. For a running sum, the output axis that it runs along has no loop of its own; what is
    /// scattered has all its loops among `outputs`, but none over the axis that it is scattered along; what is tiled has only
    /// loops around all tiles.
    pub form: Form,
}

/// One loop of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The axis that it runs over.
    pub axis: usize,
    /// How its iterations run.
    pub kind: LoopKind,
    /// How many neighbouring positions an iteration handles; more than 1 only for loops over output axes that are not lanes.
    pub unroll: usize,
    /// Of the first loop, if it is lanes: into pieces of which size it falls, that run in parallel.
    pub piece: Option<usize>,
}

impl Level {
    fn serial(axis: usize) -> Level {
        Level { axis, kind: LoopKind::Serial, unroll: 1, piece: None }
    }

    fn lanes(axis: usize, groups: usize) -> Level {
        Level { axis, kind: LoopKind::lanes(groups), unroll: 1, piece: None }
    }
}

impl Schedule {
    /// The groups of the lanes loop; 0 if there is none.
    pub fn groups(&self) -> usize {
        let groups = |level: &Level| match level.kind {
            LoopKind::Lanes { groups, .. } => Some(groups),
            LoopKind::Serial | LoopKind::Parallel | LoopKind::Staged { .. } => None,
        };
        self.outputs.iter().chain(&self.reductions).find_map(groups).unwrap_or(0)
    }

    /// Whether a reduction axis runs in lanes.
    pub fn reduces_in_lanes(&self) -> bool {
        self.reductions.iter().any(|level| level.kind != LoopKind::Serial)
    }
}

/// Which axis runs in lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lanes {
    None,
    Output(usize),
    Reduction(usize),
}

/// The schedule of a nest.
pub fn choose(flat: &Flat, target: &Target) -> Schedule {
    let mut schedule = match form(flat) {
        Form::Points => choose_points(flat, target),
        Form::Scattered(scattered) => choose_scattered(flat, scattered, target),
        Form::Running(running) => choose_running(flat, running, target),
        Form::Tiled(_) => unreachable!("tiles are chosen here"),
    };
    spread_outputs(flat, &mut schedule, target);
    schedule
}

/// Runs the first loop in parallel where there is work for several threads. What is scattered adds to the same elements
/// from everywhere.
fn spread_outputs(flat: &Flat, schedule: &mut Schedule, target: &Target) {
    let work = match &schedule.form {
        Form::Scattered(_) => return,
        Form::Tiled(tiles) => tiles.cost(flat, target),
        Form::Points | Form::Running(_) => points_work(flat, schedule, target),
    };
    let Some(first) = schedule.outputs.first_mut() else { return };
    let extent = flat.extents[first.axis];
    match first.kind {
        LoopKind::Lanes { groups, .. } => first.piece = piece(extent, groups * target.lanes, work, target),
        _ if is_worth_it(work, target) && extent / first.unroll > 1 => first.kind = LoopKind::Parallel,
        _ => {}
    }
}

/// About how many cycles a nest takes that runs point by point.
fn points_work(flat: &Flat, schedule: &Schedule, target: &Target) -> f64 {
    let points: f64 = flat.extents.iter().map(|&extent| extent as f64).product();
    let levels = schedule.outputs.iter().chain(&schedule.reductions);
    let lanes = levels.into_iter().find(|level| matches!(level.kind, LoopKind::Lanes { .. }));
    points * lanes.map_or_else(|| scalar_cost(flat), |level| lanes_cost(flat, level.axis, target))
}

/// Around the axis that is scattered along, the order in which the nest has its axes; the last one in lanes if neighbours
/// are added to neighbours.
fn choose_scattered(flat: &Flat, scattered: Scattered, target: &Target) -> Schedule {
    let (before, behind) = (0..scattered.axis, scattered.axis + 1..flat.outputs);
    let mut outputs: Vec<Level> =
        before.chain(flat.reduction_axes()).chain(behind.clone()).map(Level::serial).collect();
    let last = flat.outputs - 1;
    let together = behind.contains(&last) && !flat.body_depends(&scattered.position, last);
    if let Some(level) = outputs.last_mut()
        && together
        && fills_lanes(flat, last, target)
    {
        *level = Level::lanes(last, groups_for(flat, last, 4, target));
    }
    Schedule { outputs, reductions: Vec::new(), form: Form::Scattered(scattered) }
}

/// Sums side by side in lanes if neighbours are written, else several rows together, which do not wait for each other.
fn choose_running(flat: &Flat, running: Running, target: &Target) -> Schedule {
    let outputs: Vec<usize> = flat.output_axes().filter(|&axis| axis != running.axis).collect();
    let mut schedule = Schedule {
        outputs: outputs.iter().map(|&axis| Level::serial(axis)).collect(),
        reductions: flat.reduction_axes().map(Level::serial).collect(),
        form: Form::Running(running),
    };
    if let (Some(&last), Some(level)) = (outputs.last(), schedule.outputs.last_mut()) {
        *level = match last + 1 == flat.outputs && fills_lanes(flat, last, target) {
            true => Level::lanes(last, groups_for(flat, last, 2, target)),
            false => Level { unroll: flat.extents[last].min(4), ..*level },
        };
    }
    schedule
}

/// Whether an axis has enough points for lanes, be it those of a part, and all elements fill one each.
fn fills_lanes(flat: &Flat, axis: usize, target: &Target) -> bool {
    fills(flat.extents[axis], target) && has_lane_types(flat)
}

fn has_lane_types(flat: &Flat) -> bool {
    let reads = flat.reads.iter().map(|read| read.dtype);
    let outputs = flat.parameters[flat.first_output()..].iter().map(|output| output.dtype);
    reads.chain(constants(flat)).chain(outputs).all(is_lane_type)
}

fn choose_points(flat: &Flat, target: &Target) -> Schedule {
    if let Some((around, tiles)) = tiles(flat, target).filter(|_| !target.gpu) {
        let outputs = around.into_iter().map(Level::serial).collect();
        return Schedule { outputs, reductions: Vec::new(), form: Form::Tiled(tiles) };
    }
    let lanes = choose_lanes(flat, target);
    let mut schedule = Schedule {
        outputs: flat.output_axes().map(Level::serial).collect(),
        reductions: flat.reduction_axes().map(Level::serial).collect(),
        form: Form::Points,
    };
    let unrolled = unrolled_axes(flat, lanes);
    match lanes {
        Lanes::None => return schedule,
        Lanes::Output(axis) => {
            let copies = unroll(flat, &mut schedule, unrolled.last().copied(), 2);
            let groups = if flat.reducer.is_some() { ACCUMULATORS / copies } else { 4 };
            schedule.outputs[axis] = Level::lanes(axis, groups_for(flat, axis, groups, target));
        }
        Lanes::Reduction(axis) => {
            let mut copies = 1;
            for &axis in unrolled.iter().rev().take(2) {
                copies *= unroll(flat, &mut schedule, Some(axis), if copies == 1 { 4 } else { ACCUMULATORS / copies });
            }
            let level = schedule.reductions.iter().position(|level| level.axis == axis).expect("each axis has a level");
            schedule.reductions.remove(level);
            schedule.reductions.push(Level::lanes(axis, groups_for(flat, axis, ACCUMULATORS / 2 / copies, target)));
        }
    }
    order(flat, &mut schedule);
    schedule
}

/// Handles neighbours on an axis together, at most this many, and says how many.
fn unroll(flat: &Flat, schedule: &mut Schedule, axis: Option<usize>, most: usize) -> usize {
    let Some(axis) = axis else { return 1 };
    let extent = flat.extents[axis];
    let even = (2..=most).rev().find(|&copies| extent.is_multiple_of(copies));
    let copies = if extent < most { extent } else { even.filter(|&copies| copies * 2 > most).unwrap_or(most) };
    schedule.outputs[axis].unroll = copies.max(1);
    copies.max(1)
}

/// How many groups of lanes at once, at most the wanted number: as many as the axis fills, and few where each takes many
/// registers.
fn groups_for(flat: &Flat, axis: usize, wanted: usize, target: &Target) -> usize {
    let most = if bodies(flat).any(is_heavy) { 2 } else { 4 };
    let filled = (flat.extents[axis] / target.lanes).max(1);
    let groups = wanted.min(most).min(filled).max(1);
    // The largest power of two that is not above.
    1 << groups.ilog2()
}

/// Output axes that a reducing nest gains from unrolling: some operand does not depend on them and is used again.
fn unrolled_axes(flat: &Flat, lanes: Lanes) -> Vec<usize> {
    if flat.reducer.is_none() || flat.reducer == Some(Reducer::ArgMax) {
        return Vec::new();
    }
    let again = |axis: usize| {
        let read =
            |scalar: &Scalar| matches!(scalar, Scalar::Read(read) if !flat.depends(&flat.reads[*read].position, axis));
        flat.extents[axis] > 1 && lanes != Lanes::Output(axis) && flat.body.scalars.iter().any(read)
    };
    flat.output_axes().filter(|&axis| again(axis)).collect()
}

/// Puts the loop along which the larger operand changes outside, so that the smaller one is what is read again and again.
/// Only the last two output loops that share operands take part; a kernel that does not reduce is read once anyway.
fn order(flat: &Flat, schedule: &mut Schedule) {
    let blocked = |level: &Level| level.unroll > 1 || level.kind != LoopKind::Serial;
    let levels: Vec<usize> = (0..schedule.outputs.len()).filter(|&at| blocked(&schedule.outputs[at])).collect();
    let (Some(_), [.., first, second]) = (flat.reducer, levels.as_slice()) else { return };
    let (outer, inner) = (schedule.outputs[*first].axis, schedule.outputs[*second].axis);
    if weight(flat, inner) > weight(flat, outer) {
        schedule.outputs.swap(*first, *second);
    }
}

/// How many elements the reads visit that depend on an axis.
fn weight(flat: &Flat, axis: usize) -> usize {
    let visited = |index: &Index| -> usize {
        (0..flat.extents.len()).filter(|&other| flat.depends(index, other)).map(|other| flat.extents[other]).product()
    };
    let reads = flat.reads.iter().filter(|read| flat.depends(&read.position, axis));
    reads.map(|read| visited(&read.position)).max().unwrap_or(0)
}

fn choose_lanes(flat: &Flat, target: &Target) -> Lanes {
    if !has_lane_types(flat) || flat.extents.contains(&0) {
        return Lanes::None;
    }
    let reduced: f64 = flat.reduction_axes().map(|axis| flat.extents[axis] as f64).product();
    let mut best = (scalar_cost(flat) * reduced, Lanes::None);
    if let Some(axis) = flat.output_axes().last() {
        let cost = lanes_cost(flat, axis, target) * reduced;
        if cost < best.0 {
            best = (cost, Lanes::Output(axis));
        }
    }
    if flat.reducer.is_some_and(|reducer| reducer.operation().is_some()) {
        for axis in flat.reduction_axes() {
            let cost = lanes_cost(flat, axis, target) * reduced + COMBINE;
            if cost < best.0 {
                best = (cost, Lanes::Reduction(axis));
            }
        }
    }
    best.1
}

/// The cost of folding the values of a register, in operations.
const COMBINE: f64 = 10.0;

/// The cost of a point when points run one by one.
fn scalar_cost(flat: &Flat) -> f64 {
    // A sum waits for its last addition.
    let wait = if flat.reducer.is_some() { 3.0 } else { 0.0 };
    flat.body.scalars.iter().map(scalar_operation_cost).sum::<f64>() + wait
}

/// The cost of a point when points along this axis run in lanes, what is left over in parts and then one by one.
fn lanes_cost(flat: &Flat, axis: usize, target: &Target) -> f64 {
    let group: f64 = flat.body.scalars.iter().map(|scalar| group_cost(flat, scalar, axis)).sum();
    let [groups, parts, single] = steps(flat.extents[axis], target);
    ((groups + parts) as f64 * group + single as f64 * scalar_cost(flat)) / flat.extents[axis] as f64
}

fn scalar_operation_cost(scalar: &Scalar) -> f64 {
    match scalar {
        Scalar::Read(_) => 1.0,
        Scalar::Apply(op, _) => operation_cost(*op),
        Scalar::Index(_) => 1.0,
        Scalar::Constant(..) | Scalar::Reduced => 0.0,
    }
}

/// The cost of a scalar for a whole group of lanes.
fn group_cost(flat: &Flat, scalar: &Scalar, axis: usize) -> f64 {
    let gathered = |index: &Index| {
        index.any(
            &mut |atom| matches!(atom, Atom::Gathered { read, .. } if flat.depends(&flat.reads[*read].position, axis)),
        )
    };
    match scalar {
        Scalar::Read(read) => match &flat.reads[*read].position {
            position if gathered(position) => 12.0,
            position => match position.stride(axis) {
                Some(0 | 1) => 1.0,
                Some(_) => 6.0,
                None => 16.0,
            },
        },
        Scalar::Index(index) if index.stride(axis).is_none() || gathered(index) => 16.0,
        other => scalar_operation_cost(other),
    }
}

pub(super) fn operation_cost(op: ScalarOp) -> f64 {
    match op {
        op if op.is_transcendental() => 20.0,
        ScalarOp::Div | ScalarOp::Sqrt => 4.0,
        ScalarOp::Max | ScalarOp::Min => 3.0,
        _ => 1.0,
    }
}

/// Whether a body takes many registers by itself.
pub(super) fn is_heavy(body: &Body) -> bool {
    let heavy = |scalar: &Scalar| matches!(scalar, Scalar::Apply(op, _) if op.is_transcendental());
    body.scalars.iter().any(heavy)
}

fn bodies(flat: &Flat) -> impl Iterator<Item = &Body> {
    [Some(&flat.body), flat.epilogue.as_ref()].into_iter().flatten()
}

/// The types of the constants and of what casts give.
fn constants(flat: &Flat) -> impl Iterator<Item = DType> {
    bodies(flat).flat_map(|body| &body.scalars).filter_map(|scalar| match scalar {
        Scalar::Constant(dtype, _) | Scalar::Apply(ScalarOp::Cast(dtype), _) => Some(*dtype),
        _ => None,
    })
}

/// Types whose values fill a lane each: all but those of 64 bits.
pub(super) fn is_lane_type(dtype: DType) -> bool {
    !matches!(dtype, DType::F64 | DType::I64)
}
