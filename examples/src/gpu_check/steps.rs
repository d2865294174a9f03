//! Whole training steps: how long they take fused and with one kernel per operation, and whether they train as on the
//! processor.

use super::Size;
use super::copies::Copies;
use super::sheet::{Sheet, Verdict};
use super::timed::{Launches, Run, median_time, percent, prepared};
use std::time::Duration;
use tapeless::{Device, Error, Fusion, Options, Seed};
use tapeless_benches::{Chain, Mlp, Tiny, TrainChain, TrainMlp, TrainTiny, classes, numbers};
use tapeless_checks::{Deviation, Failure};

/// How many first losses are compared, and how far they may be off, relative to what they are.
const LOSSES: usize = 4;
const TOLERANCE: f64 = 1e-3;

/// A training step for batches of either size.
struct Case {
    name: &'static str,
    /// How many samples a batch has, where it is large and where it is small.
    batch: [usize; 2],
    make: fn(&Device, &Options, usize) -> Result<Box<dyn Run>, Error>,
}

const CASES: [Case; 4] = [
    Case { name: "step: tiny, 10-20-1, Sgd", batch: [32, 32], make: tiny },
    Case { name: "step: mlp, 784-512-256-10, Adam", batch: [64, 2], make: mlp },
    Case { name: "step: mlp, 784-512-256-10, Adam, large batch", batch: [4096, 4], make: mlp },
    Case { name: "step: chain of 1024, Sgd", batch: [4096, 4], make: chain },
];

fn tiny(device: &Device, options: &Options, batch: usize) -> Result<Box<dyn Run>, Error> {
    let (x, y) = (numbers(batch * 10), numbers(batch));
    let step = TrainTiny::compile(device, TrainTiny::dims().b(batch), options)?;
    let net = Tiny::new(device, Seed(1))?;
    Ok(prepared(net, step, move |step, net| step.run(net, &x, &y, 1e-2).map(|out| out.loss)))
}

fn mlp(device: &Device, options: &Options, batch: usize) -> Result<Box<dyn Run>, Error> {
    let (x, y) = (numbers(batch * 784), classes(batch, 10));
    let step = TrainMlp::compile(device, TrainMlp::dims().b(batch), options)?;
    let net = Mlp::new(device, Seed(1))?;
    Ok(prepared(net, step, move |step, net| step.run(net, &x, &y, 1e-3).map(|out| out.loss)))
}

fn chain(device: &Device, options: &Options, batch: usize) -> Result<Box<dyn Run>, Error> {
    let (x, y) = (numbers(batch * 1024), numbers(batch * 1024));
    let step = TrainChain::compile(device, TrainChain::dims().b(batch), options)?;
    let net = Chain::new(device, Seed(1))?;
    Ok(prepared(net, step, move |step, net| step.run(net, &x, &y, 1e-2).map(|out| out.loss)))
}

/// Times every step.
pub fn time(device: &Device, size: Size, copies: &mut Copies<'_>, sheet: &mut Sheet) {
    let cases: Vec<&Case> =
        CASES.iter().enumerate().filter(|(at, case)| sheet.takes(case.name, *at, 3)).map(|(_, case)| case).collect();
    if cases.is_empty() {
        return;
    }
    let bandwidth = copies.bandwidth(sheet);
    let remark = "A run begins with the batch in the program's memory and ends with the loss there; kernels are timed one by \
                  one. Losses are held against those of the fused step on the processor.";
    let columns = [
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
    sheet.section("Training steps", remark, &columns);
    for case in cases {
        let batch = case.batch[usize::from(size == Size::Small)];
        let expected = (case.make)(&Device::cpu(), &Options::default(), batch).and_then(|mut run| losses(&mut *run));
        for (form, fusion) in [("fused", Fusion::default()), ("unfused", Fusion::none())] {
            let options = Options { fusion, ..Options::default() };
            let measured = match &expected {
                Ok(expected) => {
                    measure(case, device, &options, size, expected).map_err(|error| Verdict::on(&error.into()))
                }
                Err(error) => Err(Verdict::Failed(format!("on the processor: {error}"))),
            };
            let mut cells = vec![case.name.to_string(), batch.to_string(), form.to_string()];
            let verdict = match measured {
                Ok(measured) => {
                    cells.extend(measured.cells(bandwidth));
                    measured.verdict()
                }
                Err(verdict) => {
                    cells.extend(vec![String::new(); columns.len() - 4]);
                    verdict
                }
            };
            sheet.row(&cells, &verdict);
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

fn measure(case: &Case, device: &Device, options: &Options, size: Size, expected: &[f32]) -> Result<Measured, Error> {
    let batch = case.batch[usize::from(size == Size::Small)];
    let (least, time, profiled) = match size {
        Size::Large => (20, Duration::from_millis(500), 20),
        Size::Small => (2, Duration::ZERO, 2),
    };
    let mut run = (case.make)(device, options, batch)?;
    let worst = worst(&losses(&mut *run)?, expected);
    let seconds = median_time(&mut *run, least, time)?;
    let mut run = (case.make)(device, &Options { profile: true, ..*options }, batch)?;
    Ok(Measured { seconds, launches: Launches::measure(&mut *run, profiled)?, worst })
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
