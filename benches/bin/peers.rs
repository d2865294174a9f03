//! One case of a comparison with other frameworks: trains from given parameters on a given batch, and times the step.
//!
//! `peers --case mlp --threads 1 --init mlp.safetensors --seconds 3` (on a GPU with `--device cuda`, and there with
//! `--precision tf32` or `bf16` if products may round their operands) prints one JSON object: the case, the threads, the median
//! and minimum of a step in microseconds, the seconds that compiling and the first step take, the first six losses and the
//! largest memory in megabytes. The file holds parameters under the names of PyTorch's modules in a row (`0.weight`), and the
//! batch as `x` and `y`. After six steps and a second of warm-up, groups of at least 2 ms are timed.

use lexopt::{Arg, Parser, ValueExt};
use safetensors::SafeTensors;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tapeless::{Device, Load, Options, Precision, Seed, Store};
use tapeless_benches::{Chain, Mlp, Tiny, TrainChain, TrainMlp, TrainTiny};
use thiserror::Error;

const LOSSES: usize = 6;
const WARM_UP: Duration = Duration::from_secs(1);
const WARM_UP_STEPS: usize = 10;
const GROUP: Duration = Duration::from_millis(2);
const MIN_GROUPS: usize = 10;

/// What products may round their operands to.
const PRECISIONS: [(&str, Precision); 3] =
    [("f32", Precision::F32), ("tf32", Precision::Tf32), ("bf16", Precision::Bf16)];

/// Why there is no time.
#[derive(Debug, Error)]
enum PeersError {
    #[error(transparent)]
    Tapeless(#[from] tapeless::Error),
    #[error(
        "{0}; usage: peers --case CASE --threads N --init FILE --seconds S --device cpu|cuda --precision f32|tf32|bf16"
    )]
    Arguments(#[from] lexopt::Error),
    #[error("there is no case `{0}`; there are tiny, mlp and chain")]
    Case(String),
    #[error("{path}: {reason}")]
    File { path: PathBuf, reason: String },
}

struct Arguments {
    case: String,
    threads: usize,
    init: PathBuf,
    seconds: f64,
    on_gpu: bool,
    precision: Precision,
}

/// A training step that says its loss.
type Training = Box<dyn FnMut() -> Result<f32, tapeless::Error>>;

fn main() -> Result<(), PeersError> {
    let arguments = arguments()?;
    let start = Instant::now();
    let mut train = training(&arguments)?;
    let mut losses = vec![train()?];
    let first = start.elapsed();
    while losses.len() < LOSSES {
        losses.push(train()?);
    }
    let times = times(&mut train, Duration::from_secs_f64(arguments.seconds))?;
    let line = json!({
        "case": arguments.case,
        "threads": arguments.threads,
        "median_us": times[times.len() / 2] * 1e6,
        "min_us": times[0] * 1e6,
        "first_step_s": first.as_secs_f64(),
        "losses": losses,
        "peak_rss_mb": peak_memory(),
    });
    println!("{line}");
    Ok(())
}

fn arguments() -> Result<Arguments, lexopt::Error> {
    let mut parser = Parser::from_env();
    let (mut case, mut threads, mut init, mut seconds) = (None, 1, None, 3.0);
    let (mut on_gpu, mut precision) = (false, Precision::F32);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("case") => case = Some(parser.value()?.string()?),
            Arg::Long("threads") => threads = parser.value()?.parse()?,
            Arg::Long("init") => init = Some(PathBuf::from(parser.value()?)),
            Arg::Long("seconds") => seconds = parser.value()?.parse()?,
            Arg::Long("device") => on_gpu = one_of(&parser.value()?.string()?, &[("cpu", false), ("cuda", true)])?,
            Arg::Long("precision") => precision = one_of(&parser.value()?.string()?, &PRECISIONS)?,
            other => return Err(other.unexpected()),
        }
    }
    let case = case.ok_or("--case is missing")?;
    let init = init.ok_or("--init is missing")?;
    Ok(Arguments { case, threads, init, seconds, on_gpu, precision })
}

/// What a word stands for.
fn one_of<T: Copy>(word: &str, choices: &[(&str, T)]) -> Result<T, lexopt::Error> {
    let found = choices.iter().find(|(name, _)| *name == word);
    found.map(|(_, choice)| *choice).ok_or_else(|| format!("`{word}` is no choice here").into())
}

/// The step of a case, with the parameters and the batch of the file.
fn training(arguments: &Arguments) -> Result<Training, PeersError> {
    let batch = Batch::read(&arguments.init)?;
    let device = if arguments.on_gpu { Device::cuda(0)? } else { Device::cpu() };
    let options = Options { threads: arguments.threads, precision: arguments.precision, ..Options::default() };
    Ok(match arguments.case.as_str() {
        "tiny" => {
            let mut net = Tiny::new(&device, Seed(0))?;
            load(&mut net, &arguments.init, &[("0.", "fc1."), ("2.", "fc2.")])?;
            let (x, y) = (batch.floats("x")?, batch.floats("y")?);
            let mut step = TrainTiny::compile(&device, TrainTiny::dims().b(32), &options)?;
            Box::new(move || step.run(&mut net, &x, &y, 1e-2).map(|out| out.loss))
        }
        "mlp" => {
            let mut net = Mlp::new(&device, Seed(0))?;
            load(&mut net, &arguments.init, &[("0.", "fc1."), ("2.", "fc2."), ("4.", "fc3.")])?;
            let (x, y) = (batch.floats("x")?, batch.classes("y")?);
            let mut step = TrainMlp::compile(&device, TrainMlp::dims().b(64), &options)?;
            Box::new(move || step.run(&mut net, &x, &y, 1e-3).map(|out| out.loss))
        }
        "chain" => {
            let mut net = Chain::new(&device, Seed(0))?;
            load(&mut net, &arguments.init, &[])?;
            let (x, y) = (batch.floats("x")?, batch.floats("y")?);
            let mut step = TrainChain::compile(&device, TrainChain::dims().b(4096), &options)?;
            Box::new(move || step.run(&mut net, &x, &y, 1e-2).map(|out| out.loss))
        }
        other => return Err(PeersError::Case(other.to_string())),
    })
}

/// Loads parameters; the batch is in the file too and is no part of the model.
fn load(store: &mut Store, path: &Path, rename: &[(&str, &str)]) -> Result<(), PeersError> {
    let rename = rename.iter().map(|&(old, new)| (old.to_string(), new.to_string())).collect();
    let report = store.load_with(path, Load { strict: false, rename, ..Load::default() })?;
    match report.missing.is_empty() && report.differing.is_empty() {
        true => Ok(()),
        false => Err(PeersError::File { path: path.to_path_buf(), reason: report.to_string() }),
    }
}

/// The bytes of a file with a batch.
struct Batch {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Batch {
    fn read(path: &Path) -> Result<Batch, PeersError> {
        let wrong = |error: std::io::Error| PeersError::File { path: path.to_path_buf(), reason: error.to_string() };
        Ok(Batch { path: path.to_path_buf(), bytes: std::fs::read(path).map_err(wrong)? })
    }

    fn floats(&self, name: &str) -> Result<Vec<f32>, PeersError> {
        self.elements(name, |bytes: [u8; 4]| f32::from_le_bytes(bytes))
    }

    fn classes(&self, name: &str) -> Result<Vec<u32>, PeersError> {
        self.elements(name, |bytes: [u8; 8]| i64::from_le_bytes(bytes) as u32)
    }

    fn elements<T, const N: usize>(&self, name: &str, element: fn([u8; N]) -> T) -> Result<Vec<T>, PeersError> {
        let wrong = |reason: String| PeersError::File { path: self.path.clone(), reason };
        let tensors = SafeTensors::deserialize(&self.bytes).map_err(|error| wrong(error.to_string()))?;
        let tensor = tensors.tensor(name).map_err(|error| wrong(error.to_string()))?;
        if tensor.dtype().bitsize() != 8 * N {
            return Err(wrong(format!("{name} is {:?}, whose elements do not have {N} bytes", tensor.dtype())));
        }
        let elements = tensor.data().chunks_exact(N);
        Ok(elements.map(|bytes| element(bytes.try_into().expect("chunks have N bytes"))).collect())
    }
}

/// The seconds per step of each group, the fastest first.
fn times(train: &mut Training, duration: Duration) -> Result<Vec<f64>, tapeless::Error> {
    let (start, mut steps) = (Instant::now(), 0);
    while steps < WARM_UP_STEPS || start.elapsed() < WARM_UP {
        train()?;
        steps += 1;
    }
    let step = start.elapsed() / steps as u32;
    let inner = (GROUP.as_secs_f64() / step.as_secs_f64()).max(1.0) as usize;
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.len() < MIN_GROUPS || start.elapsed() < duration {
        let group = Instant::now();
        for _ in 0..inner {
            train()?;
        }
        times.push(group.elapsed().as_secs_f64() / inner as f64);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// The most memory that the process had, in megabytes, where the system tells.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes / 1024.0)
}
