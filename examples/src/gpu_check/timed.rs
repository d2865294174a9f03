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

/// The median time of a run in seconds: of at least so many runs, and of as many as fit a time.
pub fn median_time(run: &mut dyn Run, least: usize, time: Duration) -> Result<f64, Error> {
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.len() < least.max(1) || start.elapsed() < time {
        let begin = Instant::now();
        run.run()?;
        times.push(begin.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// What the launches of a step do in a run.
pub struct Launches {
    /// How many there are.
    pub count: usize,
    /// How long they take together, in seconds: the sum of their medians.
    pub seconds: f64,
    /// The bytes that they read and write.
    pub bytes: u64,
    /// The share of the roofline that they reach.
    pub roofline: f64,
}

impl Launches {
    /// How often a step runs of which so many runs are to be timed: a profile forgets the first ones.
    pub fn runs(timed: usize) -> usize {
        timed + timed / 8
    }

    /// Runs a step that profiles itself.
    pub fn measure(run: &mut dyn Run, timed: usize) -> Result<Launches, Error> {
        for _ in 0..Launches::runs(timed) {
            run.run()?;
        }
        let Profile { launches, seconds, roofline, .. } = run.step().profile()?;
        let bytes = launches.iter().map(|launch| launch.bytes).sum();
        Ok(Launches { count: launches.len(), seconds, bytes, roofline })
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
