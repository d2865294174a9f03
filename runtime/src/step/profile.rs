//! How long the launches of a step take, and how near that is to what the device does at most.
//!
//! A profiled run reads the clock once per launch and keeps the times of the last runs in memory that was there before the
//! first one.

use super::Step;
use crate::device::Roof;
use crate::error::Error;
use std::time::Duration;
use tapeless_compiler::kernel::Cost;

/// The times of how many runs are kept.
const KEPT: usize = 64;

/// How long a step takes, launch by launch: what [`Step::profile`] gives.
///
/// The roofline of a launch is the time that its arithmetic takes at [`Profile::peak_flops`], or that its bytes take at
/// [`Profile::peak_bandwidth`], whichever is longer. What a launch reads may lie in a faster cache than all the memory of the
/// step does, because the launch before has just written it, so a share may exceed 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// How many runs there have been; times are of the last 64 at most.
    pub runs: usize,
    /// How long the launches of a run take together, in seconds: the sum of what each of them takes.
    pub seconds: f64,
    /// The roofline of all launches together as a share of [`Profile::seconds`].
    pub roofline: f64,
    /// How many floating-point operations in f32 the threads of the step do at most, in a second. Of a CUDA device, what its
    /// clock and its multiprocessors come to.
    pub peak_flops: f64,
    /// How many bytes these threads read and write at most, in a second, in memory of the size that the step has, rounded up
    /// to a power of two from 256 KiB to 128 MiB. Of a CUDA device, what the clock and the width of its memory come to.
    pub peak_bandwidth: f64,
    /// The launches in the order in which they run. Those of a scan are there once, with what all turns take together.
    pub launches: Vec<LaunchProfile>,
}

/// How long a launch takes.
#[derive(Clone, Debug, PartialEq)]
pub struct LaunchProfile {
    /// What it computes: the names of its ops in order.
    pub label: String,
    /// How long it takes in a run, in seconds, with all its turns if it is in a loop: the median of the runs.
    pub seconds: f64,
    /// How many floating-point operations run; a multiply-add is two, a transcendental function is one.
    pub flops: u64,
    /// How many bytes it reads and writes, each array once.
    pub bytes: u64,
    /// Its roofline as a share of [`LaunchProfile::seconds`].
    pub roofline: f64,
}

impl Step {
    /// How long the launches of the last runs took, for steps compiled with `Options::profile`. What the device does at most
    /// is measured when it is first asked for, which takes a fraction of a second.
    ///
    /// ```
    /// use tapeless::{Device, Error, Options, model};
    ///
    /// model! {
    ///     pub step Product(a: f32<dyn I, 64>, b: f32<64, dyn J>) -> f32<I, J> {
    ///         a.matmul(b)
    ///     }
    /// }
    ///
    /// fn main() -> Result<(), Error> {
    ///     let options = Options { profile: true, ..Options::default() };
    ///     let mut product = Product::compile(&Device::cpu(), Product::dims().i(32).j(48), &options)?;
    ///     for _ in 0..10 {
    ///         product.run(&vec![0.5; 32 * 64], &vec![2.0; 64 * 48])?;
    ///     }
    ///     let profile = product.profile()?;
    ///     for launch in &profile.launches {
    ///         let gflops = launch.flops as f64 / launch.seconds / 1e9;
    ///         println!("{}: {gflops} GFLOP/s, {} of the roofline", launch.label, launch.roofline);
    ///     }
    ///     assert_eq!((profile.runs, profile.launches[0].flops), (10, 2 * 32 * 64 * 48));
    ///     Ok(())
    /// }
    /// ```
    pub fn profile(&self) -> Result<Profile, Error> {
        let step = || self.graph.name.clone();
        let times = self.times.as_ref().ok_or_else(|| Error::NotProfiled { step: step() })?;
        if times.runs == 0 {
            return Err(Error::NotRun { step: step() });
        }
        let roof = self.executable.roof(self.plan.memory_bytes())?;
        let costs: Vec<Cost> = self.plan.costs().collect();
        let mut launches = Vec::new();
        for (number, (launch, cost)) in self.plan.launches.iter().zip(&costs).enumerate() {
            let (label, seconds) = (launch.label.clone(), times.median(number).as_secs_f64());
            let (flops, bytes, roofline) = (cost.flops, cost.bytes(), share(roof.seconds(cost), seconds));
            launches.push(LaunchProfile { label, seconds, flops, bytes, roofline });
        }
        let seconds = launches.iter().map(|launch| launch.seconds).sum();
        let roofline = share(costs.iter().map(|cost| roof.seconds(cost)).sum(), seconds);
        let (peak_flops, peak_bandwidth) = (roof.flops, roof.bandwidth);
        Ok(Profile { runs: times.runs, seconds, roofline, peak_flops, peak_bandwidth, launches })
    }
}

impl Roof {
    /// How long it takes at least.
    fn seconds(&self, cost: &Cost) -> f64 {
        (cost.flops as f64 / self.flops).max(cost.bytes() as f64 / self.bandwidth)
    }
}

/// A part of a time; a clock may show no time at all.
fn share(part: f64, seconds: f64) -> f64 {
    part / seconds.max(1e-9)
}

/// The times of the last runs.
pub(super) struct Times {
    /// Run by run, launch by launch.
    kept: Vec<Duration>,
    launches: usize,
    /// How many runs there have been.
    runs: usize,
}

impl Times {
    /// For a step of so many launches.
    pub(super) fn new(launches: usize) -> Times {
        Times { kept: vec![Duration::ZERO; KEPT * launches], launches, runs: 0 }
    }

    /// Begins a run: what is returned gets the time of each launch.
    pub(super) fn run(&mut self) -> impl FnMut(usize, Duration) {
        let first = self.runs % KEPT * self.launches;
        self.runs += 1;
        let times = &mut self.kept[first..first + self.launches];
        times.fill(Duration::ZERO);
        // In a loop a launch runs several times.
        |launch, time| times[launch] += time
    }

    /// The median of the times of a launch.
    fn median(&self, launch: usize) -> Duration {
        let runs = 0..self.runs.min(KEPT);
        let mut times: Vec<Duration> = runs.map(|run| self.kept[run * self.launches + launch]).collect();
        times.sort_unstable();
        times[times.len() / 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_medians_of_the_last_runs() {
        let mut times = Times::new(2);
        for run in 0..KEPT + 3 {
            let mut clock = times.run();
            (0..2).for_each(|launch| clock(launch, Duration::from_nanos((run + 100 * launch) as u64)));
        }
        // Of 3 up to 66, the upper one of the two in the middle.
        assert_eq!((times.runs, times.median(0)), (KEPT + 3, Duration::from_nanos(35)));
        assert_eq!(times.median(1), Duration::from_nanos(135));
    }

    #[test]
    fn a_roofline_is_the_longer_of_arithmetic_and_traffic() {
        let roof = Roof { flops: 1e9, bandwidth: 1e8 };
        let cost = |flops, read, written| roof.seconds(&Cost { flops, read, written });
        assert_eq!([cost(1_000_000, 1, 1), cost(1, 60_000, 40_000)], [1e-3, 1e-3]);
    }
}
