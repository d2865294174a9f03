//! The laws: what may stand in the place of a node.
//!
//! A law looks at one node, and at what makes its operands; it gives the value that takes the place of its result, or
//! nothing where the law does not hold. Laws hold for every element, NaN and infinities included; the sign of a zero may
//! change in `x + 0 = x`.

use super::constants::{folded, splat};
use crate::graph::{Attributes, Builder, Call, Graph, Node, Op, ValueId};
use crate::ops;
use crate::shape::Extent;

/// A law.
pub struct Law {
    /// The law as an equation.
    pub name: &'static str,
    /// The op on the left side; any elementwise op if that is `None`.
    op: Option<&'static str>,
    /// Whether the law holds only where nothing else uses the operands: else work would be done twice.
    pub(super) alone: bool,
    /// The value of the right side, if the law holds for a node with this call. The call's results are none.
    pub(super) apply: fn(&mut Builder<'_>, &'static dyn Op, &Call) -> Option<ValueId>,
}

impl Law {
    const fn on(op: &'static str, name: &'static str, apply: Apply) -> Law {
        Law { name, op: Some(op), alone: false, apply }
    }

    const fn on_every(name: &'static str, apply: Apply) -> Law {
        Law { name, op: None, alone: false, apply }
    }

    const fn alone(self) -> Law {
        Law { alone: true, ..self }
    }

    /// Whether the law is about nodes with this op.
    pub fn concerns(&self, op: &dyn Op) -> bool {
        self.op.map_or(op.is_elementwise(), |name| name == op.name())
    }
}

type Apply = fn(&mut Builder<'_>, &'static dyn Op, &Call) -> Option<ValueId>;

/// Every law, in the order in which they are tried.
pub static LAWS: &[Law] = &[
    Law::on_every("f(constants) = constant", folded),
    Law::on("extent", "extent(number) = constant", known_extent),
    Law::on("add", "x + 0 = x", |b, _, call| neutral(b, call, 0.0).or_else(|| first_if(b, call, 0.0))),
    Law::on("sub", "x - 0 = x", |b, _, call| first_if(b, call, 0.0)),
    Law::on("mul", "x * 1 = x", |b, _, call| neutral(b, call, 1.0).or_else(|| first_if(b, call, 1.0))),
    Law::on("mul", "x * 0 = 0 on integers", zero_product),
    Law::on("div", "x / 1 = x", |b, _, call| first_if(b, call, 1.0)),
    Law::on("neg", "-(-x) = x", |b, _, call| Some(made_by(b.graph(), call.operands[0], "neg")?.operands[0])),
    Law::on("cast", "cast(x) = x of its own type", same_type),
    Law::on("sum", "sum over no axes = x", no_axes),
    Law::on("max", "max over no axes = x", no_axes),
    Law::on("broadcast", "broadcast(x) = x of its own shape", same_type),
    Law::on("broadcast", "broadcast(broadcast(x)) = broadcast(x)", broadcast_twice),
    Law::on("broadcast", "broadcast(reshape(x)) = broadcast(x) where only leading ones are added", broadcast_leading),
    Law::on("reshape", "reshape(x) = x of its own shape", same_type),
    Law::on("reshape", "reshape(reshape(x)) = reshape(x)", reshape_twice),
    Law::on("reshape", "reshape(broadcast(scalar)) = broadcast(scalar)", view_of_scalar),
    Law::on("permute", "permute(x) = x in the order it has", straight),
    Law::on("permute", "permute(permute(x)) = permute(x)", permute_twice),
    Law::on("permute", "permute(broadcast(scalar)) = broadcast(scalar)", view_of_scalar),
    Law::on("contract", "contract(permute(x), y) = contract(x, y) with other labels", contract_of_permuted),
    Law::on("permute", "permute(contract(x, y)) = contract(x, y) with other labels", permuted_contract).alone(),
    Law::on_every("f(broadcast(scalars)) = broadcast(f(scalars))", hoisted),
];

fn known_extent(b: &mut Builder<'_>, _op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    let number = call.attributes.extent("value").known()?;
    Some(ops::constant(b, number as f64, call.result_types[0].dtype))
}

/// The node that makes a value, if its op has this name.
fn made_by<'g>(graph: &'g Graph, value: ValueId, op: &str) -> Option<&'g Node> {
    graph.producer(value).map(|(_, node)| node).filter(|node| node.op.name() == op)
}

/// The second operand if the first is this number everywhere.
fn neutral(b: &mut Builder<'_>, call: &Call, number: f64) -> Option<ValueId> {
    (splat(b.graph(), call.operands[0]) == Some(number)).then_some(call.operands[1])
}

/// The first operand if the second is this number everywhere.
fn first_if(b: &mut Builder<'_>, call: &Call, number: f64) -> Option<ValueId> {
    (splat(b.graph(), call.operands[1]) == Some(number)).then_some(call.operands[0])
}

fn zero_product(b: &mut Builder<'_>, _op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    // 0 * NaN is NaN on floats.
    let integer = call.result_types[0].dtype.is_integer();
    call.operands.iter().copied().find(|&operand| integer && splat(b.graph(), operand) == Some(0.0))
}

fn same_type(_b: &mut Builder<'_>, _op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    (call.operand_types[0] == call.result_types[0]).then_some(call.operands[0])
}

fn no_axes(_b: &mut Builder<'_>, _op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    call.attributes.axes("axes").is_empty().then_some(call.operands[0])
}

fn broadcast_twice(b: &mut Builder<'_>, _op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    let inner = made_by(b.graph(), call.operands[0], "broadcast")?.operands[0];
    Some(ops::broadcast(b, inner, &call.result_types[0].shape))
}

fn broadcast_leading(b: &mut Builder<'_>, _op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    let inner = made_by(b.graph(), call.operands[0], "reshape")?.operands[0];
    let (from, to) = (b.shape(inner), call.operand_types[0].shape.extents());
    let leading = to.len().checked_sub(from.rank())?;
    let ones = to[..leading].iter().all(|extent| *extent == Extent::from(1));
    (ones && to[leading..] == *from.extents()).then(|| ops::broadcast(b, inner, &call.result_types[0].shape))
}

fn reshape_twice(b: &mut Builder<'_>, _op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    let inner = made_by(b.graph(), call.operands[0], "reshape")?.operands[0];
    Some(ops::reshape(b, inner, &call.result_types[0].shape))
}

fn view_of_scalar(b: &mut Builder<'_>, _op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    let inner = made_by(b.graph(), call.operands[0], "broadcast")?.operands[0];
    (b.ty(inner).rank() == 0).then(|| ops::broadcast(b, inner, &call.result_types[0].shape))
}

fn straight(_b: &mut Builder<'_>, _op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    call.attributes.axes("axes").is_sorted().then_some(call.operands[0])
}

fn permute_twice(b: &mut Builder<'_>, _op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    let inner = made_by(b.graph(), call.operands[0], "permute")?;
    let (first, x) = (inner.attributes.axes("axes"), inner.operands[0]);
    let axes: Vec<usize> = call.attributes.axes("axes").iter().map(|&axis| first[axis]).collect();
    Some(ops::permute(b, x, &axes))
}

/// The two operands' labels and those of the result.
fn equation(contract: &Attributes) -> Option<[&str; 3]> {
    let (operands, result) = contract.word("equation").split_once("->")?;
    let (left, right) = operands.split_once(',')?;
    Some([left, right, result])
}

fn contract_of_permuted(b: &mut Builder<'_>, _op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    if !call.operands.iter().any(|&operand| made_by(b.graph(), operand, "permute").is_some()) {
        return None;
    }
    let [left, right, result] = equation(&call.attributes)?;
    let operands = [(call.operands[0], left), (call.operands[1], right)];
    let [(x, left), (y, right)] = operands.map(|(operand, labels)| relabelled(b.graph(), operand, labels));
    Some(ops::contract(b, x, y, &format!("{left},{right}->{result}")))
}

/// What a permuted operand is made of, with its labels in the order of that; another operand as it is.
fn relabelled(graph: &Graph, operand: ValueId, labels: &str) -> (ValueId, String) {
    let Some(permute) = made_by(graph, operand, "permute") else { return (operand, labels.to_string()) };
    let mut before: Vec<char> = labels.chars().collect();
    for (axis, label) in permute.attributes.axes("axes").into_iter().zip(labels.chars()) {
        before[axis] = label;
    }
    (permute.operands[0], before.into_iter().collect())
}

fn permuted_contract(b: &mut Builder<'_>, _op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    let contract = made_by(b.graph(), call.operands[0], "contract")?;
    let [left, right, result] = equation(&contract.attributes)?;
    let labels: Vec<char> = result.chars().collect();
    let result: String = call.attributes.axes("axes").into_iter().map(|axis| labels[axis]).collect();
    let (x, y) = (contract.operands[0], contract.operands[1]);
    // The side that brings the first label of its own goes left, so that the rows of the product come from there.
    let own = result.chars().find(|&label| left.contains(label) != right.contains(label));
    Some(match own.is_some_and(|label| right.contains(label)) {
        true => {
            let equation = format!("{right},{left}->{result}");
            ops::contract(b, y, x, &equation)
        }
        false => {
            let equation = format!("{left},{right}->{result}");
            ops::contract(b, x, y, &equation)
        }
    })
}

fn hoisted(b: &mut Builder<'_>, op: &'static dyn Op, call: &Call) -> Option<ValueId> {
    let mut scalars = Vec::new();
    for &operand in &call.operands {
        let inner = made_by(b.graph(), operand, "broadcast")?.operands[0];
        scalars.push((b.ty(inner).rank() == 0).then_some(inner)?);
    }
    let scalar = b.apply(op, call.attributes.clone(), &scalars);
    Some(ops::broadcast(b, scalar, &call.result_types[0].shape))
}
