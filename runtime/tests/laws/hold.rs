//! A graph on the device: what its compiled step computes is what the reference says.

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

/// Runs a graph on the device and holds the results against the reference. How far an element may be off, relative to the
/// largest element of its array (or to 1), follows from the types that occur.
pub fn hold(
    graph: &Graph,
    arrays: &[Array],
    options: &Options,
    tolerance: impl Fn(DType) -> f64,
) -> Result<(), String> {
    let inputs: Vec<Operand> = arrays.iter().map(Operand::new).collect();
    let inputs: Vec<Elements<'_>> = inputs.iter().map(Operand::elements).collect();
    let text = Box::leak(graph::print(graph).into_boxed_str());
    let mut step = Step::compile(text, &Device::cpu(), &[], options).map_err(|error| error.to_string())?;
    step.run(&mut [], &inputs).map_err(|error| error.to_string())?;
    for (position, expected) in graph::evaluate(graph, arrays).iter().enumerate() {
        let narrowest = arrays.iter().chain([expected]).map(|array| tolerance(array.dtype)).fold(0.0, f64::max);
        compare(&result(&step, position, expected.dtype), expected, narrowest)
            .map_err(|error| format!("result {position}: {error}"))?;
    }
    Ok(())
}

fn compare(found: &[f64], expected: &Array, tolerance: f64) -> Result<(), String> {
    if found.len() != expected.elements.len() {
        return Err(format!("{} elements instead of {}", found.len(), expected.elements.len()));
    }
    let largest = expected.elements.iter().filter(|x| x.is_finite()).fold(1.0, |largest: f64, x| largest.max(x.abs()));
    let tolerance = if expected.dtype.is_float() { tolerance * largest } else { 0.0 };
    for (i, (&found, &expected)) in found.iter().zip(&expected.elements).enumerate() {
        let same = found == expected || (found.is_nan() && expected.is_nan()) || (found - expected).abs() <= tolerance;
        if !same {
            return Err(format!("element {i} is {found}, not {expected} (tolerance {tolerance:e})"));
        }
    }
    Ok(())
}
