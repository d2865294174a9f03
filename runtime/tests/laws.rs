//! Every op on the device: what compiled steps compute is what the reference says, forward and backward, unfused and fused.

use tapeless::generated::Elements;
use tapeless::{DType, Device, Fusion, Options, Step, bf16, f16};
use tapeless_compiler::autodiff;
use tapeless_compiler::graph::{
    self, Array, Attribute, Attributes, Builder, Graph, Leaf, Op, Origin, Role, Sample, SampleOperand, ValueId,
};
use tapeless_compiler::ops::{self, OPS};

/// How far an element may be off, relative to the largest element of the result (or to 1, if all are smaller). Sums of some
/// ten products and functions good to four units in the last place (6e-8 each in f32, 1e-16 in f64) stay well below; in half
/// precision each value that is stored on the way is off by half a unit (5e-4, 4e-3).
fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => 1e-5,
        DType::F64 => 1e-12,
        DType::F16 => 1e-2,
        DType::Bf16 => 8e-2,
        _ => 0.0,
    }
}

/// The graph that computes the gradients of a sample's float operands, for cotangents that are inputs too. `None` if no
/// gradient flows.
fn gradients(op: &'static dyn Op, sample: &Sample) -> Option<Graph> {
    let mut graph = sample.graph(op).expect("samples are well typed");
    let outputs = std::mem::take(&mut graph.results).into_iter().map(|result| result.value);
    let outputs: Vec<ValueId> = outputs.filter(|output| graph.dtype(*output).is_float()).collect();
    let mut losses = Vec::new();
    for (position, output) in outputs.into_iter().enumerate() {
        let ty = graph.ty(output).clone();
        let cotangent = graph.leaf(Leaf::User { name: format!("g{position}") }, ty.clone());
        let mut b = Builder::new(&mut graph, Origin::default());
        let product = ops::mul(&mut b, output, cotangent);
        losses.push(ops::sum(&mut b, product, &(0..ty.rank()).collect::<Vec<_>>()));
    }
    let loss = losses.into_iter().reduce(|a, b| ops::add(&mut Builder::new(&mut graph, Origin::default()), a, b))?;
    let operands: Vec<ValueId> = graph.leaves().map(|(leaf, ..)| leaf).take(sample.operands.len()).collect();
    let operands: Vec<ValueId> = operands.into_iter().filter(|leaf| graph.dtype(*leaf).is_float()).collect();
    let found = autodiff::gradients(&mut graph, loss, &operands);
    for (position, gradient) in found.into_iter().flatten().enumerate() {
        graph.result(Role::Output(position), gradient);
    }
    (!graph.results.is_empty()).then_some(graph)
}

/// What the leaves of a graph hold: the sample's operands, then cotangents; rounded to what their types hold.
fn leaves(graph: &Graph, sample: &Sample) -> Vec<Array> {
    let mut arrays = sample.arrays(1);
    for (_, _, ty) in graph.leaves().skip(arrays.len()) {
        let mut number = 0.0;
        let next = |_: &[usize]| {
            number = (number + 0.618) % 1.0;
            number * 2.0 - 1.0
        };
        arrays.push(Array::build(ty.dtype, &ty.known_shape(), next));
    }
    for Array { dtype, elements, .. } in &mut arrays {
        elements.iter_mut().for_each(|x| *x = dtype.rounded(*x));
    }
    arrays
}

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

/// Runs a graph on the device and holds the results against the reference.
fn hold(graph: &Graph, arrays: &[Array], options: &Options) -> Result<(), String> {
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

/// A sample as it is, and in other types in place of f32 or of integers that are no indices, where the op takes them: one float
/// and one integer type per sample, in turns, so that each op meets each of them.
fn retyped(op: &'static dyn Op, sample: &Sample, number: usize) -> Vec<(&'static str, Sample)> {
    let float = [DType::F64, DType::F16, DType::Bf16][number % 3];
    let integer = [DType::U8, DType::I64][number % 2];
    let all = |from: &[DType], to: DType| {
        let change = |dtype: DType| if from.contains(&dtype) { to } else { dtype };
        let mut attributes = Attributes::none();
        for (name, attribute) in sample.attributes.iter() {
            let attribute = match attribute {
                Attribute::Type(dtype) => Attribute::Type(change(*dtype)),
                other => other.clone(),
            };
            attributes = attributes.with(name, attribute);
        }
        let operand = |operand: &SampleOperand| match change(operand.ty.dtype) {
            same if same == operand.ty.dtype => operand.clone(),
            other => SampleOperand::numbers(other, &operand.ty.known_shape(), operand.fill),
        };
        let operands = sample.operands.iter().map(operand).collect();
        (to.name(), Sample { attributes, operands })
    };
    let integers = all(&[DType::F32, DType::U32, DType::I32], integer);
    let others = [all(&[DType::F32], float), integers].into_iter().filter(|(_, sample)| sample.graph(op).is_ok());
    [("its types", sample.clone())].into_iter().chain(others).collect()
}

/// Holds every sample of every op, as the graph that `make` makes of it; the failures, and how many samples were held.
fn failures(options: &Options, make: impl Fn(&'static dyn Op, &Sample) -> Option<Graph>) -> (Vec<String>, usize) {
    let (mut failures, mut held) = (Vec::new(), 0);
    for &op in OPS {
        for (number, sample) in op.samples().iter().enumerate() {
            for (dtype, sample) in retyped(op, sample, number) {
                let Some(graph) = make(op, &sample) else { continue };
                match hold(&graph, &leaves(&graph, &sample), options) {
                    Ok(()) => held += 1,
                    Err(error) => failures.push(format!("{} sample {number} in {dtype}: {error}", op.name())),
                }
            }
        }
    }
    (failures, held)
}

fn unfused() -> Options {
    Options { fusion: Fusion::none(), ..Options::default() }
}

#[test]
fn forward_unfused() {
    let (failures, held) = failures(&unfused(), |op, sample| Some(sample.graph(op).expect("samples are well typed")));
    assert!(failures.is_empty() && held > 4 * OPS.len(), "{held} held, these not:\n{}", failures.join("\n"));
}

#[test]
fn forward_fused() {
    let make = |op: &'static dyn Op, sample: &Sample| Some(sample.graph(op).expect("samples are well typed"));
    let (failures, held) = failures(&Options::default(), make);
    assert!(failures.is_empty() && held > 4 * OPS.len(), "{held} held, these not:\n{}", failures.join("\n"));
}

#[test]
fn backward_unfused() {
    let (failures, held) = failures(&unfused(), gradients);
    assert!(failures.is_empty() && held > 2 * OPS.len(), "{held} held, these not:\n{}", failures.join("\n"));
}

#[test]
fn backward_fused() {
    let (failures, held) = failures(&Options::default(), gradients);
    assert!(failures.is_empty() && held > 2 * OPS.len(), "{held} held, these not:\n{}", failures.join("\n"));
}
