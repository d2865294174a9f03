//! A graph on a device: what its compiled step computes is what the reference says.
//!
//! A graph with arrays for its leaves comes in, the largest error leaves. The reference shares no code with what steps are
//! made of.

use crate::deviation::Deviation;
use crate::failure::{Failure, held};
use tapeless::generated::Elements;
use tapeless::{DType, Device, Fusion, Options, Step, bf16, f16};
use tapeless_compiler::graph::{self, Array, Graph};

/// The elements of an array as a program holds them.
enum Operand {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
    F64(Vec<f64>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    Bool(Vec<bool>),
}

impl Operand {
    fn new(array: &Array) -> Operand {
        let elements = array.elements.iter();
        match array.dtype {
            DType::F32 => Operand::F32(elements.map(|&x| x as f32).collect()),
            DType::F16 => Operand::F16(elements.map(|&x| f16::from_f64(x)).collect()),
            DType::Bf16 => Operand::Bf16(elements.map(|&x| bf16::from_f64(x)).collect()),
            DType::F64 => Operand::F64(array.elements.clone()),
            DType::U32 => Operand::U32(elements.map(|&x| x as u32).collect()),
            DType::I32 => Operand::I32(elements.map(|&x| x as i32).collect()),
            DType::I64 => Operand::I64(elements.map(|&x| x as i64).collect()),
            DType::U8 => Operand::U8(elements.map(|&x| x as u8).collect()),
            DType::Bool => Operand::Bool(elements.map(|&x| x != 0.0).collect()),
        }
    }

    fn elements(&self) -> Elements<'_> {
        match self {
            Operand::F32(elements) => elements.into(),
            Operand::F16(elements) => elements.into(),
            Operand::Bf16(elements) => elements.into(),
            Operand::F64(elements) => elements.into(),
            Operand::U32(elements) => elements.into(),
            Operand::I32(elements) => elements.into(),
            Operand::I64(elements) => elements.into(),
            Operand::U8(elements) => elements.into(),
            Operand::Bool(elements) => elements.into(),
        }
    }
}

/// A result of a step as numbers.
fn result(step: &Step, position: usize, dtype: DType) -> Vec<f64> {
    match dtype {
        DType::F32 => step.view::<f32>(position).iter().map(|&x| x.into()).collect(),
        DType::F16 => step.view::<f16>(position).iter().map(|&x| x.into()).collect(),
        DType::Bf16 => step.view::<bf16>(position).iter().map(|&x| x.into()).collect(),
        DType::F64 => step.view::<f64>(position).to_vec(),
        DType::U32 => step.view::<u32>(position).iter().map(|&x| x.into()).collect(),
        DType::I32 => step.view::<i32>(position).iter().map(|&x| x.into()).collect(),
        DType::I64 => step.view::<i64>(position).iter().map(|&x| x as f64).collect(),
        DType::U8 => step.view::<u8>(position).iter().map(|&x| x.into()).collect(),
        DType::Bool => step.view::<bool>(position).iter().map(|&x| u8::from(x).into()).collect(),
    }
}

/// Everything off: the baseline.
pub fn unfused() -> Options {
    Options { fusion: Fusion::none(), ..Options::default() }
}

/// Runs a graph on a device and holds the results against the reference; the worst of all elements. How far one may be off,
/// relative to the largest element of its array (or to 1), follows from the types that occur.
///
/// Texts of graphs live as long as the program, since those of programs stand in it: what is held here is small.
pub fn hold(
    graph: &Graph,
    arrays: &[Array],
    device: &Device,
    options: &Options,
    tolerance: impl Fn(DType) -> f64,
) -> Result<Deviation, Failure> {
    let inputs: Vec<Operand> = arrays.iter().map(Operand::new).collect();
    let inputs: Vec<Elements<'_>> = inputs.iter().map(Operand::elements).collect();
    let text = Box::leak(graph::print(graph).into_boxed_str());
    let mut step = Step::compile(text, device, &[], options)?;
    step.run(&mut [], &inputs)?;
    let mut worst = Deviation { what: "no result".to_string(), error: 0.0, tolerance: 0.0 };
    for (position, expected) in graph::evaluate(graph, arrays).iter().enumerate() {
        let narrowest = arrays.iter().chain([expected]).map(|array| tolerance(array.dtype)).fold(0.0, f64::max);
        let tolerance = if expected.dtype.is_float() { narrowest } else { 0.0 };
        let found = result(&step, position, expected.dtype);
        worst = worst.worse(compare(position, &found, expected, tolerance)?);
    }
    Ok(worst)
}

/// The worst element of a result.
fn compare(position: usize, found: &[f64], expected: &Array, tolerance: f64) -> Result<Deviation, Failure> {
    if found.len() != expected.elements.len() {
        let what = format!("result {position}");
        return Err(Failure::Elements { what, found: found.len(), expected: expected.elements.len() });
    }
    let largest = expected.elements.iter().filter(|x| x.is_finite()).fold(1.0, |largest: f64, x| largest.max(x.abs()));
    let deviation = |what: String, error: f64| Deviation { what, error, tolerance };
    let mut worst = deviation(format!("result {position}"), 0.0);
    for (at, (&found, &expected)) in found.iter().zip(&expected.elements).enumerate() {
        let error = error(found, expected) / largest;
        if deviation(String::new(), error).share() > worst.share() {
            worst = deviation(format!("result {position}: element {at}, {found} instead of {expected},"), error);
        }
    }
    held(worst)
}

/// How far a number is off. One that is no number is what it should be if none was expected.
fn error(found: f64, expected: f64) -> f64 {
    let same = found == expected || (found.is_nan() && expected.is_nan());
    if same { 0.0 } else { (found - expected).abs() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(found: &[f64], expected: &[f64], tolerance: f64) -> Result<f64, String> {
        let expected = Array::new(DType::F32, &[expected.len()], expected.to_vec());
        compare(0, found, &expected, tolerance).map(|worst| worst.error).map_err(|failure| failure.to_string())
    }

    #[test]
    fn elements_are_held_relative_to_the_largest() {
        assert_eq!(compared(&[1.0, 100.5], &[1.0, 100.0], 0.01), Ok(0.005));
        let refusal = "result 0: element 1, 102 instead of 100, is 2.0e-2 off, which may be 1.0e-2";
        assert_eq!(compared(&[1.0, 102.0], &[1.0, 100.0], 0.01), Err(refusal.to_string()));
    }

    #[test]
    fn what_is_not_finite_has_to_be_the_same() {
        let (nan, infinity) = (f64::NAN, f64::INFINITY);
        assert_eq!(compared(&[nan, infinity], &[nan, infinity], 0.0), Ok(0.0));
        for (found, expected) in [(1.0, nan), (nan, 1.0), (infinity, -infinity), (1.0, infinity), (infinity, 1.0)] {
            assert!(compared(&[found], &[expected], 1.0).is_err(), "{found} instead of {expected}");
        }
    }

    #[test]
    fn results_of_another_length_are_refused() {
        assert_eq!(compared(&[1.0], &[1.0, 2.0], 1.0), Err("result 0 has 1 elements instead of 2".to_string()));
    }
}
