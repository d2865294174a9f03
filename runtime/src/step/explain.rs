//! The report of a compiled step.

use std::collections::BTreeSet;
use tapeless_compiler::graph::Graph;
use tapeless_compiler::kernel::Usage;
use tapeless_compiler::pipeline::Program;
use tapeless_compiler::plan::{Launch, Place, Plan};

/// A line per kernel with fewer lanes than its target.
pub(super) fn narrow(program: &Program) -> Vec<String> {
    let lines = program.plan.kernels.iter().zip(&program.code).filter_map(|(kernel, code)| {
        let reason = code.refusal.as_ref()?;
        Some(format!("kernel {} has {} lanes: {reason}", kernel.name, code.lanes))
    });
    lines.collect()
}

/// What a plan runs, as text: one line per launch, then what was not fused and what has fewer lanes than the machine.
pub(super) fn explain(graph: &Graph, plan: &Plan, narrow: &[String]) -> String {
    let (launches, kernels) = (plan.launches.len(), plan.kernels.len());
    let (bytes, unshared) = (plan.workspace_bytes, plan.unshared_bytes);
    let mut text = format!(
        "{}: {launches} launches of {kernels} kernels, workspace {bytes} bytes ({unshared} without sharing)\n",
        graph.name
    );
    let lines: Vec<[String; 3]> = plan.launches.iter().map(|launch| line(graph, plan, launch)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let (labels, arrays) = (width(0), width(1));
    for (number, [label, traffic, position]) in lines.iter().enumerate() {
        let line = format!("{:>4}  {label:labels$}  {traffic:arrays$}  {position}", number + 1);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for (reason, times) in counted(&plan.unfused) {
        let times = if times == 1 { String::new() } else { format!(" ({times} such values)") };
        text.push_str(&format!("not fused: {reason}{times}\n"));
    }
    narrow.iter().for_each(|line| text.push_str(&format!("narrow: {line}\n")));
    text
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

/// The columns of a launch: its ops, what it reads and writes, where it was written.
fn line(graph: &Graph, plan: &Plan, launch: &Launch) -> [String; 3] {
    let kernel = &plan.kernels[launch.kernel];
    let arguments = || kernel.arguments().zip(&launch.arguments);
    let bytes = |usage: Usage| -> usize {
        let buffers: BTreeSet<_> = arguments().filter(|(p, _)| p.usage == usage).map(|(_, buffer)| buffer).collect();
        buffers.iter().map(|buffer| plan.buffers[buffer.0].elements * plan.buffers[buffer.0].dtype.size()).sum()
    };
    let written = arguments().filter(|(parameter, _)| parameter.usage == Usage::Written).map(|(parameter, buffer)| {
        let place = match plan.buffers[buffer.0].place {
            Place::Leaf(_) => " in place",
            Place::Workspace(_) => "",
        };
        format!("{}[{}]{place}", parameter.dtype, parameter.elements)
    });
    let written: Vec<String> = written.collect();
    let traffic =
        format!("{}: reads {} bytes, writes {}", written.join(", "), bytes(Usage::Read), bytes(Usage::Written));
    [launch.label.clone(), traffic, graph.position(launch.origin).unwrap_or_default()]
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::narrow;
    use cranelift_codegen::{isa, settings};
    use tapeless_compiler::pipeline::{Options, emit, load, plan};
    use tapeless_compiler::target::Target;

    /// A processor without any extension has four lanes, whatever the target says.
    #[test]
    fn kernels_with_fewer_lanes_than_their_target_are_listed() {
        let text = "tapeless graph 1\nstep Negate\n%0 = user \"x\" : f32<64>\n%1 = neg %0 : f32<64>\nresult output 0 %1\nend\n";
        let graph = load(text).expect("the text is a graph");
        let flags = settings::Flags::new(settings::builder());
        let builder = isa::lookup_by_name("x86_64-unknown-linux-gnu").expect("Cranelift knows it");
        let isa = builder.finish(flags).expect("the settings fit together");
        let lines = [4, 8].map(|lanes| {
            let target = Target::new(lanes);
            let plan = plan(&graph, &[], &Options::default(), &target).expect("the graph has a plan");
            narrow(&emit(plan, &*isa, &target).expect("negation is known everywhere"))
        });
        let reason = "the target has no wider vectors that code is made for";
        assert_eq!(lines, [vec![], vec![format!("kernel 0.neg has 4 lanes: {reason}")]]);
    }
}
