//! The code of a step on the processor, and what it needs to run: tables of arguments, workspace, local memory.
//!
//! Inputs are read where the caller has them; bools are converted. Results are read where the step left them.

use super::{Code, Cpu, Local, Session, threads};
use crate::device::arguments::{Arguments, Workspace, result_offsets};
use crate::device::{Clock, Emitted, Executable, Roof};
use crate::elements::Elements;
use crate::error::Error;
use crate::memory::{Memory, padded};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;
use tapeless_compiler::backend::cranelift;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::Leaf;
use tapeless_compiler::pipeline::{self, Options};
use tapeless_compiler::plan::Plan;

/// A step's code on the processor.
struct CpuExecutable {
    cpu: Arc<Cpu>,
    code: Code,
    emitted: Vec<Emitted>,
    arguments: Arguments,
    workspace: Memory,
    /// The first byte of each result.
    results: Vec<usize>,
    local: Local,
    /// How many values the vectors of the device hold.
    lanes: usize,
    threads: usize,
    converted: Converted,
}

/// Memory for inputs that are not read in place.
struct Converted {
    /// The first byte of each leaf, if it is such an input.
    offsets: Vec<Option<usize>>,
    memory: Memory,
}

/// Makes the code of a plan, and everything that a run needs.
pub(in crate::device) fn load(
    cpu: &Arc<Cpu>,
    step: &str,
    plan: Plan,
    options: &Options,
) -> Result<(Plan, Box<dyn Executable>), Error> {
    let wrong = |reason| Error::Internal { step: step.to_string(), reason };
    let (isa, target) = (cpu.isa()?, cpu.target(options.lanes));
    let program = pipeline::emit(plan, &**isa, &target);
    let program = program.map_err(|source| Error::Compile { step: step.to_string(), source })?;
    let (plan, code) = (program.plan, Code::load(&program.code, &**isa)?);
    let workspace = Memory::zeroed(plan.workspace_bytes)?;
    let threads = if code.is_parallel() { threads(options.threads) } else { 1 };
    let place = Workspace { start: workspace.pointer(0), bytes: workspace.bytes() };
    let executable = CpuExecutable {
        cpu: cpu.clone(),
        code,
        emitted: program.code.iter().map(emitted).collect(),
        arguments: Arguments::new(&plan, place).map_err(wrong)?,
        workspace,
        results: result_offsets(&plan).map_err(wrong)?,
        local: Local::new(plan.local_bytes(), threads)?,
        lanes: target.lanes,
        threads,
        converted: Converted::new(&plan)?,
    };
    Ok((plan, Box::new(executable)))
}

/// What is to say about this code.
fn emitted(code: &cranelift::Code) -> Emitted {
    let pieces = code.functions.iter().filter_map(|function| function.parallel);
    let pieces = pieces.filter(|&pieces| pieces > 1).collect();
    let refusal = code.refusal.as_ref().map(ToString::to_string);
    Emitted { lanes: code.lanes, spills: code.spills, refusal, pieces }
}

impl Converted {
    /// Memory for the bools of a plan.
    fn new(plan: &Plan) -> Result<Converted, Error> {
        let (mut offsets, mut bytes) = (vec![None; plan.leaves.len()], 0);
        for (offset, planned) in offsets.iter_mut().zip(&plan.leaves) {
            if matches!(planned.leaf, Leaf::User { .. }) && planned.dtype == DType::Bool {
                *offset = Some(bytes);
                bytes += padded(planned.shape.iter().product::<usize>() * planned.dtype.size());
            }
        }
        Ok(Converted { offsets, memory: Memory::zeroed(bytes)? })
    }
}

impl Executable for CpuExecutable {
    fn set_leaf(&mut self, leaf: usize, address: *mut u8) {
        self.arguments.set_leaf(leaf, address);
    }

    fn set_input(&mut self, leaf: usize, elements: Elements<'_>) {
        let start = match self.converted.offsets[leaf] {
            Some(offset) => {
                elements.store(&mut self.converted.memory, offset);
                self.converted.memory.pointer(offset)
            }
            // No kernel writes an input: the plan was checked for that.
            None => elements.start().cast_mut(),
        };
        self.arguments.set_leaf(leaf, start);
    }

    unsafe fn run(&mut self, clock: Option<Clock<'_>>) -> Result<(), Error> {
        let session = self.cpu.session(self.threads);
        let kernels = Kernels { code: &self.code, arguments: &mut self.arguments, local: &mut self.local, session };
        // SAFETY: the caller vouches for the leaves. `Arguments::new` held every buffer against its kernel's parameter, and
        // the workspace is this executable's own. Local memory was made for the kernel that takes the most, and for as many
        // threads as the session may have.
        unsafe {
            match clock {
                None => kernels.run(|_| {}),
                Some(clock) => {
                    let mut last = Instant::now();
                    kernels.run(|launch| {
                        let now = Instant::now();
                        clock(launch, now - last);
                        last = now;
                    });
                }
            }
        }
        Ok(())
    }

    fn offset(&self, result: usize) -> usize {
        self.results[result]
    }

    fn results(&self) -> &Memory {
        &self.workspace
    }

    fn gradients(&self) -> Result<&Memory, Error> {
        Ok(&self.workspace)
    }

    fn emitted(&self) -> &[Emitted] {
        &self.emitted
    }

    fn machine(&self) -> String {
        format!("{} threads, {} lanes", self.threads, self.lanes)
    }

    fn has_local_memory(&self) -> &'static str {
        "thread"
    }

    fn is_spread(&self) -> bool {
        self.code.is_parallel()
    }

    fn roof(&self, bytes: usize) -> Result<Roof, Error> {
        self.cpu.roof(self.threads, bytes)
    }
}

/// What a run takes.
struct Kernels<'s> {
    code: &'s Code,
    arguments: &'s mut Arguments,
    local: &'s mut Local,
    session: Session<'s>,
}

impl Kernels<'_> {
    /// Runs every launch in order, in loops several times, and `done` after each with its number.
    ///
    /// # Safety
    /// As for [`Code::run`], for every launch.
    unsafe fn run(self, mut done: impl FnMut(usize)) {
        let Ok(()) = self.arguments.each(|number, kernel, arguments| {
            // SAFETY: the caller vouches for it.
            unsafe { self.code.run(kernel, arguments, self.local, &self.session) }
            done(number);
            Ok::<(), Infallible>(())
        });
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::emitted;
    use cranelift_codegen::{isa, settings};
    use tapeless_compiler::pipeline::{Options, emit, load, plan};
    use tapeless_compiler::target::Target;

    /// A processor without any extension has four lanes, whatever the target says.
    #[test]
    fn kernels_with_fewer_lanes_than_their_target_say_why() {
        let text = "tapeless graph 1\nstep Negate\n%0 = user \"x\" : f32<64>\n%1 = neg %0 : f32<64>\nresult output 0 %1\nend\n";
        let graph = load(text).expect("the text is a graph");
        let flags = settings::Flags::new(settings::builder());
        let builder = isa::lookup_by_name("x86_64-unknown-linux-gnu").expect("Cranelift knows it");
        let isa = builder.finish(flags).expect("the settings fit together");
        let said = [4, 8].map(|lanes| {
            let target = Target::new(lanes);
            let plan = plan(&graph, &[], &Options::default(), &target).expect("the graph has a plan");
            let program = emit(plan, &*isa, &target).expect("negation is known everywhere");
            let said = emitted(&program.code[0]);
            (said.lanes, said.refusal)
        });
        let reason = "the target has no wider vectors that code is made for";
        assert_eq!(said, [(4, None), (4, Some(reason.to_string()))]);
    }
}
