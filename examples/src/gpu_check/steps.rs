//! Whole training steps: how long they take fused and with one kernel per operation, and whether they train as on the
//! processor.

use super::Size;
use super::copies::Copies;
use super::sheet::{Sheet, Verdict};
use super::timed::{Launches, Ready, Run, Runs, median_time, percent, prepared};
use std::time::Duration;
use tapeless::{Device, Error, Fusion, Options, Seed};
use tapeless_benches::{Chain, Mlp, Tiny, TrainChain, TrainMlp, TrainTiny, classes, numbers};
use tapeless_checks::{Deviation, Failure};

/// How many first losses are compared, and how far they may be off, relative to what they are.
const LOSSES: usize = 4;
const TOLERANCE: f64 = 1e-3;

const REMARK: &str = "A run begins with the batch in the program's memory and ends with the loss there; kernels are timed one by \
                      one, each with what it takes to launch it. Losses are held against those of the fused step on the \
                      processor.";
const COLUMNS: [&str; 11] = [
    "step",
    "batch",
    "form",
    "us per run",
    "us in kernels",
    "launches",
    "MB moved",
    "of copies",
    "of the roofline",
    "error of losses",
    "result",
];

/// A training step.
struct Case {
    name: &'static str,
    /// How many samples a batch has.
    batch: usize,
    /// How many it has where everything is small; such a case may be left out.
    small_batch: Option<usize>,
    make: fn(&Device, &Options, usize) -> Ready,
}

const CASES: [Case; 4] = [
    Case { name: "step: tiny, 10-20-1, Sgd", batch: 32, small_batch: Some(32), make: tiny },
    Case { name: "step: mlp, 784-512-256-10, Adam", batch: 64, small_batch: Some(2), make: mlp },
    Case { name: "step: mlp, 784-512-256-10, Adam, large batch", batch: 4096, small_batch: None, make: mlp },
    Case { name: "step: chain of 1024, Sgd", batch: 4096, small_batch: Some(4), make: chain },
];

fn tiny(device: &Device, options: &Options, batch: usize) -> Ready {
    let (x, y) = (numbers(batch * 10), numbers(batch));
    let step = TrainTiny::compile(device, TrainTiny::dims().b(batch), options)?;
    let net = Tiny::new(device, Seed(1))?;
    Ok(prepared(net, step, move |step, net| step.run(net, &x, &y, 1e-2).map(|out| out.loss)))
}

fn mlp(device: &Device, options: &Options, batch: usize) -> Ready {
    let (x, y) = (numbers(batch * 784), classes(batch, 10));
    let step = TrainMlp::compile(device, TrainMlp::dims().b(batch), options)?;
    let net = Mlp::new(device, Seed(1))?;
    Ok(prepared(net, step, move |step, net| step.run(net, &x, &y, 1e-3).map(|out| out.loss)))
}

fn chain(device: &Device, options: &Options, batch: usize) -> Ready {
    let (x, y) = (numbers(batch * 1024), numbers(batch * 1024));
    let step = TrainChain::compile(device, TrainChain::dims().b(batch), options)?;
    let net = Chain::new(device, Seed(1))?;
    Ok(prepared(net, step, move |step, net| step.run(net, &x, &y, 1e-2).map(|out| out.loss)))
}

impl Case {
    fn batch(&self, size: Size) -> Option<usize> {
        match size {
            Size::Large => Some(self.batch),
            Size::Small => self.small_batch,
        }
    }
}

/// Times every step.
pub fn time(device: &Device, size: Size, copies: &mut Copies<'_>, sheet: &mut Sheet) {
    let cases = CASES.iter().enumerate().filter(|(at, case)| sheet.takes(case.name, *at, 3));
    let cases: Vec<(&Case, usize)> = cases.filter_map(|(_, case)| Some((case, case.batch(size)?))).collect();
    if cases.is_empty() {
        return;
    }
    let bandwidth = copies.bandwidth(sheet);
    sheet.section("Training steps", REMARK, &COLUMNS);
    for (case, batch) in cases {
        let expected = (case.make)(&Device::cpu(), &Options::default(), batch).and_then(|mut run| losses(&mut *run));
        for (form, fusion) in [("fused", Fusion::default()), ("unfused", Fusion::none())] {
            let options = Options { fusion, ..Options::default() };
            let make = |profile| (case.make)(device, &Options { profile, ..options }, batch);
            let (rest, verdict) = match &expected {
                Ok(expected) => match measure(make, size, expected) {
                    Ok(measured) => (measured.cells(bandwidth).to_vec(), measured.verdict()),
                    Err(error) => (vec![String::new(); 7], Verdict::on(&error.into())),
                },
                Err(error) => (vec![String::new(); 7], Verdict::Failed(format!("on the processor: {error}"))),
            };
            let cells = [case.name.to_string(), batch.to_string(), form.to_string()];
            sheet.row(&[cells.to_vec(), rest].concat(), &verdict);
        }
    }
}

/// The first losses of a step.
fn losses(run: &mut dyn Run) -> Result<Vec<f32>, Error> {
    (0..LOSSES).map(|_| run.run()).collect()
}

/// What was found out about a step.
struct Measured {
    /// The median time of a run in seconds.
    seconds: f64,
    launches: Launches,
    /// The loss that is furthest off.
    worst: Deviation,
}

/// Times what a function makes, with and without a profile.
fn measure(make: impl Fn(bool) -> Ready, size: Size, expected: &[f32]) -> Result<Measured, Error> {
    let runs = match size {
        Size::Large => Runs { least: 5, most: usize::MAX, time: Duration::from_millis(500) },
        Size::Small => Runs { least: 2, most: 2, time: Duration::ZERO },
    };
    let mut run = make(false)?;
    let worst = worst(&losses(&mut *run)?, expected);
    let seconds = median_time(&mut *run, runs)?;
    let launches = Launches::measure(&mut *make(true)?, runs)?;
    Ok(Measured { seconds, launches, worst })
}

/// The loss that is furthest off what it should be.
fn worst(losses: &[f32], expected: &[f32]) -> Deviation {
    let off = |(at, (&loss, &expected)): (usize, (&f32, &f32))| {
        let what = format!("loss {at}, {loss} instead of {expected},");
        Deviation { what, error: f64::from((loss - expected).abs() / expected.abs()), tolerance: TOLERANCE }
    };
    losses.iter().zip(expected).enumerate().map(off).reduce(Deviation::worse).expect("there are losses")
}

impl Measured {
    fn cells(&self, bandwidth: Option<f64>) -> [String; 7] {
        let Measured { seconds, launches, worst } = self;
        [
            format!("{:.1}", seconds * 1e6),
            format!("{:.1}", launches.seconds * 1e6),
            launches.count.to_string(),
            format!("{:.2}", launches.bytes as f64 / 1e6),
            percent(bandwidth.map(|bandwidth| launches.bandwidth() / bandwidth)),
            percent(Some(launches.roofline)),
            format!("{:.1e}", worst.error),
        ]
    }

    fn verdict(&self) -> Verdict {
        match self.worst.holds() {
            true => Verdict::Ok,
            false => Verdict::on(&Failure::Off(self.worst.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_that_are_no_numbers_are_furthest_off() {
        assert!(worst(&[1.0, 2.0], &[1.0, 2.001]).holds());
        let off = worst(&[f32::NAN, 2.0, 1.0], &[1.0, 2.0, 1.1]);
        assert!(!off.holds() && off.what.starts_with("loss 0"), "{off}");
        assert!(!worst(&[1.0, 2.0], &[1.0, 2.01]).holds());
    }
}
