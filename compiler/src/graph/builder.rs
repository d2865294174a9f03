//! Inserting nodes without ceremony, for rules that the compiler itself writes.

use super::{Attributes, Call, Graph, Leaf, NodeId, Op, Origin, Region, Role, ValueId};
use crate::dtype::DType;
use crate::shape::{Shape, Type};

/// Appends nodes of one origin to a graph. For gradient rules, expansions and optimizers: their types are right by
/// construction, so a refusal is a bug of the rule, not of the user.
#[derive(Debug)]
pub struct Builder<'g> {
    graph: &'g mut Graph,
    origin: Origin,
}

impl<'g> Builder<'g> {
    /// Appends to this graph; nodes get this origin.
    pub fn new(graph: &'g mut Graph, origin: Origin) -> Builder<'g> {
        Builder { graph, origin }
    }

    /// Applies an op with one result.
    pub fn apply(&mut self, op: &'static dyn Op, attributes: Attributes, operands: &[ValueId]) -> ValueId {
        self.apply_all(op, attributes, operands)[0]
    }

    /// Applies an op.
    pub fn apply_all(&mut self, op: &'static dyn Op, attributes: Attributes, operands: &[ValueId]) -> Vec<ValueId> {
        match self.graph.insert(op, attributes, operands, self.origin) {
            Ok(results) => results,
            Err(error) => {
                let types: Vec<String> = operands.iter().map(|&v| self.graph.ty(v).to_string()).collect();
                panic!("a rule of the compiler builds well-typed nodes: {error} ({})", types.join("; "))
            }
        }
    }

    /// The type of a value.
    pub fn ty(&self, value: ValueId) -> &Type {
        self.graph.ty(value)
    }

    /// The shape of a value.
    pub fn shape(&self, value: ValueId) -> Shape {
        self.graph.ty(value).shape.clone()
    }

    /// The element type of a value.
    pub fn dtype(&self, value: ValueId) -> DType {
        self.graph.dtype(value)
    }

    /// A region of the graph that is built: what is made of arguments of these types, with nodes of the same origin.
    pub fn region(
        &self,
        arguments: &[Type],
        make: impl FnOnce(&mut Builder<'_>, &[ValueId]) -> Vec<ValueId>,
    ) -> Region {
        let mut graph = Graph::new(&self.graph.name);
        let leaf = |(position, ty): (usize, &Type)| graph.leaf(Leaf::User { name: position.to_string() }, ty.clone());
        let leaves: Vec<ValueId> = arguments.iter().enumerate().map(leaf).collect();
        let results = make(&mut Builder::new(&mut graph, self.origin), &leaves);
        for (position, result) in results.into_iter().enumerate() {
            graph.result(Role::Output(position), result);
        }
        Region::new(graph)
    }

    /// The graph that is built.
    pub fn graph(&mut self) -> &mut Graph {
        self.graph
    }
}

impl Graph {
    /// A node as its op sees it.
    pub fn call(&self, node: NodeId) -> Call {
        let node = self.node(node);
        let types = |values: &[ValueId]| values.iter().map(|&v| self.ty(v).clone()).collect();
        Call {
            attributes: node.attributes.clone(),
            operands: node.operands.clone(),
            operand_types: types(&node.operands),
            results: node.results.clone(),
            result_types: types(&node.results),
        }
    }
}
