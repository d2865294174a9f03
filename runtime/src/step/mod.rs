//! Steps: programs compiled for a device and for known extents, ready to run.
//!
//! Everything that can be wrong with a run is checked before its first launch, so a run that fails changes no parameter.
//! After the first run with a store, nothing is allocated.

mod arguments;
mod check;
mod explain;
mod inputs;
mod profile;
mod results;
mod stores;
mod units;

pub use profile::{LaunchProfile, Profile};
pub use stores::StoreArgument;

use crate::device::Device;
use crate::device::cpu::{self, Code, Local, Session};
use crate::elements::{Element, Elements};
use crate::error::Error;
use crate::memory::Memory;
use crate::tensor::View;
use arguments::{Arguments, written_leaves};
use explain::Emitted;
use inputs::Inputs;
use profile::Times;
use results::StepResult;
use std::fmt;
use stores::StoreUse;
use tapeless_compiler::graph::{Graph, Role};
use tapeless_compiler::nearest::nearest;
use tapeless_compiler::pipeline::{self, Options};
use tapeless_compiler::plan::Plan;

/// A step compiled for a device, for known extents. The type that `model!` generates derefs to this.
pub struct Step {
    graph: Graph,
    device: Device,
    /// What each open extent is.
    dims: Vec<(String, usize)>,
    plan: Plan,
    code: Code,
    /// What is to say about the code of each kernel.
    emitted: Vec<Emitted>,
    options: Options,
    workspace: Memory,
    local: Local,
    threads: usize,
    inputs: Inputs,
    stores: Vec<StoreUse>,
    arguments: Arguments,
    results: Vec<StepResult>,
    /// How long the last launches took, if the options ask for it.
    times: Option<Times>,
    ran: bool,
}

impl Step {
    /// Compiles the printed graph of a step for these extents.
    #[doc(hidden)]
    pub fn compile(
        graph: &'static str,
        device: &Device,
        dims: &[(&str, Option<usize>)],
        options: &Options,
    ) -> Result<Step, Error> {
        let graph = pipeline::load(graph)?;
        let dims = known(&graph.name, dims)?;
        Step::build(graph, device, dims, options)
    }

    fn build(graph: Graph, device: &Device, dims: Vec<(String, usize)>, options: &Options) -> Result<Step, Error> {
        let bindings: Vec<(&str, usize)> = dims.iter().map(|(name, extent)| (name.as_str(), *extent)).collect();
        let (isa, target) = (device.processor().isa()?, &device.processor().target(options.lanes));
        let failed = |source| Error::Compile { step: graph.name.clone(), source };
        let plan = pipeline::plan(&graph, &bindings, options, target).map_err(failed)?;
        let program = pipeline::emit(plan, &**isa, target).map_err(failed)?;
        let code = Code::load(&program.code, &**isa)?;
        let emitted = program.code.iter().map(Emitted::new).collect();
        Step::assemble(graph, device, dims, program.plan, (code, emitted), options)
    }

    /// Prepares everything that a run needs.
    fn assemble(
        graph: Graph,
        device: &Device,
        dims: Vec<(String, usize)>,
        plan: Plan,
        (code, emitted): (Code, Vec<Emitted>),
        options: &Options,
    ) -> Result<Step, Error> {
        let wrong = |reason| Error::Internal { step: graph.name.clone(), reason };
        let workspace = Memory::zeroed(plan.workspace_bytes)?;
        let threads = if code.is_parallel() { cpu::threads(options.threads) } else { 1 };
        let local = Local::new(plan.local_bytes(), threads)?;
        let arguments = Arguments::new(&plan, &workspace).map_err(wrong)?;
        let results = plan.results.iter().map(|result| StepResult::new(&plan, result));
        let results = results.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let written = written_leaves(&plan);
        let stores = graph.stores.iter().enumerate();
        let stores = stores.map(|(position, decl)| StoreUse::new(position, decl, &plan, &written)).collect();
        let inputs = Inputs::new(&plan)?;
        let times = options.profile.then(|| Times::new(plan.launches.len()));
        Ok(Step {
            graph,
            device: device.clone(),
            dims,
            plan,
            code,
            emitted,
            options: *options,
            workspace,
            local,
            threads,
            inputs,
            stores,
            arguments,
            results,
            times,
            ran: false,
        })
    }

    /// Runs the step once. On an error nothing has changed.
    #[doc(hidden)]
    pub fn run(&mut self, stores: &mut [StoreArgument<'_>], inputs: &[Elements<'_>]) -> Result<(), Error> {
        self.inputs.check(&self.graph.name, inputs)?;
        if stores.len() != self.stores.len() {
            let reason = format!("takes {} stores, not {}", self.stores.len(), stores.len());
            return Err(Error::Internal { step: self.graph.name.clone(), reason });
        }
        for (used, argument) in self.stores.iter_mut().zip(stores.iter_mut()) {
            used.find(&self.graph.name, argument)?;
        }
        for (used, argument) in self.stores.iter().zip(stores.iter()) {
            used.fill(argument, &mut self.arguments);
        }
        self.inputs.fill(inputs, &mut self.arguments);
        self.launch();
        self.results.iter_mut().for_each(|result| result.convert(&self.workspace));
        self.ran = true;
        self.check_finite()
    }

    /// Whether what the options want to be finite is, in the order of the graph: the first that is not says why.
    fn check_finite(&self) -> Result<(), Error> {
        for result in &self.results {
            let Role::NotFinite(role) = &result.role else { continue };
            let elements = result.view::<u32>(&self.workspace)[0];
            if elements > 0 {
                let what = match self.gradient_key(role) {
                    Some(key) => format!("the gradient of `{key}`"),
                    None => "the loss".to_string(),
                };
                return Err(Error::NotFinite { step: self.graph.name.clone(), what, elements });
            }
        }
        Ok(())
    }

    /// Runs every kernel in order. All leaves are filled in.
    fn launch(&mut self) {
        let session = self.device.processor().session(self.threads);
        let kernels = Kernels { code: &self.code, arguments: &self.arguments, local: &mut self.local, session };
        match &mut self.times {
            None => kernels.run(|_| {}),
            Some(times) => kernels.run(times.run()),
        }
    }

    /// A result that is one number, by position.
    #[doc(hidden)]
    pub fn scalar<T: Element>(&self, result: usize) -> T {
        self.view(result)[0]
    }

    /// A result, by position among the results of the graph that are no next values.
    #[doc(hidden)]
    pub fn view<T: Element>(&self, result: usize) -> View<'_, T> {
        self.results[self.position(result)].view(&self.workspace)
    }

    /// The gradient of a parameter in the last run, for steps compiled with [`Options::keep_gradients`]. Where the step
    /// names several models, the key begins with the binding: `d.fc1.weight`. Gradients of other types than f32 are converted.
    pub fn gradient(&self, key: &str) -> Result<View<'_, f32>, Error> {
        let step = || self.graph.name.clone();
        if !self.options.keep_gradients {
            return Err(Error::GradientsNotKept { step: step() });
        }
        let gradients = || self.results.iter().filter_map(|result| Some((self.gradient_key(&result.role)?, result)));
        match gradients().find(|(name, _)| name == key) {
            Some(_) if !self.ran => Err(Error::NotRun { step: step() }),
            Some((_, result)) => Ok(result.floats(&self.workspace)),
            None => {
                let names: Vec<String> = gradients().map(|(name, _)| name).collect();
                let nearest = nearest(key, names.iter().map(String::as_str));
                let nearest = nearest.into_iter().map(str::to_string).collect();
                Err(Error::UnknownGradient { step: step(), key: key.to_string(), nearest })
            }
        }
    }

    /// A result as it is, by position among the results of the graph that are no next values.
    fn results_at(&self, result: usize) -> Elements<'_> {
        self.results[self.position(result)].elements(&self.workspace)
    }

    /// What runs, as text: launches and memory in sum, fused and as it would be without fusion, and of each launch the lanes
    /// of its vectors, the pieces that threads share, floating-point operations, bytes read and written, stores of vectors
    /// that found no register, ops, results and where it was written. Behind that stands what was not fused, and why
    /// vectors have fewer lanes than the device. For steps compiled with [`Options::profile`] there are times too, as in
    /// [`Step::profile`], once the step has run.
    pub fn explain(&self) -> String {
        explain::explain(self)
    }

    /// Whether any of its kernels has work for several threads.
    pub fn is_spread(&self) -> bool {
        self.code.is_parallel()
    }

    /// The key under which the user finds a gradient.
    fn gradient_key(&self, role: &Role) -> Option<String> {
        let Role::Gradient { store, key } = role else { return None };
        Some(match self.graph.stores.len() {
            1 => key.clone(),
            _ => format!("{}.{key}", self.graph.stores[*store].binding),
        })
    }

    /// Where the plan has a result of the graph: it leaves out what was not asked for.
    fn position(&self, result: usize) -> usize {
        let mut roles =
            self.graph.results.iter().map(|result| &result.role).filter(|role| !matches!(role, Role::Next(_)));
        let role = roles.nth(result).expect("generated code knows how many results there are");
        self.results.iter().position(|result| result.role == *role).expect("the plan has what generated code asks for")
    }
}

/// What a run takes.
struct Kernels<'s> {
    code: &'s Code,
    arguments: &'s Arguments,
    local: &'s mut Local,
    session: Session<'s>,
}

impl Kernels<'_> {
    /// Runs every launch in order, and `done` after each with its number.
    fn run(self, mut done: impl FnMut(usize)) {
        for (number, (kernel, arguments)) in self.arguments.launches().enumerate() {
            // SAFETY: `Arguments::new` held every buffer against its kernel's parameter, and the lengths of leaves were
            // checked when they were filled in. Workspace and slots belong to the step and to stores that are borrowed
            // exclusively; inputs and stores that are borrowed otherwise are not written, which was checked too. Local
            // memory was made for the kernel that takes the most, and for as many threads as the session may have.
            unsafe { self.code.run(kernel, arguments, self.local, &self.session) }
            done(number);
        }
    }
}

/// The extents as numbers, all of them set.
fn known(step: &str, dims: &[(&str, Option<usize>)]) -> Result<Vec<(String, usize)>, Error> {
    let unset = |name: &str| Error::UnsetExtent { step: step.to_string(), name: name.to_string() };
    let known = |&(name, extent): &(&str, Option<usize>)| Ok((name.to_string(), extent.ok_or_else(|| unset(name))?));
    dims.iter().map(known).collect()
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} launches in {} bytes", self.graph.name, self.plan.launches.len(), self.workspace.bytes())
    }
}
