//! Bounds: which inputs of a step index something, and how large their elements may be.
//!
//! Kernels clamp indices, so that nothing is read out of bounds; a label that is out of range is still a mistake of the
//! caller, who is told before the step runs.

use super::{Bound, Shown};
use crate::graph::{Call, Graph, Leaf, Lowering, Node, ValueId};
use crate::nest::{Index, Nest, Scalar, flatten};
use crate::scalar::ScalarOp;

/// The bounds of a graph's inputs: of those whose elements, seen through views and casts between whole numbers, an op uses
/// as an index. What a view leaves out, or what is replaced before, may be anything. The extents of the graph are known.
pub fn bounds(graph: &Graph) -> Vec<Bound> {
    let mut found: Vec<Bound> = Vec::new();
    for (id, node) in graph.nodes() {
        let call = graph.call(id);
        let Some((operand, below)) = node.op.index_bound(&call) else { continue };
        let Some(Traced { leaf, name, shown, except }) = input(graph, call.operands[operand]) else { continue };
        let what = format!("`{name}` is an index of {}", node.op.name());
        insert(&mut found, Bound { leaf, shown, below, except, what });
    }
    found
}

/// Adds a bound; of two on the same elements with the same exception the smaller stays.
pub fn insert(bounds: &mut Vec<Bound>, bound: Bound) {
    let of = |bound: &Bound| (bound.leaf, bound.shown.clone(), bound.except);
    match bounds.iter_mut().find(|other| of(other) == of(&bound)) {
        Some(other) if other.below <= bound.below => {}
        Some(other) => *other = bound,
        None => bounds.push(bound),
    }
}

/// An input whose elements a value holds unchanged.
struct Traced<'g> {
    /// Its position among the leaves.
    leaf: usize,
    name: &'g str,
    /// Which of the elements, if not all.
    shown: Option<Shown>,
    /// The element that is replaced by another, if one is.
    except: Option<i64>,
}

fn input(graph: &Graph, mut value: ValueId) -> Option<Traced<'_>> {
    let extents = graph.ty(value).known_shape();
    let mut index: Vec<Index> = (0..extents.len()).map(Index::axis).collect();
    let (mut all, mut except) = (true, None);
    while let Some((id, node)) = graph.producer(value) {
        let call = graph.call(id);
        if let Some((kept, replaced)) = replaced(graph, node).filter(|_| except.is_none()) {
            (value, except) = (kept, Some(replaced));
            continue;
        }
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
    let leaf = graph.leaves().position(|(leaf, ..)| leaf == value)?;
    let shown = || Shown::new(&extents, flatten(&index, &graph.ty(value).known_shape()));
    match graph.as_leaf(value)? {
        Leaf::User { name } if graph.dtype(value).is_integer() => {
            Some(Traced { leaf, name, shown: (!all).then(shown), except })
        }
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

/// Whether a view has as many elements as its operand.
fn shows_all(call: &Call) -> bool {
    call.shape().iter().product::<usize>() >= call.operand_shape(0).iter().product()
}

fn is_integer_cast(nest: &Nest, call: &Call) -> bool {
    let cast = matches!(nest.body.scalars.as_slice(), [Scalar::Read(_), Scalar::Apply(ScalarOp::Cast(_), _)]);
    cast && nest.reducer.is_none() && nest.dtype.is_integer() && call.operand_types[0].dtype.is_integer()
}
