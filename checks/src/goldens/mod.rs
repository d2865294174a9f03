//! Whole training runs against records of PyTorch's in float64: losses, the first output, the first gradients and the final
//! parameters.
//!
//! A record says how every parameter and input is filled, what must come out, and how far PyTorch's own float32 run lands
//! from the exact one: ten times that is the tolerance. Only the models are written here, per record.

mod images;
mod losses;
mod networks;
mod optimizers;
mod record;
mod sequences;

pub use images::images;
pub use losses::losses;
pub use networks::networks;
pub use optimizers::optimizers;
pub use sequences::sequences;

use crate::deviation::Deviation;
use crate::failure::{Failure, held};
use record::{Record, Run};
use tapeless::{DType, Device, Error, Options};

/// A training run of one model by one record.
pub struct Golden {
    name: &'static str,
    /// The text of the record.
    text: &'static str,
    train: Train,
}

/// Trains the model of a golden.
type Train = fn(&Record, &Device, &Options) -> Result<Run, Error>;

/// What a run was like that is as close to its record as it has to be.
#[derive(Debug)]
pub struct Report {
    /// How many steps there were.
    pub steps: usize,
    /// The element type of the parameters.
    pub dtype: DType,
    /// The number that takes most of its tolerance.
    pub worst: Deviation,
    /// The lines of [`tapeless::Step::explain`] about kernels with fewer lanes than the device.
    pub narrow: Vec<String>,
}

/// All goldens.
pub fn goldens() -> Vec<Golden> {
    [networks(), images(), sequences(), losses(), optimizers()].into_iter().flatten().collect()
}

impl Golden {
    /// Its name: that of the record, or of what it tries.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Trains on a device and compares with the record. Gradients are kept, whatever the options say.
    pub fn run(&self, device: &Device, options: &Options) -> Result<Report, Failure> {
        let record = Record::parse(self.text);
        let run = (self.train)(&record, device, &Options { keep_gradients: true, ..*options })?;
        let deviations = record.compare(&run)?;
        let worst = deviations.into_iter().map(held).reduce(|one, other| Ok(one?.worse(other?)));
        let worst = worst.expect("a record has losses")?;
        let narrow = run.explanation.lines().filter(|line| line.starts_with("narrow: "));
        Ok(Report { steps: run.steps.len(), dtype: run.dtype, worst, narrow: narrow.map(str::to_string).collect() })
    }
}

/// A golden by its record: `golden!("record", Model, Step, |record, lr| dims, (inputs))`.
macro_rules! golden {
    ($name:literal, $model:ident, $step:ident, |$record:ident, $lr:ident| $dims:expr, ($($input:expr),*)) => {
        $crate::goldens::Golden {
            name: $name,
            text: include_str!(concat!("../../records/", $name, ".json")),
            train: |$record, device, options| {
                let mut net = $model::new(device, ::tapeless::Seed(0))?;
                $record.fill(&mut net)?;
                let mut step = $step::compile(device, $dims, options)?;
                let mut steps = Vec::new();
                for $lr in $record.rates() {
                    let out = step.run(&mut net, $($input),*)?;
                    let (loss, output) = (out.loss, $crate::goldens::record::Values::values(out.output));
                    let gradients = $record.by_key(|key| step.gradient(key).map(|gradient| gradient.to_vec()))?;
                    steps.push($crate::goldens::record::Stepped { loss, output, gradients });
                }
                $record.run(steps, &net, step.explain())
            },
        }
    };
}
use golden;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_record_is_run_and_every_name_is_one_goldens() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/records");
        let files = std::fs::read_dir(folder).expect("the folder is there").map(|file| file.expect("it can be listed"));
        let texts = files.map(|file| std::fs::read_to_string(file.path()).expect("a record is text"));
        let texts: BTreeSet<String> = texts.collect();
        let goldens = goldens();
        assert_eq!(goldens.iter().map(|golden| golden.text.to_string()).collect::<BTreeSet<_>>(), texts);
        let names: BTreeSet<&str> = goldens.iter().map(Golden::name).collect();
        assert_eq!((names.len(), goldens.len()), (32, 32));
    }

    #[test]
    fn a_run_by_another_record_is_refused() {
        let run = |name: &str, record: &str| {
            let find = |name: &str| goldens().into_iter().find(|golden| golden.name == name).expect("it is listed");
            let mixed = Golden { text: find(record).text, ..find(name) };
            mixed.run(&Device::cpu(), &Options::default()).map(|report| report.steps)
        };
        assert!(matches!(run("adam", "adam"), Ok(steps) if steps > 1));
        assert!(matches!(run("adam", "adamw"), Err(Failure::Off(_))));
    }
}
