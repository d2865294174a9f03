//! Bounds: which inputs of a step index something, and how large their elements may be.
//!
//! Kernels clamp indices, so that nothing is read out of bounds; a label that is out of range is still a mistake of the
//! caller, who is told before the step runs.

use super::{Bound, Shown};
use crate::graph::{Call, Graph, Leaf, Lowering, ValueId};
use crate::nest::{Index, Nest, Scalar, flatten};
use crate::scalar::ScalarOp;

/// The bounds of a graph's inputs: of those whose elements, seen through views and casts between whole numbers, an op uses
/// as an index. What a view leaves out may be anything. The extents of the graph are known.
pub fn bounds(graph: &Graph) -> Vec<Bound> {
    let mut found: Vec<Bound> = Vec::new();
    for (id, node) in graph.nodes() {
        let call = graph.call(id);
        let Some((operand, below)) = node.op.index_bound(&call) else { continue };
        let Some((leaf, name, shown)) = input(graph, call.operands[operand]) else { continue };
        let what = format!("`{name}` is an index of {}", node.op.name());
        insert(&mut found, Bound { leaf, shown, below, what });
    }
    found
}

/// Adds a bound; of two on the same elements the smaller stays.
pub fn insert(bounds: &mut Vec<Bound>, bound: Bound) {
    match bounds.iter_mut().find(|other| other.leaf == bound.leaf && other.shown == bound.shown) {
        Some(other) if other.below <= bound.below => {}
        Some(other) => *other = bound,
        None => bounds.push(bound),
    }
}

/// The input, by position among the leaves, whose elements a value holds unchanged, and which of them.
fn input(graph: &Graph, mut value: ValueId) -> Option<(usize, &str, Option<Shown>)> {
    let extents = graph.ty(value).known_shape();
    let mut index: Vec<Index> = (0..extents.len()).map(Index::axis).collect();
    let mut all = true;
    while let Some((id, node)) = graph.producer(value) {
        let call = graph.call(id);
        match node.op.lower(&call) {
            Lowering::View(through) => {
                all &= shows_all(&call);
                index = through.iter().map(|axis| axis.substitute(&index, &extents, 0)).collect();
            }
            Lowering::Nest(nest) if is_integer_cast(&nest, &call) => {}
            _ => return None,
        }
        value = node.operands[0];
    }
    let position = graph.leaves().position(|(leaf, ..)| leaf == value)?;
    let shown = || Shown::new(&extents, flatten(&index, &graph.ty(value).known_shape()));
    match graph.as_leaf(value)? {
        Leaf::User { name } if graph.dtype(value).is_integer() => Some((position, name, (!all).then(shown))),
        _ => None,
    }
}

/// Whether a view has as many elements as its operand.
fn shows_all(call: &Call) -> bool {
    call.shape().iter().product::<usize>() >= call.operand_shape(0).iter().product()
}

fn is_integer_cast(nest: &Nest, call: &Call) -> bool {
    let cast = matches!(nest.body.scalars.as_slice(), [Scalar::Read(_), Scalar::Apply(ScalarOp::Cast(_), _)]);
    cast && nest.reducer.is_none() && nest.dtype.is_integer() && call.operand_types[0].dtype.is_integer()
}
