//! Graphs of the samples of ops, with arrays for their leaves: what laws and back ends are held against.
//!
//! An op and one of its samples come in; a graph of its gradients, arrays, or the sample in other types leave, the same each
//! time. Samples are well typed, which a law of its own holds.

use crate::autodiff;
use crate::dtype::DType;
use crate::graph::{Array, Builder, Graph, Leaf, Op, Origin, Role, Sample, SampleOperand, ValueId};
use crate::ops;

/// The graph that computes the gradients of a sample's float operands, for cotangents that are inputs too. `None` if no
/// gradient flows.
pub fn gradients(op: &'static dyn Op, sample: &Sample) -> Option<Graph> {
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
pub fn leaves(graph: &Graph, sample: &Sample) -> Vec<Array> {
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

/// A sample as it is, and in other types in place of f32 or of integers that are no indices, where the op takes them: one float
/// and one integer type per sample, in turns, so that each op meets each of them.
pub fn retyped(op: &'static dyn Op, sample: &Sample, number: usize) -> Vec<(&'static str, Sample)> {
    let float = [DType::F64, DType::F16, DType::Bf16][number % 3];
    let integer = [DType::U8, DType::I64][number % 2];
    let all = |from: &[DType], to: DType| {
        let change = |dtype: DType| if from.contains(&dtype) { to } else { dtype };
        let attributes = sample.attributes.retyped(&change)?;
        let operand = |operand: &SampleOperand| match change(operand.ty.dtype) {
            same if same == operand.ty.dtype => operand.clone(),
            other => SampleOperand::numbers(other, &operand.ty.known_shape(), operand.fill),
        };
        let operands = sample.operands.iter().map(operand).collect();
        Some((to.name(), Sample { attributes, operands }))
    };
    let integers = all(&[DType::F32, DType::U32, DType::I32], integer);
    let others = [all(&[DType::F32], float), integers].into_iter().flatten();
    let others = others.filter(|(_, sample)| sample.graph(op).is_ok());
    [("its types", sample.clone())].into_iter().chain(others).collect()
}
