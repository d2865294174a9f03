//! Steps whose products run on tensor cores.

use crate::device::device;
use crate::models::{TrainWide, Wide, assert_close};
use tapeless::{Device, Error, Options, Precision, Seed};

/// Some rows, none of which are those of whole tiles.
const ROWS: usize = 50;

/// How many runs there are.
const RUNS: usize = 4;

/// The losses of some runs, the first weight after them, and what the step says of itself.
fn run(device: &Device, precision: Precision) -> Result<(Vec<f32>, Vec<f32>, String), Error> {
    let options = Options { precision, ..Options::default() };
    let (mut net, mut step) =
        (Wide::new(device, Seed(1))?, TrainWide::compile(device, TrainWide::dims().b(ROWS), &options)?);
    let value = |at: usize| (at * 7919 % 2003) as f32 / 1001.5 - 1.0;
    let (x, y): (Vec<f32>, Vec<f32>) =
        ((0..ROWS * 40).map(value).collect(), (0..ROWS * 36).map(|at| value(at + 77)).collect());
    let losses = (0..RUNS).map(|_| Ok(step.run(&mut net, &x, &y, 1e-2)?.loss)).collect::<Result<_, Error>>()?;
    Ok((losses, net.get("fc1.weight")?.to_vec(), step.explain()))
}

#[test]
fn cuda_steps_train_in_less_precision_as_in_full() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let (expected, weight, report) = run(&device, Precision::F32)?;
    assert!(!report.contains("rounds the operands"), "{report}");
    for (precision, tolerance) in [(Precision::Tf32, 1e-3), (Precision::Bf16, 1e-2)] {
        let (losses, rounded, report) = run(&device, precision)?;
        assert_close(&losses, &expected, tolerance);
        // An update is as large whatever the gradient is, so where that is about nothing its sign may be another.
        let far = weight.iter().zip(&rounded).filter(|(one, other)| (*one - *other).abs() > 1e-3).count();
        assert!(far * 20 < weight.len(), "{far} of {}", weight.len());
        assert_ne!(losses, expected, "operands are rounded");
        let lines = report.lines().filter(|line| line.starts_with(&format!("{precision}: kernel ")));
        // Two products forward, one for the gradient of what is between them, and two for those of the weights.
        assert_eq!(lines.count(), 5, "{report}");
    }
    Ok(())
}

#[test]
fn precision_means_nothing_on_the_processor() -> Result<(), Error> {
    let [(expected, ..), (losses, _, report)] =
        [run(&Device::cpu(), Precision::F32)?, run(&Device::cpu(), Precision::Bf16)?];
    assert_eq!(losses, expected);
    assert!(!report.contains("rounds the operands"), "{report}");
    Ok(())
}
