//! The compiler on one page: pass after pass, each verified and traceable.
//!
//! The macro half ends in [`finish`]: a graph whose extents may be open, which is embedded in the user's program as text.
//! The device half begins with [`load`] on that text, goes on to [`plan()`], where the extents are bound, nodes become
//! groups, groups kernels and kernels launches on memory, and ends in `emit` or `emit_ptx`, where kernels become code.
//!
//! After every pass its result is verified, in release too. What a verifier finds is a mistake of this compiler, never the
//! user's: the error names the pass.

#[cfg(feature = "cranelift")]
use crate::backend::cranelift;
#[cfg(feature = "ptx")]
use crate::backend::ptx;
use crate::expand::expand;
use crate::finite;
use crate::fuse::{self, Group, Refusal, fuse_for};
use crate::graph::{self, BindError, Graph, Leaf, Role, bind};
use crate::kernel;
use crate::nest;
use crate::ops::OPS;
use crate::plan::bounds::{bounds, insert};
use crate::plan::{self, Bound, Plan};
use crate::shape::{Bindings, Extent, Symbol};
use crate::simplify::simplify;
#[cfg(feature = "language")]
use crate::syntax::{self, diagnostic::Diagnostic, output};
use crate::target::{Precision, Target};
use crate::text::ParseError;
#[cfg(feature = "cranelift")]
use cranelift_codegen::isa::TargetIsa;
#[cfg(feature = "language")]
use proc_macro2::TokenStream;
use thiserror::Error;

pub use crate::fuse::Fusion;

/// What the user chooses about how a step is compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Which kinds of fusion are on; all by default.
    pub fusion: Fusion,
    /// How many threads run the step, the caller's included; 0, which is the default, stands for one per processor that the
    /// program may use. Results do not depend on it.
    pub threads: usize,
    /// How many values of 32 bits vectors have at most; 0, which is the default, stands for as many as the device has. Sums
    /// are taken in an order that depends on it.
    pub lanes: usize,
    /// What products of f32 may round their operands to where the device is faster then: CUDA devices are. As they are, by
    /// default.
    pub precision: Precision,
    /// Whether gradients are kept for the user to read after a run; not by default. They then take memory of their own.
    pub keep_gradients: bool,
    /// Whether a run fails and changes nothing where an element of a loss or of a gradient is infinite or no number; not by
    /// default. Gradients then take memory of their own, since every update waits for all of them.
    pub check_finite: bool,
    /// Whether every run measures how long each launch takes; not by default.
    pub profile: bool,
}

/// Why a text is no graph that can be compiled.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LoadError {
    /// It does not parse.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// It parses, but is no graph.
    #[error(transparent)]
    Verify(#[from] graph::VerifyError),
}

/// Why a graph cannot be compiled.
#[derive(Debug, Error)]
pub enum CompileError {
    /// The extents do not fit the step.
    #[error(transparent)]
    Bind(#[from] Box<BindError>),
    /// A pass broke an invariant.
    #[error("a mistake of tapeless: after pass `{pass}`, {error}")]
    Verify {
        /// The pass.
        pass: &'static str,
        /// What is wrong.
        error: Box<Broken>,
    },
    /// The back end does not know how to emit a kernel.
    #[cfg(feature = "cranelift")]
    #[error("a mistake of tapeless: kernel {kernel}: {error}")]
    Emit {
        /// The kernel.
        kernel: String,
        /// What is wrong.
        error: Box<cranelift::EmitError>,
    },
    /// The back end for CUDA does not know how to emit a kernel.
    #[cfg(feature = "ptx")]
    #[error("a mistake of tapeless: kernel {kernel}: {error}")]
    EmitPtx {
        /// The kernel.
        kernel: String,
        /// What is wrong.
        error: Box<ptx::EmitError>,
    },
}

/// What a verifier found.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Broken {
    /// In a graph.
    #[error("the graph is wrong: {0}")]
    Graph(graph::VerifyError),
    /// In the nest of a group.
    #[error("the nest of group `{0}` is wrong: {1}")]
    Nest(String, nest::VerifyError),
    /// In a kernel.
    #[error("kernel `{0}` is wrong: {1}")]
    Kernel(String, kernel::VerifyError),
    /// In the plan.
    #[error("the plan is wrong: {0}")]
    Plan(plan::verify::VerifyError),
}

/// A plan with the code of its kernels.
#[cfg(feature = "cranelift")]
#[derive(Clone, Debug)]
pub struct Program {
    /// What runs in which order on which memory.
    pub plan: Plan,
    /// One per kernel of the plan.
    pub code: Vec<cranelift::Code>,
}

/// The text of the program after a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The pass.
    pub pass: &'static str,
    /// What it made.
    pub text: String,
}

/// Who wants to see the program after each pass: gets the pass, and the text if asked for.
type Trace<'a> = &'a mut dyn FnMut(&'static str, &dyn Fn() -> String);

/// The macro half: what the contents of a `model! { … }` become, and all mistakes in them. A step with a mistake has an
/// empty graph.
#[cfg(feature = "language")]
pub fn derive(tokens: TokenStream) -> (output::Program, Vec<Diagnostic>) {
    let (mut program, mut diagnostics) = syntax::compile(tokens);
    for step in &mut program.steps {
        match finish(&step.graph) {
            Ok(graph) => step.graph = graph,
            Err(error) => diagnostics.push(Diagnostic::new(step.name.span, format!("{}: {error}", step.name.name))),
        }
    }
    (program, diagnostics)
}

/// The last passes of the macro half: no composite op is left but those that wait for extents, and nothing that is not
/// needed.
pub fn finish(graph: &Graph) -> Result<Graph, CompileError> {
    let trace: Trace<'_> = &mut |_, _| {};
    let graph = verified("expand", expand(graph), trace)?;
    verified("simplify", simplify(&graph), trace)
}

/// The graph of a text that [`graph::print`] made.
pub fn load(text: &str) -> Result<Graph, LoadError> {
    let graph = graph::parse(text, OPS)?;
    graph::verify(&graph)?;
    Ok(graph)
}

/// The plan of a step for these extents of its open axes and a machine.
pub fn plan(graph: &Graph, dims: &[(&str, usize)], options: &Options, target: &Target) -> Result<Plan, CompileError> {
    planned(graph, dims, options, target, &mut |_, _| {})
}

/// The code of a plan's kernels for the machine that it was planned for.
#[cfg(feature = "cranelift")]
pub fn emit(plan: Plan, isa: &dyn TargetIsa, target: &Target) -> Result<Program, CompileError> {
    let code = |kernel: &kernel::Kernel| {
        let failed = |error| CompileError::Emit { kernel: kernel.name.clone(), error: Box::new(error) };
        cranelift::emit(kernel, isa, target.lanes).map_err(failed)
    };
    let code = plan.kernels.iter().map(code).collect::<Result<_, _>>()?;
    Ok(Program { plan, code })
}

/// The PTX of a plan's kernels, which was made for a GPU.
#[cfg(feature = "ptx")]
pub fn emit_ptx(plan: &Plan) -> Result<Vec<ptx::Code>, CompileError> {
    let code = |kernel: &kernel::Kernel| {
        let failed = |error| CompileError::EmitPtx { kernel: kernel.name.clone(), error: Box::new(error) };
        ptx::emit(kernel).map_err(failed)
    };
    plan.kernels.iter().map(code).collect()
}

/// The program after every pass of [`plan()`].
pub fn stages(
    graph: &Graph,
    dims: &[(&str, usize)],
    options: &Options,
    target: &Target,
) -> Result<Vec<Stage>, CompileError> {
    let mut stages = Vec::new();
    planned(graph, dims, options, target, &mut |pass, text| stages.push(Stage { pass, text: text() }))?;
    Ok(stages)
}

/// The graph of a step with these extents of its open axes.
pub fn bound(graph: &Graph, dims: &[(&str, usize)]) -> Result<Graph, CompileError> {
    let bindings: Bindings = dims.iter().map(|&(name, extent)| (Symbol::new(name), Extent::from(extent))).collect();
    verified("bind", bind(graph, &bindings).map_err(Box::new)?, &mut |_, _| {})
}

fn planned(
    graph: &Graph,
    dims: &[(&str, usize)],
    options: &Options,
    target: &Target,
    trace: Trace<'_>,
) -> Result<Plan, CompileError> {
    let bindings: Bindings = dims.iter().map(|&(name, extent)| (Symbol::new(name), Extent::from(extent))).collect();
    let graph = verified("bind", bind(graph, &bindings).map_err(Box::new)?, trace)?;
    let indices = indices(&graph);
    let graph = if options.check_finite { verified("finite", finite::checked(&graph), trace)? } else { graph };
    let graph = verified("simplify", simplify(&wanted(graph, options)), trace)?;
    let graph = verified("expand", expand(&graph), trace)?;
    let graph = verified("simplify", simplify(&graph), trace)?;
    let (groups, refusals) = fuse_for(&graph, &options.fusion, target.gpu);
    verify_groups(&graph, &groups)?;
    trace("fuse", &|| fuse::print(&groups));
    let scans: Vec<fuse::Scan> = groups.iter().filter_map(|group| group.scan.clone()).collect();
    let mut plan = plan::plan(&graph, groups, target);
    plan.unfused = unfused(&graph, &graph, &refusals);
    plan.unfused.extend(scans.iter().flat_map(|scan| unfused(&graph, scan.turns.body.graph(), &scan.refusals)));
    add_bounds(&mut plan, indices);
    verify_kernels(&plan)?;
    trace("schedule", &|| plan.kernels.iter().map(|kernel| format!("{kernel}\n")).collect());
    plan::verify::verify(&plan, &graph).map_err(|error| broken("plan", Broken::Plan(error)))?;
    trace("plan", &|| plan::print(&plan));
    Ok(plan)
}

fn verified(pass: &'static str, graph: Graph, trace: Trace<'_>) -> Result<Graph, CompileError> {
    graph::verify(&graph).map_err(|error| broken(pass, Broken::Graph(error)))?;
    trace(pass, &|| graph::print(&graph));
    Ok(graph)
}

/// The graph without the results that the options do not ask for.
fn wanted(mut graph: Graph, options: &Options) -> Graph {
    graph.results.retain(|result| match result.role {
        Role::Gradient { .. } => options.keep_gradients,
        // Losses are there for differences, which are taken of another program.
        Role::Loss(_) => false,
        Role::Metric(_) | Role::Output(_) | Role::NotFinite(_) | Role::Next(_) => true,
    });
    graph
}

/// The inputs that a graph uses as indices. Later passes expand what says so, and may drop leaves.
fn indices(graph: &Graph) -> Vec<(Leaf, Bound)> {
    let leaf = |bound: &Bound| graph.leaves().nth(bound.leaf).map(|(_, leaf, _)| leaf.clone());
    bounds(graph).into_iter().filter_map(|bound| Some((leaf(&bound)?, bound))).collect()
}

fn add_bounds(plan: &mut Plan, indices: Vec<(Leaf, Bound)>) {
    for (leaf, bound) in indices {
        if let Some(position) = plan.leaves.iter().position(|planned| planned.leaf == leaf) {
            insert(&mut plan.bounds, Bound { leaf: position, ..bound });
        }
    }
}

fn verify_groups(graph: &Graph, groups: &[Group]) -> Result<(), CompileError> {
    for group in groups {
        let mut shapes: Vec<Vec<usize>> = group.operands.iter().map(|&value| graph.ty(value).known_shape()).collect();
        let wrong = |error| broken("fuse", Broken::Nest(group.label.clone(), error));
        for part in &group.parts {
            nest::verify(&part.nest, &shapes).map_err(wrong)?;
            shapes.push(part.nest.extents[..part.nest.outputs].to_vec());
        }
        if let Some(scan) = &group.scan {
            verify_groups(scan.turns.body.graph(), &scan.groups)?;
        }
    }
    Ok(())
}

fn verify_kernels(plan: &Plan) -> Result<(), CompileError> {
    for kernel in &plan.kernels {
        let wrong = |error| broken("schedule", Broken::Kernel(kernel.name.clone(), error));
        kernel::verify(kernel).map_err(wrong)?;
    }
    Ok(())
}

fn broken(pass: &'static str, error: Broken) -> CompileError {
    CompileError::Verify { pass, error: Box::new(error) }
}

/// A line per producer that stays a kernel: `tanh at src/main.rs:3:9 is not part of mul, contract: the value is read 2 times`.
/// The nodes are those of the graph or of a region in it.
fn unfused(root: &Graph, graph: &Graph, refusals: &[Refusal]) -> Vec<String> {
    let same = |a: &Refusal, b: &Refusal| (a.producer, &a.reason) == (b.producer, &b.reason);
    refusals.chunk_by(same).map(|refusals| explained(root, graph, refusals)).collect()
}

fn explained(root: &Graph, graph: &Graph, refusals: &[Refusal]) -> String {
    let Refusal { producer, reason, .. } = &refusals[0];
    let producer = graph.node(*producer);
    let place = root.position(producer.origin).map(|position| format!(" at {position}")).unwrap_or_default();
    let mut consumers: Vec<&str> = refusals.iter().map(|refusal| graph.node(refusal.consumer).op.name()).collect();
    consumers.sort();
    consumers.dedup();
    format!("{}{place} is not part of {}: {reason}", producer.op.name(), consumers.join(", "))
}
