//! Golden records: how a run begins, what must come out, and how close is close enough; and `golden!`, the test of one.

#[path = "../cuda/device.rs"]
pub mod cuda;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tapeless::{Error, Fusion, Options, Store, View};

/// A training run of one model by one record, on the processor and on a CUDA device if there is one:
/// `golden!(test, "record", Model, Step, |record, lr| dims, (inputs))`.
macro_rules! golden {
    ($test:ident, $name:literal, $model:ident, $step:ident, |$record:ident, $lr:ident| $dims:expr, ($($input:expr),*)) => {
        mod $test {
            use super::*;

            fn hold(device: &::tapeless::Device) -> Result<(), ::tapeless::Error> {
                let $record = $crate::record::Record::read($name);
                for options in $crate::record::all_options() {
                    let mut net = $model::new(device, ::tapeless::Seed(0))?;
                    $record.fill(&mut net)?;
                    let mut step = $step::compile(device, $dims, &options)?;
                    let mut run = Vec::new();
                    for $lr in $record.rates() {
                        let out = step.run(&mut net, $($input),*)?;
                        let (loss, output) = (out.loss, $crate::record::Values::values(out.output));
                        let gradient = |key: &String| Ok((key.clone(), step.gradient(key)?.to_vec()));
                        let gradients = $record.keys().map(gradient).collect::<Result<_, ::tapeless::Error>>()?;
                        run.push($crate::record::Stepped { loss, output, gradients });
                    }
                    $record.check(&run, &net)?;
                    $record.check_lanes(&step.explain());
                }
                Ok(())
            }

            #[test]
            fn on_the_processor() -> Result<(), ::tapeless::Error> {
                hold(&::tapeless::Device::cpu())
            }

            #[test]
            fn on_cuda() -> Result<(), ::tapeless::Error> {
                $crate::record::cuda::device().map_or(Ok(()), |device| hold(&device))
            }
        }
    };
}
pub(crate) use golden;

/// Gradients kept; everything fused, or nothing.
pub fn all_options() -> [Options; 2] {
    let fused = Options { keep_gradients: true, ..Options::default() };
    let unfused = Options { fusion: Fusion::none(), ..fused };
    [fused, unfused]
}

/// What one step of a run gave.
pub struct Stepped {
    /// The loss.
    pub loss: f32,
    /// The step's output.
    pub output: Vec<f32>,
    /// The gradient of every parameter by key.
    pub gradients: BTreeMap<String, Vec<f32>>,
}

/// An output of a step, scalar or not, as numbers.
pub trait Values {
    /// The numbers.
    fn values(self) -> Vec<f32>;
}

impl Values for f32 {
    fn values(self) -> Vec<f32> {
        vec![self]
    }
}

impl Values for View<'_, f32> {
    fn values(self) -> Vec<f32> {
        self.to_vec()
    }
}

/// A record of a training run.
pub struct Record {
    name: &'static str,
    body: Value,
    keys: Vec<String>,
}

impl Record {
    /// Reads the record of that name.
    pub fn read(name: &'static str) -> Record {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(format!("{name}.json"));
        let text = std::fs::read_to_string(path).expect("the record is in the repository");
        let body: Value = serde_json::from_str(&text).expect("a record is JSON");
        let keys = body["parameters"].as_object().expect("parameters by key").keys().cloned().collect();
        Record { name, body, keys }
    }

    /// The keys of all parameters.
    pub fn keys(&self) -> std::slice::Iter<'_, String> {
        self.keys.iter()
    }

    /// The learning rate of every step.
    pub fn rates(&self) -> Vec<f32> {
        numbers(&self.body["expect"]["learning_rates"]).into_iter().map(|rate| rate as f32).collect()
    }

    /// Fills every parameter of a store.
    pub fn fill(&self, store: &mut Store) -> Result<(), Error> {
        for key in self.keys() {
            store.set(key, &floats(&self.body["parameters"][key]))?;
        }
        Ok(())
    }

    /// A float input.
    pub fn floats(&self, input: &str) -> Vec<f32> {
        floats(&self.body["inputs"][input])
    }

    /// An input of class ids.
    pub fn integers(&self, input: &str) -> Vec<u32> {
        let spec = &self.body["inputs"][input];
        let modulo = spec["modulo"].as_u64().expect("integer fills have a modulus");
        bits(spec).map(|z| ((z >> 33) % modulo) as u32).collect()
    }

    /// An extent of an input.
    pub fn extent(&self, input: &str, axis: usize) -> usize {
        shape(&self.body["inputs"][input])[axis]
    }

    /// Compares a whole run with what the record expects.
    pub fn check(&self, run: &[Stepped], store: &Store) -> Result<(), Error> {
        let expect = &self.body["expect"];
        let (exact, single) = (numbers(&expect["losses"]), numbers(&expect["losses_f32"]));
        let error = |(a, b): (&f64, &f64)| (a - b).abs() / a.abs();
        let tolerance = 10.0 * exact.iter().zip(&single).map(error).fold(0.0, f64::max) + 1e-6;
        assert_eq!(run.len(), exact.len(), "{}: steps", self.name);
        for (step, (stepped, exact)) in run.iter().zip(&exact).enumerate() {
            let off = (f64::from(stepped.loss) - exact).abs() / exact.abs();
            assert!(off <= tolerance, "{}: loss {step} is {}, not {exact}: {off:e} off", self.name, stepped.loss);
        }
        self.check_tensor("output", &expect["output"], &run[0].output);
        for key in self.keys() {
            self.check_tensor(&format!("gradient {key}"), &expect["first_gradients"][key], &run[0].gradients[key]);
            self.check_tensor(&format!("final {key}"), &expect["final_parameters"][key], &store.get(key)?);
        }
        Ok(())
    }

    /// Fails where a report lists a kernel that has not the lanes of the machine, of which only wide ones have more than
    /// four, but for kernels without loops of eight iterations in lanes.
    pub fn check_lanes(&self, report: &str) {
        if !is_wide() {
            println!("{}: lanes are not checked, since this machine has no vectors of eight", self.name);
            return;
        }
        let narrow = report.lines().filter(|line| line.starts_with("narrow: "));
        let refused: Vec<&str> = narrow.filter(|line| !is_short(line)).collect();
        assert_eq!(refused, [""; 0], "{}: {} kernels refused", self.name, refused.len());
    }

    fn check_tensor(&self, what: &str, expect: &Value, found: &[f32]) {
        let name = format!("{}: {what}", self.name);
        let number = |key: &str| expect[key].as_f64().expect("records hold numbers");
        let (l2, sum, tolerance) = (number("l2"), number("sum"), 10.0 * number("f32_error") + 1e-6);
        let count = found.len() as f64;
        assert_eq!(found.len(), shape(expect).iter().product::<usize>(), "{name}: elements");
        let found: Vec<f64> = found.iter().map(|&x| f64::from(x)).collect();
        let norm = found.iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!((norm - l2).abs() <= tolerance * l2, "{name}: norm {norm}, not {l2}");
        let total: f64 = found.iter().sum();
        assert!((total - sum).abs() <= tolerance * l2 * count.sqrt(), "{name}: sum {total}, not {sum}");
        for sample in expect["samples"].as_array().expect("samples are a list") {
            let (at, exact) = (sample[0].as_u64().expect("a position") as usize, sample[1].as_f64().expect("a number"));
            let room = 10.0 * tolerance * l2 / count.sqrt() + tolerance * exact.abs();
            assert!((found[at] - exact).abs() <= room, "{name}: element {at} is {}, not {exact}", found[at]);
        }
    }
}

/// Whether a line about a kernel with few lanes says that its loops are shorter than eight.
fn is_short(line: &str) -> bool {
    let (_, reason) = line.split_once(" lanes: its loops of at most ").unwrap_or_default();
    reason.split_once(' ').and_then(|(most, _)| most.parse::<usize>().ok()).is_some_and(|most| most < 8)
}

/// Whether code of eight lanes is made for this machine.
fn is_wide() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number")).collect()
}

fn shape(spec: &Value) -> Vec<usize> {
    spec["shape"].as_array().expect("a shape").iter().map(|n| n.as_u64().expect("an extent") as usize).collect()
}

/// The random bits of a fill: a SplitMix64 step per element.
fn bits(spec: &Value) -> impl Iterator<Item = u64> {
    let seed = spec["seed"].as_u64().expect("fills have a seed");
    let count = shape(spec).iter().product::<usize>() as u64;
    (0..count).map(move |i| {
        let z = (seed << 32).wrapping_add(i).wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

fn floats(spec: &Value) -> Vec<f32> {
    let number = |key: &str| spec[key].as_f64().expect("float fills have scale and offset");
    let (scale, offset) = (number("scale"), number("offset"));
    let unit = |z: u64| (z >> 40) as f64 / f64::from(1 << 24);
    bits(spec).map(|z| (offset + scale * (2.0 * unit(z) - 1.0)) as f32).collect()
}

#[test]
fn class_ids_are_below_their_modulus() {
    let ids = Record::read("softmax_mlp").integers("y");
    assert!(ids.iter().all(|&id| id < 10) && ids.contains(&0) && ids.contains(&9), "{ids:?}");
}
