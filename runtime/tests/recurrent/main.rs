//! Recurrent layers: results and gradients against PyTorch's, a whole program, threads, and what grows with the turns.

mod layers;
mod program;
mod turns;

use serde_json::Value;

/// What PyTorch made, by `make.py`.
fn records() -> Value {
    serde_json::from_str(include_str!("records.json")).expect("the records are JSON")
}

/// The numbers of a record.
fn numbers(record: &Value) -> Vec<f64> {
    let numbers = record.as_array().expect("a list of numbers");
    numbers.iter().map(|number| number.as_f64().expect("a number")).collect()
}

/// The numbers that `make.py` fills the tensor of that number with.
fn filled(elements: usize, number: usize, scale: f32) -> Vec<f32> {
    (0..elements).map(|i| ((i * (29 + 2 * number) % 43) as f32 - 21.0) / scale).collect()
}

/// Holds numbers against those of a record.
fn close(name: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (i, (&x, &y)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(x) - y).abs();
        assert!(off <= tolerance * (1.0 + y.abs()), "{name} at {i}: {x} is not {y}");
    }
}
