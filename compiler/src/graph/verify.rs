//! The verifier of graphs.
//!
//! A graph comes in; out comes whether it keeps the invariants that [`super`] states. Passes are judged by it, and so are
//! texts that someone else may have changed.

use super::rewrite::Defined;
use super::{Definition, Graph, GraphResult, Infer, Leaf, Node, Relation, Role, TypeError, ValueId, seed_type};
use crate::shape::{Extent, Symbol, Type};
use crate::text::is_plain_name;
use rustc_hash::{FxHashMap, FxHashSet};
use std::mem::{Discriminant, discriminant};
use thiserror::Error;

/// Which invariant a graph breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// A node or result uses what is not defined before it.
    #[error("{user} uses {value}, which is not defined before")]
    Undefined {
        /// The node's first result, or the result's role.
        user: String,
        /// What it uses.
        value: ValueId,
    },
    /// Values and nodes do not agree about who defines whom.
    #[error("{value} and its node do not agree about who defines it")]
    Definition {
        /// The value.
        value: ValueId,
    },
    /// An op does not take its operands.
    #[error("{value}: {error}")]
    Refused {
        /// The node's first result.
        value: ValueId,
        /// What the op says.
        error: TypeError,
    },
    /// A value does not have the type that its op infers.
    #[error("{value} is {found}, its op infers {inferred}")]
    Type {
        /// The value.
        value: ValueId,
        /// The type that it has.
        found: Type,
        /// The type that it should have.
        inferred: Type,
    },
    /// A node demands a check that the graph does not have.
    #[error("{value}: the check `{left} = {right}` is missing")]
    Check {
        /// The node's first result.
        value: ValueId,
        /// One side.
        left: Extent,
        /// The other.
        right: Extent,
    },
    /// An extent has a symbol that is no dim.
    #[error("{symbol} in {place} is none of the graph's dims")]
    Symbol {
        /// The symbol.
        symbol: Symbol,
        /// Where.
        place: String,
    },
    /// A dim has no plain name, or stands twice.
    #[error("dim {0:?} has no plain name or stands twice")]
    Dim(String),
    /// A store is named that the graph does not have.
    #[error("{user} names store {store}, there are {stores}")]
    Store {
        /// The leaf or role.
        user: String,
        /// What it names.
        store: usize,
        /// How many stores there are.
        stores: usize,
    },
    /// A seed has another type than all seeds have.
    #[error("{value} is {found}, a seed is u32<2>")]
    Seed {
        /// The leaf.
        value: ValueId,
        /// Its type.
        found: Type,
    },
    /// The region of a node breaks an invariant.
    #[error("the region of {value}: {error}")]
    Region {
        /// The node's first result.
        value: ValueId,
        /// What is wrong in it.
        error: Box<VerifyError>,
    },
    /// A region is not closed, or its arguments and results are not in order.
    #[error("{0} stands in a region where argument or output {1} should")]
    Open(String, usize),
    /// Two leaves are the same thing.
    #[error("{0} and {1} are the same {2}")]
    Leaf(ValueId, ValueId, String),
    /// Two results have the same role.
    #[error("two results are {0}")]
    Role(String),
    /// A next value belongs to what is no parameter, state or slot.
    #[error("{0} has a next value, but is no parameter, state or slot")]
    NoState(ValueId),
    /// The two halves of a state pair differ in type.
    #[error("{leaf} is {old}, its next value {new}")]
    Pair {
        /// The leaf.
        leaf: ValueId,
        /// Its type.
        old: Type,
        /// The type of its next value.
        new: Type,
    },
}

/// Holds a graph against its invariants.
pub fn verify(graph: &Graph) -> Result<(), VerifyError> {
    verify_dims(graph)?;
    verify_body(graph, &graph.dims)
}

/// The verifier of graphs and of regions in them, which use the dims of the graph around them.
fn verify_body(graph: &Graph, dims: &[Symbol]) -> Result<(), VerifyError> {
    verify_definitions(graph)?;
    let checks = graph.checks.iter().map(|check| (&check.left, check.relation, &check.right)).collect();
    for defined in graph.definitions() {
        match defined {
            Defined::Leaf(id, ty) => verify_leaf(graph, dims, id, ty)?,
            Defined::Node(_, node) => verify_node(graph, dims, &checks, node)?,
        }
    }
    for check in &graph.checks {
        let place = || format!("the check `{}`", check.message);
        known_symbols(dims, &check.left, place)?;
        known_symbols(dims, &check.right, place)?;
    }
    verify_leaves_differ(graph)?;
    verify_results(graph)
}

fn verify_dims(graph: &Graph) -> Result<(), VerifyError> {
    for (position, dim) in graph.dims.iter().enumerate() {
        if !is_plain_name(dim.name()) || graph.dims[..position].contains(dim) {
            return Err(VerifyError::Dim(dim.name().to_string()));
        }
    }
    Ok(())
}

/// Values say which node makes them, nodes say which values they make: both must agree, in one order.
fn verify_definitions(graph: &Graph) -> Result<(), VerifyError> {
    let mut next = 0;
    for (value, definition) in graph.values().map(|(value, held)| (value, &held.definition)) {
        let Definition::Node(node, position) = definition else { continue };
        let made = graph.nodes.get(node.0).is_some_and(|node| node.results.get(*position) == Some(&value));
        let in_order = if *position == 0 { node.0 == next } else { node.0 + 1 == next };
        if !made || !in_order {
            return Err(VerifyError::Definition { value });
        }
        next = node.0 + 1;
    }
    match graph.nodes.get(next) {
        None => Ok(()),
        Some(node) => Err(VerifyError::Definition { value: node.results.first().copied().unwrap_or(ValueId(0)) }),
    }
}

fn verify_leaf(graph: &Graph, dims: &[Symbol], id: ValueId, ty: &Type) -> Result<(), VerifyError> {
    let leaf = graph.as_leaf(id).expect("definitions gives leaves as leaves");
    ty.shape.extents().iter().try_for_each(|extent| known_symbols(dims, extent, || leaf.to_string()))?;
    if matches!(leaf, Leaf::Seed { .. }) && *ty != seed_type() {
        return Err(VerifyError::Seed { value: id, found: ty.clone() });
    }
    leaf.store().map_or(Ok(()), |store| known_store(graph, store, || leaf.to_string()))
}

/// The checks that a graph has.
type Checks<'g> = FxHashSet<(&'g Extent, Relation, &'g Extent)>;

fn verify_node(graph: &Graph, dims: &[Symbol], checks: &Checks<'_>, node: &Node) -> Result<(), VerifyError> {
    let first = node.results[0];
    let wrong = |error| VerifyError::Region { value: first, error: Box::new(error) };
    for region in node.attributes.regions() {
        verify_region(region.graph(), dims).map_err(wrong)?;
    }
    if let Some(&value) = node.operands.iter().find(|&&operand| operand >= first) {
        return Err(VerifyError::Undefined { user: first.to_string(), value });
    }
    let types: Vec<&Type> = node.operands.iter().map(|&operand| graph.ty(operand)).collect();
    let mut infer = Infer::new(node.op.name(), &node.attributes, &types);
    let inferred = node.op.infer(&mut infer).map_err(|error| VerifyError::Refused { value: first, error })?;
    if inferred.len() != node.results.len() {
        return Err(VerifyError::Definition { value: first });
    }
    for (&value, inferred) in node.results.iter().zip(inferred) {
        let found = graph.ty(value);
        if *found != inferred {
            return Err(VerifyError::Type { value, found: found.clone(), inferred });
        }
        for extent in found.shape.extents() {
            known_symbols(dims, extent, || value.to_string())?;
        }
    }
    for (left, relation, right, _) in infer.into_checks() {
        if !checks.contains(&(&left, relation, &right)) {
            return Err(VerifyError::Check { value: first, left, right });
        }
    }
    Ok(())
}

/// A region has arguments and outputs, each by its position, and nothing of its own beside its nodes.
fn verify_region(region: &Graph, dims: &[Symbol]) -> Result<(), VerifyError> {
    for (position, (_, leaf, _)) in region.leaves().enumerate() {
        if *leaf != (Leaf::User { name: position.to_string() }) {
            return Err(VerifyError::Open(leaf.to_string(), position));
        }
    }
    for (position, result) in region.results.iter().enumerate() {
        if result.role != Role::Output(position) {
            return Err(VerifyError::Open(result.role.to_string(), position));
        }
    }
    verify_body(region, dims)
}

fn verify_leaves_differ(graph: &Graph) -> Result<(), VerifyError> {
    let mut seen = FxHashMap::default();
    for (id, leaf, _) in graph.leaves() {
        if let Some(other) = seen.insert(identity(leaf), id) {
            let identity = match leaf {
                Leaf::Slot { store, name, .. } => format!("slot {store} {name:?}"),
                other => other.to_string(),
            };
            return Err(VerifyError::Leaf(other, id, identity));
        }
    }
    Ok(())
}

/// What makes a leaf the same thing as another: its kind, its store and its name there.
fn identity(leaf: &Leaf) -> (Discriminant<Leaf>, Option<usize>, &str) {
    let name = match leaf {
        Leaf::User { name } | Leaf::Slot { name, .. } => name,
        Leaf::Parameter { key, .. } | Leaf::State { key, .. } => key,
        Leaf::Seed { .. } => "",
    };
    (discriminant(leaf), leaf.store(), name)
}

fn verify_results(graph: &Graph) -> Result<(), VerifyError> {
    let mut roles = FxHashSet::default();
    for GraphResult { role, value } in &graph.results {
        if value.0 >= graph.values.len() {
            return Err(VerifyError::Undefined { user: role.to_string(), value: *value });
        }
        match role {
            Role::Metric(_) | Role::Output(_) | Role::Loss(_) | Role::NotFinite(_) => {}
            Role::Gradient { store, .. } => known_store(graph, *store, || role.to_string())?,
            Role::Next(leaf) => verify_pair(graph, *leaf, *value)?,
        }
        if !roles.insert(role) {
            return Err(VerifyError::Role(role.to_string()));
        }
    }
    Ok(())
}

fn verify_pair(graph: &Graph, leaf: ValueId, next: ValueId) -> Result<(), VerifyError> {
    let stateful = match graph.values.get(leaf.0).map(|value| &value.definition) {
        Some(Definition::Leaf(leaf)) => leaf.is_kept(),
        _ => false,
    };
    if !stateful {
        return Err(VerifyError::NoState(leaf));
    }
    let (old, new) = (graph.ty(leaf).clone(), graph.ty(next).clone());
    if old == new { Ok(()) } else { Err(VerifyError::Pair { leaf, old, new }) }
}

fn known_symbols(dims: &[Symbol], extent: &Extent, place: impl Fn() -> String) -> Result<(), VerifyError> {
    if extent.known().is_some() || extent.as_symbol().is_some_and(|symbol| dims.contains(symbol)) {
        return Ok(());
    }
    match extent.symbols().into_iter().find(|symbol| !dims.contains(symbol)) {
        Some(symbol) => Err(VerifyError::Symbol { symbol, place: place() }),
        None => Ok(()),
    }
}

fn known_store(graph: &Graph, store: usize, user: impl Fn() -> String) -> Result<(), VerifyError> {
    let stores = graph.stores.len();
    if store < stores { Ok(()) } else { Err(VerifyError::Store { user: user(), store, stores }) }
}

#[cfg(test)]
mod tests {
    use super::super::{Builder, Origin, StoreDecl};
    use super::*;
    use crate::dtype::DType;
    use crate::ops;
    use crate::shape::Shape;

    const A: ValueId = ValueId(0);
    const W: ValueId = ValueId(1);
    const SUM: ValueId = ValueId(2);

    /// `a + w`, with `w` updated to it.
    fn sound() -> Graph {
        let mut graph = Graph::new("X");
        graph.dims = vec![Symbol::new("A"), Symbol::new("B")];
        graph.stores.push(StoreDecl { binding: "net".into(), model: "Net".into() });
        let vector = |name| Type::new(DType::F32, Shape::new(vec![Extent::symbol(Symbol::new(name))]));
        let a = graph.leaf(Leaf::User { name: "a".into() }, vector("A"));
        let w = graph.leaf(Leaf::Parameter { store: 0, key: "w".into() }, vector("B"));
        let sum = ops::add(&mut Builder::new(&mut graph, Origin::default()), a, w);
        graph.result(Role::Metric("a".into()), a);
        graph.result(Role::Next(w), w);
        graph.result(Role::Output(0), sum);
        graph
    }

    fn broken(change: impl FnOnce(&mut Graph)) -> String {
        let mut graph = sound();
        assert_eq!(verify(&graph), Ok(()));
        change(&mut graph);
        verify(&graph).expect_err("an invariant is broken").to_string()
    }

    #[test]
    fn broken_nodes_are_found() {
        assert_eq!(broken(|g| g.nodes[0].operands[1] = SUM), "%2 uses %2, which is not defined before");
        assert_eq!(broken(|g| g.nodes[0].operands.truncate(1)), "%2: add: takes 2 operands, not 1");
        assert_eq!(broken(|g| g.values[2].ty = Type::scalar(DType::F32)), "%2 is f32, its op infers f32<A>");
        assert_eq!(broken(|g| g.nodes[0].results[0] = A), "%2 and its node do not agree about who defines it");
        assert_eq!(broken(|g| drop(g.nodes.pop())), "%2 and its node do not agree about who defines it");
        let node = |g: &mut Graph| g.nodes.push(g.nodes[0].clone());
        assert_eq!(broken(node), "%2 and its node do not agree about who defines it");
        assert_eq!(broken(|g| g.checks.clear()), "%2: the check `A = B` is missing");
    }

    #[test]
    fn broken_names_are_found() {
        assert_eq!(broken(|g| drop(g.dims.pop())), "B in parameter 0 \"w\" is none of the graph's dims");
        assert_eq!(broken(|g| g.dims[1] = Symbol::new("A")), "dim \"A\" has no plain name or stands twice");
        assert_eq!(broken(|g| g.dims[1] = Symbol::new("B>")), "dim \"B>\" has no plain name or stands twice");
        assert_eq!(broken(|g| g.stores.clear()), "parameter 0 \"w\" names store 0, there are 0");
        let twice = |g: &mut Graph| {
            g.leaf(Leaf::User { name: "a".into() }, Type::scalar(DType::F32));
        };
        assert_eq!(broken(twice), "%0 and %3 are the same user \"a\"");
        let seed = |g: &mut Graph| {
            g.leaf(Leaf::Seed { store: 0 }, Type::scalar(DType::U32));
        };
        assert_eq!(broken(seed), "%3 is u32, a seed is u32<2>");
    }

    #[test]
    fn broken_results_are_found() {
        assert_eq!(broken(|g| g.result(Role::Next(A), A)), "%0 has a next value, but is no parameter, state or slot");
        let seed = |g: &mut Graph| {
            let seed = g.leaf(Leaf::Seed { store: 0 }, seed_type());
            g.result(Role::Next(seed), seed);
        };
        assert_eq!(broken(seed), "%3 has a next value, but is no parameter, state or slot");
        assert_eq!(broken(|g| g.result(Role::Next(SUM), A)), "%2 has a next value, but is no parameter, state or slot");
        assert_eq!(broken(|g| g.results[1].value = SUM), "%1 is f32<B>, its next value f32<A>");
        assert_eq!(broken(|g| g.result(Role::Next(W), W)), "two results are next %1");
        assert_eq!(broken(|g| g.result(Role::Output(0), A)), "two results are output 0");
        assert_eq!(broken(|g| g.result(Role::Metric("a".into()), W)), "two results are metric \"a\"");
        let gradient = Role::Gradient { store: 1, key: "w".into() };
        let result = GraphResult { role: gradient, value: W };
        assert_eq!(broken(|g| g.results.push(result)), "gradient 1 \"w\" names store 1, there are 1");
        assert_eq!(broken(|g| g.result(Role::Output(1), ValueId(9))), "output 1 uses %9, which is not defined before");
    }
}
