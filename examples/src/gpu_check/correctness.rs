//! What a device computes, held against records and references.

use super::Size;
use super::sheet::{Sheet, Verdict};
use tapeless::{Device, Options};
use tapeless_checks::goldens::{Golden, Report, goldens as all_goldens, images};
use tapeless_checks::hold::unfused;
use tapeless_checks::laws::{Law, Outcome, Pass, laws as all_laws};
use tapeless_checks::{Deviation, Failure};

/// A smoke test takes one golden, or one op, in so many.
const ONE_GOLDEN_IN: usize = 5;
const ONE_OP_IN: usize = 12;

/// Trains every golden, everything fused and nothing; in little time, all but networks for images.
pub fn goldens(device: &Device, size: Size, sheet: &mut Sheet) {
    let large: Vec<&str> = match size {
        Size::Large => Vec::new(),
        Size::Small => images().iter().map(Golden::name).collect(),
    };
    let goldens = all_goldens().into_iter().filter(|golden| !large.contains(&golden.name())).enumerate();
    let goldens: Vec<Golden> = goldens
        .filter(|(at, golden)| sheet.takes(golden.name(), *at, ONE_GOLDEN_IN))
        .map(|(_, golden)| golden)
        .collect();
    if goldens.is_empty() {
        return;
    }
    let left_out = match large.as_slice() {
        [] => String::new(),
        names => format!(" Too large for this run: {}.", names.join(", ")),
    };
    let remark = format!(
        "Training runs that PyTorch recorded in float64, fused and with one kernel per operation; errors of losses are \
         relative, others absolute.{left_out}"
    );
    sheet.section("Goldens", &remark, &["golden", "type", "steps", "worst number", "error of tolerance", "result"]);
    for golden in goldens {
        let (cells, verdict) = match trained(&golden, device) {
            Ok(Report { dtype, steps, worst, .. }) => {
                (vec![dtype.to_string(), steps.to_string(), worst.what.clone(), share(&worst)], Verdict::Ok)
            }
            Err(failure) => (vec![String::new(); 4], Verdict::on(&failure)),
        };
        let cells: Vec<String> = [golden.name().to_string()].into_iter().chain(cells).collect();
        sheet.row(&cells, &verdict);
    }
}

/// Both runs of a golden: the worse number of the two.
fn trained(golden: &Golden, device: &Device) -> Result<Report, Failure> {
    let fused = golden.run(device, &Options::default())?;
    let unfused = golden.run(device, &unfused())?;
    Ok(Report { worst: fused.worst.worse(unfused.worst), ..fused })
}

/// Holds the law of every op, forward and backward, everything fused and nothing.
pub fn laws(device: &Device, sheet: &mut Sheet) {
    let laws: Vec<(usize, Law)> = all_laws().enumerate().collect();
    let laws: Vec<Law> =
        laws.into_iter().filter(|(at, law)| sheet.takes(law.name(), *at, ONE_OP_IN)).map(|(_, law)| law).collect();
    if laws.is_empty() {
        return;
    }
    let remark = "Every sample forward and backward against the naive reference in f64, fused and with one kernel per \
                  operation; errors are relative to the largest element of their array, or to 1.";
    sheet.section("Ops", remark, &["op", "samples", "error of tolerance", "result"]);
    for law in laws {
        let outcome = held(law, device);
        let worst = outcome.worst.as_ref().map_or_else(String::new, share);
        sheet.row(&[law.name().to_string(), outcome.held.to_string(), worst], &verdict(&outcome));
    }
}

fn held(law: Law, device: &Device) -> Outcome {
    let mut outcome = Outcome::default();
    for options in [Options::default(), unfused()] {
        for pass in [Pass::Forward, Pass::Backward] {
            outcome = outcome.and(law.run(pass, device, &options));
        }
    }
    outcome
}

/// The first failure counts; what is not supported only if nothing is wrong.
fn verdict(outcome: &Outcome) -> Verdict {
    let failures = &outcome.failures;
    let wrong = failures.iter().find(|(_, failure)| !failure.is_unsupported());
    let Some((sample, failure)) = wrong.or(failures.first()) else { return Verdict::Ok };
    let count = failures.len();
    let reason = format!("{count} of {}, the first is {sample}: {failure}", outcome.held + count);
    if wrong.is_some() { Verdict::Failed(reason) } else { Verdict::Unsupported(reason) }
}

/// An error beside its tolerance.
fn share(deviation: &Deviation) -> String {
    let Deviation { error, tolerance, .. } = deviation;
    format!("{error:.1e} of {tolerance:.1e} ({:.0} %)", 100.0 * deviation.share())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_counts_more_than_what_is_not_supported() {
        let unsupported = || Failure::Step(tapeless::Error::OutOfMemory { bytes: 7 });
        let wrong = Failure::Steps { found: 1, expected: 2 };
        let outcome = |failures: Vec<Failure>| {
            let failures = failures.into_iter().map(|failure| ("exp sample 0".to_string(), failure)).collect();
            verdict(&Outcome { held: 3, worst: None, failures })
        };
        assert_eq!(outcome(Vec::new()), Verdict::Ok);
        let reason = "1 of 4, the first is exp sample 0: out of memory: 7 bytes".to_string();
        assert_eq!(outcome(vec![unsupported()]), Verdict::Unsupported(reason));
        let reason = "2 of 5, the first is exp sample 0: the run has 1 steps instead of 2".to_string();
        assert_eq!(outcome(vec![unsupported(), wrong]), Verdict::Failed(reason));
    }
}
