//! The report of a compiled step.

use super::profile::{LaunchProfile, Profile};
use super::{Step, units};
use crate::device::Emitted;
use crate::error::Error;
use tapeless_compiler::kernel::{Cost, Usage};
use tapeless_compiler::pipeline::{self, CompileError, Fusion, Options};
use tapeless_compiler::plan::{Launch, Place, Plan};

/// What a step runs, as text: sums, one line per launch, then what was not fused and what has fewer lanes than the machine.
pub(super) fn explain(step: &Step) -> String {
    let Step { plan, .. } = step;
    let profile = match step.profile() {
        Err(Error::NotProfiled { .. }) => None,
        profile => Some(profile),
    };
    let mut lines = heading(step);
    lines.extend(profile.as_ref().map(measured));
    lines.extend(looped(plan));
    lines.extend(table(step, profile.as_ref().and_then(|profile| profile.as_ref().ok())));
    for (reason, times) in counted(&plan.unfused) {
        let times = if times == 1 { String::new() } else { format!(" ({times} such values)") };
        lines.push(format!("not fused: {reason}{times}"));
    }
    lines.extend(narrow(step));
    lines.extend(rounding(step));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// The sums of the step, and of what it would be without fusion.
fn heading(step: &Step) -> Vec<String> {
    let Step { graph, plan, executable, .. } = step;
    let (launches, kernels) = (plan.launches.len(), plan.kernels.len());
    let title = format!("{}: {launches} launches of {kernels} kernels, {}", graph.name, executable.machine());
    if step.options.fusion == Fusion::none() {
        return vec![title, format!("unfused: {}", sums(step, plan))];
    }
    let unfused = unfused(step).map_or_else(|error| error.to_string(), |plan| sums(step, &plan));
    vec![title, format!("fused: {}", sums(step, plan)), format!("unfused: {unfused}")]
}

fn unfused(step: &Step) -> Result<Plan, CompileError> {
    let dims: Vec<(&str, usize)> = step.dims.iter().map(|(name, extent)| (name.as_str(), *extent)).collect();
    let options = Options { fusion: Fusion::none(), ..step.options };
    pipeline::plan(&step.graph, &dims, &options, &step.device.target(&options))
}

/// What a plan does and needs in sum.
fn sums(step: &Step, plan: &Plan) -> String {
    let cost: Cost = plan.costs().sum();
    let [bytes, read, written] = [cost.bytes(), cost.read, cost.written].map(units::bytes);
    let [workspace, unshared, local] =
        [plan.workspace_bytes, plan.unshared_bytes, plan.local_bytes()].map(|count| units::bytes(count as u64));
    format!(
        "{} launches, {}, {bytes} moved ({read} read, {written} written), workspace {workspace} ({unshared} without \
         sharing), local memory {local} per {}",
        plan.launches.len(),
        units::flops(cost.flops),
        step.executable.has_local_memory()
    )
}

/// What was measured in sum.
fn measured(profile: &Result<Profile, Error>) -> String {
    let profile = match profile {
        Ok(profile) => profile,
        Err(error) => return format!("profile: {error}"),
    };
    format!(
        "profile: {} per run in {} runs, {} of the roofline of {} and {}",
        units::time(profile.seconds),
        profile.runs,
        units::percent(profile.roofline),
        units::rate(profile.peak_flops, "FLOP"),
        units::rate(profile.peak_bandwidth, "B")
    )
}

/// A line per loop.
fn looped(plan: &Plan) -> impl Iterator<Item = String> {
    plan.loops.iter().map(|turns| {
        let (first, last) = (turns.launches.start + 1, turns.launches.end);
        format!("loop: {} turns of launches {first} to {last}, whose numbers are of all turns together", turns.turns)
    })
}

/// A line per launch, below the names of the columns. Numbers stand on the right of their columns.
fn table(step: &Step, profile: Option<&Profile>) -> Vec<String> {
    let mut head = vec!["#", "lanes", "pieces", "arithmetic", "read", "written", "spills"];
    if profile.is_some() {
        head.extend(["time", "share", "roofline"]);
    }
    let numbers = head.len();
    head.extend(["place", "ops -> result"]);
    let mut rows = vec![head.into_iter().map(String::from).collect::<Vec<String>>()];
    for (number, (launch, cost)) in step.plan.launches.iter().zip(step.plan.costs()).enumerate() {
        let mut row = vec![(number + 1).to_string()];
        row.extend(counts(&step.executable.emitted()[launch.kernel], &cost));
        if let Some(profile) = profile {
            row.extend(times(&profile.launches[number], profile.seconds));
        }
        let place = step.graph.position(launch.origin).unwrap_or_default();
        row.extend([place, format!("{} -> {}", launch.label, results(&step.plan, launch))]);
        rows.push(row);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let cell = |(at, text): (usize, &String)| match at < numbers {
        true => format!("{text:>0$}", widths[at]),
        false => format!("{text:0$}", widths[at]),
    };
    let line = |row: &Vec<String>| row.iter().enumerate().map(cell).collect::<Vec<String>>().join("  ");
    rows.iter().map(|row| format!("  {}", line(row)).trim_end().to_string()).collect()
}

/// Lanes, pieces, arithmetic, bytes read and written, spills.
fn counts(emitted: &Emitted, cost: &Cost) -> [String; 6] {
    let pieces = match emitted.pieces.as_slice() {
        [] => "1".to_string(),
        pieces => pieces.iter().map(usize::to_string).collect::<Vec<String>>().join("+"),
    };
    let [read, written] = [cost.read, cost.written].map(units::bytes);
    [emitted.lanes.to_string(), pieces, units::flops(cost.flops), read, written, emitted.spills.to_string()]
}

/// Time, share of the step's, share of the roofline.
fn times(launch: &LaunchProfile, seconds: f64) -> [String; 3] {
    let share = launch.seconds / seconds.max(f64::MIN_POSITIVE);
    [units::time(launch.seconds), units::percent(share), units::percent(launch.roofline)]
}

/// The arrays that a launch writes.
fn results(plan: &Plan, launch: &Launch) -> String {
    let arguments = plan.kernels[launch.kernel].arguments().zip(&launch.arguments);
    let written = arguments.filter(|(parameter, _)| parameter.usage == Usage::Written).map(|(parameter, buffer)| {
        let place = match plan.buffers[buffer.0].place {
            Place::Leaf(_) => " in place",
            Place::Workspace(_) => "",
            Place::Part(_) => " in each turn",
        };
        format!("{}[{}]{place}", parameter.dtype, parameter.elements)
    });
    written.collect::<Vec<String>>().join(", ")
}

/// Each line once, in order of its first appearance, with how often it is there.
fn counted(lines: &[String]) -> Vec<(&str, usize)> {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for line in lines {
        match counted.iter_mut().find(|(known, _)| known == line) {
            Some((_, times)) => *times += 1,
            None => counted.push((line, 1)),
        }
    }
    counted
}

/// A line per kernel that has lanes, but fewer than the device.
fn narrow(step: &Step) -> impl Iterator<Item = String> {
    step.plan.kernels.iter().zip(step.executable.emitted()).filter_map(|(kernel, Emitted { lanes, refusal, .. })| {
        refusal.as_ref().map(|reason| format!("narrow: kernel {} has {lanes} lanes: {reason}", kernel.name))
    })
}

/// A line per kernel that rounds the operands of a product.
fn rounding(step: &Step) -> impl Iterator<Item = String> {
    let kernels = step.plan.kernels.iter().filter(|kernel| !kernel.fragments.is_empty());
    kernels
        .map(|kernel| format!("{}: kernel {} rounds the operands of its product", step.options.precision, kernel.name))
}
