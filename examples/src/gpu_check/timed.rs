//! A step with its store and inputs, ready to be run again and again, and how long that takes.

use std::ops::Deref;
use std::time::{Duration, Instant};
use tapeless::{Error, Profile, Step, Store};

/// Something that runs a step.
pub trait Run {
    /// Runs the step once; its loss, if it has one.
    fn run(&mut self) -> Result<f32, Error>;

    /// The step.
    fn step(&self) -> &Step;

    /// The store that it changes.
    fn store(&self) -> &Store;
}

/// A step that is ready to run, if it could be made.
pub type Ready = Result<Box<dyn Run>, Error>;

/// A step, the model that it changes, and how it is called.
struct Prepared<M, S, F> {
    model: M,
    step: S,
    call: F,
}

impl<M, S, F> Run for Prepared<M, S, F>
where
    M: Deref<Target = Store>,
    S: Deref<Target = Step>,
    F: FnMut(&mut S, &mut M) -> Result<f32, Error>,
{
    fn run(&mut self) -> Result<f32, Error> {
        (self.call)(&mut self.step, &mut self.model)
    }

    fn step(&self) -> &Step {
        &self.step
    }

    fn store(&self) -> &Store {
        &self.model
    }
}

/// A step, the model that it changes, and how it is called.
pub fn prepared<M, S, F>(model: M, step: S, call: F) -> Box<dyn Run>
where
    M: Deref<Target = Store> + 'static,
    S: Deref<Target = Step> + 'static,
    F: FnMut(&mut S, &mut M) -> Result<f32, Error> + 'static,
{
    Box::new(Prepared { model, step, call })
}

/// How often something is run that is timed.
#[derive(Clone, Copy)]
pub struct Runs {
    /// At least so many times.
    pub least: usize,
    /// And no more than so many.
    pub most: usize,
    /// In between as many times as fit this time.
    pub time: Duration,
}

impl Runs {
    /// Runs something; how often it did.
    fn repeat(self, mut run: impl FnMut() -> Result<(), Error>) -> Result<usize, Error> {
        let (start, mut runs) = (Instant::now(), 0);
        while runs < self.least || (runs < self.most && start.elapsed() < self.time) {
            run()?;
            runs += 1;
        }
        Ok(runs)
    }
}

/// The median time of a run in seconds.
pub fn median_time(run: &mut dyn Run, runs: Runs) -> Result<f64, Error> {
    let mut times = Vec::new();
    runs.repeat(|| {
        let begin = Instant::now();
        run.run()?;
        times.push(begin.elapsed().as_secs_f64());
        Ok(())
    })?;
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied().unwrap_or(f64::NAN))
}

/// What the launches of a step do in a run.
pub struct Launches {
    /// How many there are.
    pub count: usize,
    /// How often they ran.
    pub runs: usize,
    /// How long they take together, in seconds: the sum of their medians, of which each is of the last 64 runs at most.
    pub seconds: f64,
    /// The bytes that they read and write.
    pub bytes: u64,
    /// The share of the roofline that they reach.
    pub roofline: f64,
}

impl Launches {
    /// Runs a step that profiles itself. The first runs warm up: so few of them do not move a median.
    pub fn measure(run: &mut dyn Run, runs: Runs) -> Result<Launches, Error> {
        runs.repeat(|| run.run().map(drop))?;
        let Profile { runs, launches, seconds, roofline, .. } = run.step().profile()?;
        let bytes = launches.iter().map(|launch| launch.bytes).sum();
        Ok(Launches { count: launches.len(), runs, seconds, bytes, roofline })
    }

    /// The bytes that they move in a second.
    pub fn bandwidth(&self) -> f64 {
        self.bytes as f64 / self.seconds.max(1e-9)
    }
}

/// A share in percent, where it is known.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share))
}
