//! Networks as a user writes them, against what PyTorch makes of the same parameters and inputs in float64: the loss, every gradient
//! and every state after a step, fused and unfused. `make.py` made the records.

mod images;
mod library;
mod pictures;
mod sequences;
mod spelled;
mod tokens;

use serde_json::Value;
use std::ops::DerefMut;
use tapeless::{DType, Error, Store};

/// The numbers that the formula of the script gives, all of them exact.
fn filled(count: usize, step: usize, scale: f32) -> Vec<f32> {
    (0..count).map(|i| ((i * (step + 7 * i) % 1009) as f32 - 504.0) / scale).collect()
}

/// Integers below a bound, by the formula of the script.
fn ids(count: usize, step: usize, bound: u32) -> Vec<u32> {
    (0..count).map(|i| (i * (step + 3 * i) % 1009) as u32 % bound).collect()
}

fn record(name: &str) -> Value {
    let records: Value = serde_json::from_str(include_str!("records.json")).expect("records are JSON");
    assert!(records[name].is_object(), "there is a record of {name}");
    records[name].clone()
}

fn number(recorded: &Value) -> f64 {
    recorded.as_f64().expect("a number")
}

/// Fills the parameters in the order of their keys; states stay as they begin.
fn fill(net: &mut impl DerefMut<Target = Store>) -> Result<(), Error> {
    let mut parameters = net.parameters();
    parameters.retain(|parameter| !parameter.state);
    parameters.sort_by(|one, other| one.key.cmp(&other.key));
    for (at, parameter) in parameters.iter().enumerate() {
        net.set(&parameter.key, &filled(parameter.shape.iter().product(), 101 + 34 * at, 1024.0))?;
    }
    Ok(())
}

/// How far numbers may be off, counted by the largest of them.
const TOLERANCE: f64 = 2e-5;

/// Holds a tensor against its record: all of its numbers, or its norm and some of them, evenly apart.
fn assert_close(what: &str, found: &[f32], recorded: &Value) {
    let found: Vec<f64> = found.iter().copied().map(f64::from).collect();
    let step = recorded["step"].as_u64().unwrap_or(1) as usize;
    let values = if step == 1 { recorded } else { &recorded["values"] };
    let exact: Vec<f64> = match values {
        Value::Array(values) => values.iter().map(number).collect(),
        value => vec![number(value)],
    };
    assert_eq!(found.len().div_ceil(step), exact.len(), "{what}");
    // Gradients that cancel out are noise.
    let largest = exact.iter().fold(1e-2, |most: f64, number| most.max(number.abs()));
    for (at, (found, exact)) in found.iter().step_by(step).zip(exact).enumerate() {
        assert!((found - exact).abs() <= TOLERANCE * largest, "{what}: element {} is {found}, not {exact}", at * step);
    }
    if step > 1 {
        let (norm, exact) = (found.iter().map(|number| number * number).sum::<f64>().sqrt(), number(&recorded["norm"]));
        assert!((norm - exact).abs() <= TOLERANCE * exact.max(1e-2), "{what}: the norm is {norm}, not {exact}");
    }
}

/// Holds a store after a step against its record: the keys are PyTorch's, so are gradients and states.
fn assert_is_recorded<'a>(
    record: &Value,
    net: &Store,
    mut gradient: impl FnMut(&str) -> Result<Vec<f32>, Error> + 'a,
) -> Result<(), Error> {
    let listed = |what: &str| record[what].as_object().expect("tensors by key").len();
    let parameters = net.parameters();
    let states = parameters.iter().filter(|parameter| parameter.state).count();
    assert_eq!((parameters.len() - states, states), (listed("gradients"), listed("states")));
    for parameter in &parameters {
        let key = &parameter.key;
        let (what, found) = match (parameter.state, parameter.dtype) {
            (true, DType::I64) => {
                ("states", net.get_typed::<i64>(key)?.to_vec().into_iter().map(|count| count as f32).collect())
            }
            (true, _) => ("states", net.get(key)?.to_vec()),
            (false, _) => ("gradients", gradient(key)?),
        };
        let recorded = record[what].get(key).unwrap_or_else(|| panic!("PyTorch has no {key}"));
        assert_close(key, &found, recorded);
    }
    Ok(())
}

/// A test per network: `networks!(name: Step of Model, [extent = …], (inputs));`.
macro_rules! networks {
    ($($name:ident: $step:ident of $model:ident, [$($extent:ident = $size:expr),*], ($($input:expr),* $(,)?);)*) => {
        $(#[test]
        fn $name() -> Result<(), ::tapeless::Error> {
            use ::tapeless::{Device, Fusion, Options, Seed};

            let device = Device::cpu();
            let record = $crate::record(stringify!($name));
            for fusion in [Fusion::default(), Fusion::none()] {
                let options = Options { keep_gradients: true, fusion, ..Options::default() };
                let mut net = $model::new(&device, Seed(0))?;
                $crate::fill(&mut net)?;
                let mut step = $step::compile(&device, $step::dims()$(.$extent($size))*, &options)?;
                let loss = step.run(&mut net, $($input),*)?.loss;
                $crate::assert_close("the loss", &[loss], &record["loss"]);
                $crate::assert_is_recorded(&record, &net, |key| Ok(step.gradient(key)?.to_vec()))?;
            }
            Ok(())
        })*
    };
}
use networks;
