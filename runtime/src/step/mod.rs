//! Steps: programs compiled for a device and for known extents, ready to run.
//!
//! Everything that can be wrong with a run is checked before its first launch, so a run that fails changes no parameter.
//! After the first run with a store, nothing is allocated.

mod check;
mod explain;
mod inputs;
mod profile;
mod results;
mod stores;
mod units;

pub use profile::{LaunchProfile, Profile};
pub use stores::StoreArgument;

use crate::device::{Clock, Device, Executable};
use crate::elements::{Element, Elements};
use crate::error::Error;
use crate::tensor::View;
use inputs::Inputs;
use profile::Times;
use results::StepResult;
use std::fmt;
use stores::{StoreUse, written_leaves};
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
    executable: Box<dyn Executable>,
    options: Options,
    inputs: Inputs,
    stores: Vec<StoreUse>,
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
        let plan = pipeline::plan(&graph, &bindings, options, &device.target(options))
            .map_err(|source| Error::Compile { step: graph.name.clone(), source })?;
        let (plan, executable) = device.load(&graph.name, plan, options)?;
        Step::assemble(graph, device, dims, plan, executable, options)
    }

    /// Prepares everything that a run needs.
    fn assemble(
        graph: Graph,
        device: &Device,
        dims: Vec<(String, usize)>,
        plan: Plan,
        executable: Box<dyn Executable>,
        options: &Options,
    ) -> Result<Step, Error> {
        let wrong = |reason| Error::Internal { step: graph.name.clone(), reason };
        let results = plan.results.iter().enumerate();
        let results = results.map(|(at, result)| StepResult::new(&plan, result, executable.offset(at)));
        let results = results.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let written = written_leaves(&plan);
        let stores = graph.stores.iter().enumerate();
        let stores = stores.map(|(position, decl)| StoreUse::new(position, decl, &plan, &written)).collect();
        let inputs = Inputs::new(&plan);
        let times = options.profile.then(|| Times::new(plan.launches.len()));
        Ok(Step {
            graph,
            device: device.clone(),
            dims,
            plan,
            executable,
            options: *options,
            inputs,
            stores,
            results,
            times,
            ran: false,
        })
    }

    /// Runs the step once. On an error nothing has changed, but for [`Error::Launch`].
    #[doc(hidden)]
    pub fn run(&mut self, stores: &mut [StoreArgument<'_>], inputs: &[Elements<'_>]) -> Result<(), Error> {
        self.inputs.check(&self.graph.name, inputs)?;
        if stores.len() != self.stores.len() {
            let reason = format!("takes {} stores, not {}", self.stores.len(), stores.len());
            return Err(Error::Internal { step: self.graph.name.clone(), reason });
        }
        for (used, argument) in self.stores.iter_mut().zip(stores.iter_mut()) {
            used.find(&self.graph.name, &self.device, argument)?;
        }
        for (used, argument) in self.stores.iter().zip(stores.iter_mut()) {
            used.fill(argument, &mut *self.executable);
        }
        self.inputs.fill(inputs, &mut *self.executable);
        self.launch()?;
        let memory = self.executable.results();
        self.results.iter_mut().filter(|result| !result.is_gradient()).for_each(|result| result.convert(memory));
        self.ran = true;
        self.check_finite()
    }

    /// Runs every launch. All leaves are set.
    fn launch(&mut self) -> Result<(), Error> {
        let mut clock = self.times.as_mut().map(Times::run);
        // SAFETY: every leaf was set before, to where it lies in stores on this device or in inputs. Their lengths were
        // checked. Stores that the plan writes are borrowed exclusively; what is borrowed otherwise is not written, which was
        // checked too. All of it stays borrowed until the run ends.
        unsafe { self.executable.run(clock.as_mut().map(|clock| clock as Clock<'_>)) }
    }

    /// Whether what the options want to be finite is, in the order of the graph: the first that is not says why.
    fn check_finite(&self) -> Result<(), Error> {
        for result in &self.results {
            let Role::NotFinite(role) = &result.role else { continue };
            let elements = result.view::<u32>(self.executable.results())[0];
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

    /// A result that is one number, by position.
    #[doc(hidden)]
    pub fn scalar<T: Element>(&self, result: usize) -> T {
        self.view(result)[0]
    }

    /// A result, by position among the results of the graph that are no next values.
    #[doc(hidden)]
    pub fn view<T: Element>(&self, result: usize) -> View<'_, T> {
        self.results[self.position(result)].view(self.executable.results())
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
            Some((_, result)) => Ok(result.floats(self.executable.gradients()?)),
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
        self.results[self.position(result)].elements(self.executable.results())
    }

    /// What runs, as text: launches and memory in sum, fused and as it would be without fusion, and of each launch the lanes
    /// of its vectors or the threads of its blocks, the pieces that threads or blocks share, floating-point operations, bytes read and written, stores of vectors
    /// that found no register, ops, results and where it was written. Behind that stands what was not fused, and why
    /// vectors have fewer lanes than the device. For steps compiled with [`Options::profile`] there are times too, as in
    /// [`Step::profile`], once the step has run.
    pub fn explain(&self) -> String {
        explain::explain(self)
    }

    /// Whether any of its kernels has work for several threads, or thread blocks.
    pub fn is_spread(&self) -> bool {
        self.executable.is_spread()
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

/// The extents as numbers, all of them set.
fn known(step: &str, dims: &[(&str, Option<usize>)]) -> Result<Vec<(String, usize)>, Error> {
    let unset = |name: &str| Error::UnsetExtent { step: step.to_string(), name: name.to_string() };
    let known = |&(name, extent): &(&str, Option<usize>)| Ok((name.to_string(), extent.ok_or_else(|| unset(name))?));
    dims.iter().map(known).collect()
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} with {} launches in {} bytes",
            self.graph.name,
            self.plan.launches.len(),
            self.plan.workspace_bytes
        )
    }
}
