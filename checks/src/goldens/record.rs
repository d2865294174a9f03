//! Golden records: how a run begins, what must come out, and how close is close enough.

use crate::deviation::Deviation;
use crate::failure::Failure;
use serde_json::Value;
use std::collections::BTreeMap;
use tapeless::{DType, Error, Store, View};

/// What a training run gave.
pub struct Run {
    /// Step by step.
    pub steps: Vec<Stepped>,
    /// Every parameter by key after the last step.
    pub parameters: BTreeMap<String, Vec<f32>>,
    /// The element type of the parameters.
    pub dtype: DType,
    /// What the step says of itself.
    pub explanation: String,
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
    body: Value,
    keys: Vec<String>,
}

impl Record {
    /// Reads the text of a record.
    pub fn parse(text: &str) -> Record {
        let body: Value = serde_json::from_str(text).expect("a record is JSON");
        let keys = body["parameters"].as_object().expect("parameters by key").keys().cloned().collect();
        Record { body, keys }
    }

    /// Something of every parameter, by key.
    pub fn by_key<T>(&self, mut of: impl FnMut(&str) -> Result<T, Error>) -> Result<BTreeMap<String, T>, Error> {
        self.keys.iter().map(|key| Ok((key.clone(), of(key)?))).collect()
    }

    /// A run that has ended, by its steps, what it left in the store, and what the step says of itself.
    pub fn run(&self, steps: Vec<Stepped>, store: &Store, explanation: String) -> Result<Run, Error> {
        let parameters = self.by_key(|key| Ok(store.get(key)?.to_vec()))?;
        let dtype = store.parameters()[0].dtype;
        Ok(Run { steps, parameters, dtype, explanation })
    }

    /// The learning rate of every step.
    pub fn rates(&self) -> Vec<f32> {
        numbers(&self.body["expect"]["learning_rates"]).into_iter().map(|rate| rate as f32).collect()
    }

    /// Fills every parameter of a store.
    pub fn fill(&self, store: &mut Store) -> Result<(), Error> {
        for key in &self.keys {
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

    /// Every number of a run beside what the record expects.
    pub fn compare(&self, run: &Run) -> Result<Vec<Deviation>, Failure> {
        let expect = &self.body["expect"];
        let (exact, single) = (numbers(&expect["losses"]), numbers(&expect["losses_f32"]));
        if run.steps.len() != exact.len() {
            return Err(Failure::Steps { found: run.steps.len(), expected: exact.len() });
        }
        let off = |(a, b): (&f64, f64)| (a - b).abs() / a.abs();
        let tolerance = 10.0 * exact.iter().zip(single).map(off).fold(0.0, f64::max) + 1e-6;
        let mut deviations = Vec::new();
        for (at, (step, exact)) in run.steps.iter().zip(&exact).enumerate() {
            let error = off((exact, step.loss.into()));
            deviations.push(Deviation { what: format!("loss {at}"), error, tolerance });
        }
        let first = &run.steps[0];
        deviations.extend(compare_tensor("output", &expect["output"], &first.output)?);
        for key in &self.keys {
            let [gradient, last] = [&expect["first_gradients"][key], &expect["final_parameters"][key]];
            deviations.extend(compare_tensor(&format!("gradient {key}"), gradient, &first.gradients[key])?);
            deviations.extend(compare_tensor(&format!("final {key}"), last, &run.parameters[key])?);
        }
        Ok(deviations)
    }
}

/// The norm of a tensor, its sum and some of its elements beside what is expected, each relative to the tensor's norm.
fn compare_tensor(what: &str, expect: &Value, found: &[f32]) -> Result<Vec<Deviation>, Failure> {
    let number = |key: &str| expect[key].as_f64().expect("records hold numbers");
    let (l2, sum, tolerance) = (number("l2"), number("sum"), 10.0 * number("f32_error") + 1e-6);
    let expected = shape(expect).iter().product::<usize>();
    if found.len() != expected {
        return Err(Failure::Elements { what: what.to_string(), found: found.len(), expected });
    }
    let root = (found.len() as f64).sqrt();
    let found: Vec<f64> = found.iter().map(|&x| f64::from(x)).collect();
    let norm = found.iter().map(|x| x * x).sum::<f64>().sqrt();
    let total: f64 = found.iter().sum();
    let mut deviations = vec![
        Deviation { what: format!("norm of {what}"), error: (norm - l2).abs(), tolerance: tolerance * l2 },
        Deviation { what: format!("sum of {what}"), error: (total - sum).abs(), tolerance: tolerance * l2 * root },
    ];
    for sample in expect["samples"].as_array().expect("samples are a list") {
        let (at, exact) = (sample[0].as_u64().expect("a position") as usize, sample[1].as_f64().expect("a number"));
        let tolerance = 10.0 * tolerance * l2 / root + tolerance * exact.abs();
        let what = format!("element {at} of {what}");
        deviations.push(Deviation { what, error: (found[at] - exact).abs(), tolerance });
    }
    Ok(deviations)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_ids_are_below_their_modulus() {
        let ids = Record::parse(include_str!("../../records/softmax_mlp.json")).integers("y");
        assert!(ids.iter().all(|&id| id < 10) && ids.contains(&0) && ids.contains(&9), "{ids:?}");
    }

    #[test]
    fn tensors_are_held_by_norm_sum_and_elements() {
        let expect = serde_json::json!({
            "shape": [2], "l2": 5.0, "sum": 7.0, "samples": [[0, 3.0], [1, 4.0]], "f32_error": 1e-7
        });
        let wrong = |found: &[f32]| {
            let deviations = compare_tensor("x", &expect, found).expect("there are two elements");
            let wrong = deviations.into_iter().filter(|deviation| !deviation.holds());
            wrong.map(|deviation| deviation.what).collect::<Vec<_>>()
        };
        assert_eq!(wrong(&[3.0, 4.0]), [""; 0]);
        assert_eq!(wrong(&[4.0, 3.0]), ["element 0 of x", "element 1 of x"]);
        assert_eq!(wrong(&[-3.0, 4.0]), ["sum of x", "element 0 of x"]);
        assert_eq!(wrong(&[3.0, f32::NAN]), ["norm of x", "sum of x", "element 1 of x"]);
        let refusal = compare_tensor("x", &expect, &[3.0]).expect_err("one is missing");
        assert_eq!(refusal.to_string(), "x has 1 elements instead of 2");
    }
}
