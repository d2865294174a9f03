//! Constants: which values are one number everywhere, and what ops make of them.

use crate::dtype::DType;
use crate::graph::{Array, Builder, Call, Graph, Op, ValueId};
use crate::ops;
use crate::scalar::convert;
use crate::shape::Type;

/// The number that every element of a value is.
pub fn splat(graph: &Graph, value: ValueId) -> Option<f64> {
    let (_, node) = graph.producer(value)?;
    match node.op.name() {
        "constant" => Some(held(node.attributes.dtype("dtype"), node.attributes.float("value"))),
        "broadcast" | "reshape" | "permute" => splat(graph, node.operands[0]),
        _ => None,
    }
}

/// The value of an elementwise op all of whose operands are constants.
pub fn folded(b: &mut Builder<'_>, op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    if !call.operands.iter().all(|&operand| splat(b.graph(), operand).is_some()) {
        return None;
    }
    let ty = call.result_types[0].clone();
    // What is of half precision is rounded where it is stored or cast, which the reference does not do.
    let exact = |ty: &Type| !matches!(ty.dtype, DType::F16 | DType::Bf16);
    if !exact(&ty) || !call.operand_types.iter().all(exact) || call.operands.is_empty() {
        return None;
    }
    let mut operands = Vec::new();
    for (&operand, ty) in call.operands.iter().zip(&call.operand_types) {
        operands.push(Array::filled(ty.dtype, &[], splat(b.graph(), operand)?));
    }
    let result = op.reference(&scalar_call(call), &operands.iter().collect::<Vec<_>>());
    let number = held(ty.dtype, result[0].elements[0]);
    let constant = ops::constant(b, number, ty.dtype);
    Some(ops::broadcast(b, constant, &ty.shape))
}

/// The call on single elements.
fn scalar_call(call: &Call) -> Call {
    let scalars = |types: &[Type]| types.iter().map(|ty| Type::scalar(ty.dtype)).collect();
    Call { operand_types: scalars(&call.operand_types), result_types: scalars(&call.result_types), ..call.clone() }
}

/// A number as a buffer of the element type holds it.
fn held(dtype: DType, number: f64) -> f64 {
    if dtype == DType::F32 { f64::from(number as f32) } else { convert(dtype, number) }
}
