//! A step on a CUDA device: its modules, its workspace, and the graph of copies and launches that a run is.
//!
//! A run copies the inputs, launches every kernel in order, and copies back what it shows. All of that is captured as a graph
//! for each set of addresses that the leaves have, which is once per store, and replayed from then on. Where the driver does
//! not capture, and where launches are timed, they run as they are.

use super::buffer::Buffer;
use super::code::{Module, Parameters};
use super::results::Results;
use super::staged::Staged;
use super::{Cuda, THREADS, described, is_fatal};
use crate::device::arguments::{Arguments, Workspace};
use crate::device::{Clock, Emitted, Executable, Roof};
use crate::elements::Elements;
use crate::error::Error;
use crate::memory::Memory;
use cudarc::driver::result::DriverError;
use cudarc::driver::sys::{CUevent_flags, CUgraphInstantiate_flags, CUstreamCaptureMode};
use cudarc::driver::{CudaEvent, CudaGraph, CudaStream};
use std::sync::Arc;
use std::time::Duration;
use tapeless_compiler::backend::ptx;
use tapeless_compiler::pipeline;
use tapeless_compiler::plan::Plan;

/// How many graphs are kept: a step that changes between more stores than this captures anew.
const GRAPHS: usize = 8;

/// A step's code on a CUDA device.
pub(super) struct CudaExecutable {
    step: String,
    /// The oldest one first.
    graphs: Vec<Captured>,
    /// Whether the driver captures what a run is.
    captures: bool,
    modules: Vec<Module>,
    emitted: Vec<Emitted>,
    arguments: Arguments,
    parameters: Parameters,
    stream: Arc<CudaStream>,
    events: [CudaEvent; 2],
    workspace: Buffer,
    inputs: Staged,
    results: Results,
    cuda: Arc<Cuda>,
}

/// A graph of copies and launches, and the addresses that are in it.
struct Captured {
    leaves: Vec<*mut u8>,
    graph: CudaGraph,
}

// SAFETY: only one thread at a time uses a graph, since running it takes its executable exclusively; the addresses are
// compared and never followed on the host.
unsafe impl Send for Captured {}

/// Makes the code of a plan, and everything that a run needs.
pub(in crate::device) fn load(cuda: &Arc<Cuda>, step: &str, plan: Plan) -> Result<(Plan, Box<dyn Executable>), Error> {
    let failed = |source| Error::Compile { step: step.to_string(), source };
    let code = pipeline::emit_ptx(&plan).map_err(failed)?;
    let executable = CudaExecutable::new(cuda, step, &plan, &code)?;
    Ok((plan, Box::new(executable)))
}

impl CudaExecutable {
    /// Loads the code of each kernel of a plan.
    pub(super) fn new(cuda: &Arc<Cuda>, step: &str, plan: &Plan, code: &[ptx::Code]) -> Result<CudaExecutable, Error> {
        let wrong = |reason| Error::Internal { step: step.to_string(), reason };
        let modules = plan.kernels.iter().zip(code);
        let modules = modules.map(|(kernel, code)| Module::load(cuda, step, &kernel.name, code));
        let modules = modules.collect::<Result<Vec<Module>, Error>>()?;
        let workspace = Buffer::zeroed(cuda, plan.workspace_bytes)?;
        let place = Workspace { start: workspace.address(0), bytes: workspace.bytes() };
        let mut arguments = Arguments::new(plan, place).map_err(wrong)?;
        let inputs = Staged::new(cuda, plan)?;
        inputs.places().for_each(|(leaf, address)| arguments.set_leaf(leaf, address));
        let event = || {
            let event = cuda.context.new_event(Some(CUevent_flags::CU_EVENT_DEFAULT));
            event.map_err(|error| cuda.failed("cuEventCreate", error))
        };
        Ok(CudaExecutable {
            step: step.to_string(),
            graphs: Vec::new(),
            captures: true,
            emitted: modules.iter().map(Module::emitted).collect(),
            modules,
            arguments,
            parameters: Parameters::default(),
            stream: cuda.new_stream()?,
            events: [event()?, event()?],
            workspace,
            inputs,
            results: Results::new(cuda, plan)?.map_err(wrong)?,
            cuda: cuda.clone(),
        })
    }

    /// How many graphs it keeps.
    #[cfg(test)]
    pub(super) fn graphs(&self) -> usize {
        self.graphs.len()
    }

    /// The same on a driver that captures nothing.
    #[cfg(test)]
    pub(super) fn without_graphs(&mut self) {
        self.captures = false;
    }

    /// Runs the graph for the addresses that the leaves have.
    ///
    /// # Safety
    /// As for [`Executable::run`], until the stream has been waited for.
    unsafe fn replay(&mut self) -> Result<(), Error> {
        let known = self.graphs.iter().position(|captured| captured.leaves == self.arguments.leaves());
        if known.is_none() && self.captures {
            // SAFETY: what is captured runs when the graph does, which is below, and again only for the same addresses.
            match unsafe { self.capture() } {
                Some(graph) => self.keep(graph),
                None => self.captures = false,
            }
        }
        match known.map_or_else(|| self.graphs.last(), |at| self.graphs.get(at)) {
            Some(captured) if known.is_some() || self.captures => {
                captured.graph.launch().map_err(|error| self.launch_failed("cuGraphLaunch", None, error))
            }
            // SAFETY: the caller vouches for it.
            _ => unsafe { self.enqueue() },
        }
    }

    /// The graph of a run; `None` if the driver captures none. What is wrong with a launch shows when it runs.
    ///
    /// # Safety
    /// As for [`Executable::run`], whenever the graph runs.
    unsafe fn capture(&mut self) -> Option<CudaGraph> {
        self.stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).ok()?;
        // SAFETY: the caller vouches for it.
        let enqueued = unsafe { self.enqueue() };
        let graph = self.stream.end_capture(CUgraphInstantiate_flags(0));
        enqueued.ok().and(graph.ok().flatten())
    }

    /// Keeps a graph for the addresses that the leaves have, the oldest one in its place if there are many.
    fn keep(&mut self, graph: CudaGraph) {
        if self.graphs.len() == GRAPHS {
            self.graphs.remove(0);
        }
        self.graphs.push(Captured { leaves: self.arguments.leaves().to_vec(), graph });
    }

    /// Puts a run into the stream.
    ///
    /// # Safety
    /// As for [`Executable::run`], until the stream has run it.
    unsafe fn enqueue(&mut self) -> Result<(), Error> {
        // SAFETY: the caller vouches for the leaves; workspace, inputs and results belong to `self`, which is not used
        // before the stream has been waited for. `Arguments::new` held every buffer against its kernel's parameter.
        unsafe {
            self.inputs.enqueue(&self.stream)?;
            let (modules, stream, parameters) = (&self.modules, &self.stream, &mut self.parameters);
            let launched = self.arguments.each(|_, kernel, arguments| {
                modules[kernel].launch(stream, arguments, parameters).map_err(|error| (kernel, error))
            });
            launched.map_err(|(kernel, error)| self.launch_failed("cuLaunchKernel", Some(kernel), error))?;
            self.results.enqueue(&self.workspace, &self.stream)
        }
    }

    /// Runs the launches one by one, and takes the time of each.
    ///
    /// # Safety
    /// As for [`Executable::run`].
    unsafe fn measure(&mut self, clock: Clock<'_>) -> Result<(), Error> {
        // SAFETY: as in `enqueue`.
        unsafe { self.inputs.enqueue(&self.stream)? }
        let (modules, stream, parameters) = (&self.modules, &self.stream, &mut self.parameters);
        let [begin, end] = &self.events;
        let launched = self.arguments.each(|number, kernel, arguments| {
            let mut timed = || {
                begin.record(stream)?;
                // SAFETY: as in `enqueue`.
                unsafe { modules[kernel].launch(stream, arguments, parameters)? }
                end.record(stream)?;
                begin.elapsed_ms(end)
            };
            let time = timed().map_err(|error| (kernel, error))?;
            clock(number, Duration::from_secs_f64(f64::from(time) / 1e3));
            Ok(())
        });
        launched.map_err(|(kernel, error)| self.launch_failed("cuLaunchKernel", Some(kernel), error))?;
        // SAFETY: as in `enqueue`.
        unsafe { self.results.enqueue(&self.workspace, &self.stream) }
    }

    /// Waits for what is in the stream; a kernel that failed shows here.
    fn wait(&self) -> Result<(), Error> {
        self.stream.synchronize().map_err(|error| self.launch_failed("cuStreamSynchronize", None, error))
    }

    /// A call failed that runs a kernel, or waits for some.
    fn launch_failed(&self, call: &'static str, kernel: Option<usize>, error: DriverError) -> Error {
        self.cuda.remember(error);
        if kernel.is_none() && !is_fatal(error) {
            return self.cuda.failed(call, error);
        }
        let kernel = kernel.map(|kernel| self.modules[kernel].kernel().to_string());
        Error::Launch { step: self.step.clone(), kernel, device: self.cuda.to_string(), error: described(error) }
    }
}

impl Executable for CudaExecutable {
    fn set_leaf(&mut self, leaf: usize, address: *mut u8) {
        self.arguments.set_leaf(leaf, address);
    }

    fn set_input(&mut self, leaf: usize, elements: Elements<'_>) {
        self.inputs.set(leaf, elements);
    }

    unsafe fn run(&mut self, clock: Option<Clock<'_>>) -> Result<(), Error> {
        self.cuda.bind()?;
        self.results.forget();
        // SAFETY: the caller vouches for the leaves until this returns, and it returns after everything has run.
        let ran = unsafe {
            match clock {
                None => self.replay(),
                Some(clock) => self.measure(clock),
            }
        };
        let waited = self.wait();
        ran.and(waited)
    }

    fn offset(&self, result: usize) -> usize {
        self.results.offset(result)
    }

    fn results(&self) -> &Memory {
        self.results.shown()
    }

    fn gradients(&self) -> Result<&Memory, Error> {
        self.results.gradients(&self.workspace)
    }

    fn emitted(&self) -> &[Emitted] {
        &self.emitted
    }

    fn machine(&self) -> String {
        format!("{}, {THREADS} threads per block", self.cuda)
    }

    fn has_local_memory(&self) -> &'static str {
        "block"
    }

    fn is_spread(&self) -> bool {
        self.emitted.iter().any(|emitted| !emitted.pieces.is_empty())
    }

    fn roof(&self, _bytes: usize) -> Result<Roof, Error> {
        self.cuda.roof()
    }
}

impl Drop for CudaExecutable {
    fn drop(&mut self) {
        // Graphs are destroyed by whichever thread drops them, in the context of the device. Of a lost one nothing is left.
        let _ = self.cuda.bind();
    }
}
