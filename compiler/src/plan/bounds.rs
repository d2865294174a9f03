//! Bounds: which inputs of a step index something, and how large their elements may be.
//!
//! Kernels clamp indices, so that nothing is read out of bounds; a label that is out of range is still a mistake of the
//! caller, who is told before the step runs.

use super::Bound;
use crate::graph::{Call, Graph, Leaf, Lowering, Node, ValueId};
use crate::nest::{Nest, Scalar};
use crate::scalar::ScalarOp;

/// The bounds of a graph's inputs: of those whose elements, seen through views and casts between whole numbers, an op uses
/// as an index. An element that is replaced before that may be anything. The extents of the graph are known.
pub fn bounds(graph: &Graph) -> Vec<Bound> {
    let mut found: Vec<Bound> = Vec::new();
    for (id, node) in graph.nodes() {
        let call = graph.call(id);
        let Some((operand, below)) = node.op.index_bound(&call) else { continue };
        let Some((leaf, name, except)) = input(graph, call.operands[operand]) else { continue };
        let what = format!("`{name}` is an index of {}", node.op.name());
        insert(&mut found, Bound { leaf, below, except, what });
    }
    found
}

/// Adds a bound; of two on one leaf both hold.
pub fn insert(bounds: &mut Vec<Bound>, bound: Bound) {
    let Some(other) = bounds.iter_mut().find(|other| other.leaf == bound.leaf) else {
        return bounds.push(bound);
    };
    // At most one exception lies beyond both bounds and is taken by both.
    let below = bound.below.min(other.below) as i64;
    let exceptions = [bound.except, other.except].into_iter().flatten();
    let except = exceptions.filter(|&e| e >= below).find(|&e| bound.takes(e) && other.takes(e));
    if bound.below < other.below {
        *other = bound;
    }
    other.except = except;
}

/// The input, by position among the leaves, whose elements a value holds unchanged, but for one that is replaced.
fn input(graph: &Graph, mut value: ValueId) -> Option<(usize, &str, Option<i64>)> {
    let mut except = None;
    while let Some((id, node)) = graph.producer(value) {
        let call = graph.call(id);
        if let Some(replaced) = replaced(graph, node).filter(|_| except.is_none()) {
            (value, except) = (replaced.0, Some(replaced.1));
            continue;
        }
        let keeps = match node.op.lower(&call) {
            Lowering::View(_) => shows_all(&call),
            Lowering::Nest(nest) => is_integer_cast(&nest, &call),
            Lowering::Expand => false,
        };
        if !keeps {
            return None;
        }
        value = node.operands[0];
    }
    let position = graph.leaves().position(|(leaf, ..)| leaf == value)?;
    match graph.as_leaf(value)? {
        Leaf::User { name } if graph.dtype(value).is_integer() => Some((position, name, except)),
        _ => None,
    }
}

/// For `select(x != number, x, 0)`, which is how losses take labels out that are ignored: x and the number.
fn replaced(graph: &Graph, node: &Node) -> Option<(ValueId, i64)> {
    let &[condition, kept, other] = node.operands.as_slice() else { return None };
    let (_, condition) = graph.producer(condition).filter(|_| node.op.name() == "select")?;
    let zero = number(graph, other) == Some(0.0);
    let found = number(graph, *condition.operands.get(1)?)?;
    (zero && condition.op.name() == "ne" && condition.operands[0] == kept).then_some((kept, found as i64))
}

/// The number that a value holds everywhere, if it is made of a constant.
fn number(graph: &Graph, mut value: ValueId) -> Option<f64> {
    loop {
        let (id, node) = graph.producer(value)?;
        match node.op.lower(&graph.call(id)) {
            Lowering::View(_) => value = node.operands[0],
            _ if node.op.name() == "constant" => return Some(node.attributes.float("value")),
            _ => return None,
        }
    }
}

/// Whether a view has as many elements as its operand: what a slice leaves out may be anything.
fn shows_all(call: &Call) -> bool {
    call.shape().iter().product::<usize>() >= call.operand_shape(0).iter().product()
}

fn is_integer_cast(nest: &Nest, call: &Call) -> bool {
    let cast = matches!(nest.body.scalars.as_slice(), [Scalar::Read(_), Scalar::Apply(ScalarOp::Cast(_), _)]);
    cast && nest.reducer.is_none() && nest.dtype.is_integer() && call.operand_types[0].dtype.is_integer()
}
