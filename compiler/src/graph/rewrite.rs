//! Copying a graph node by node, with changes on the way.
//!
//! A graph comes in, a new one leaves that has the same name, files, dims, stores and results. Nodes enter the new graph
//! through [`Graph::insert`], in the old order, so operands stand before what uses them there as well.

use super::{
    Attributes, Builder, Call, Definition, Graph, GraphResult, Node, NodeId, Origin, Role, TypeError, ValueId,
};
use crate::shape::Type;
use rustc_hash::FxHashSet;

/// A copy of a graph under construction.
#[derive(Debug)]
pub struct Rewriter<'g> {
    source: &'g Graph,
    target: Graph,
    values: Vec<Option<ValueId>>,
    /// Old values that have another type in the new graph.
    retyped: FxHashSet<ValueId>,
}

/// One step of a walk over the definitions of a graph.
#[derive(Clone, Copy, Debug)]
pub enum Defined<'g> {
    /// A leaf.
    Leaf(ValueId, &'g Type),
    /// A node with all its results.
    Node(NodeId, &'g Node),
}

impl Graph {
    /// Leaves and nodes in the order of the values that they define.
    pub fn definitions(&self) -> impl Iterator<Item = Defined<'_>> {
        self.values().filter_map(|(id, value)| match &value.definition {
            Definition::Leaf(_) => Some(Defined::Leaf(id, &value.ty)),
            Definition::Node(node, 0) => Some(Defined::Node(*node, self.node(*node))),
            Definition::Node(..) => None,
        })
    }
}

/// A copy in which other values stand in the place of the results of the nodes that `concerns` names. `replace` gets the new
/// graph, and such a node with its operands there; results of the call it gets are none yet.
pub fn rewrite(
    graph: &Graph,
    concerns: impl Fn(&Node) -> bool,
    mut replace: impl FnMut(&mut Builder<'_>, &Node, &Call) -> Vec<ValueId>,
) -> Graph {
    let mut rewriter = Rewriter::new(graph);
    rewriter.copy_checks();
    for defined in graph.definitions() {
        match defined {
            Defined::Leaf(id, ty) => rewriter.leaf(id, ty.clone()),
            Defined::Node(_, node) if concerns(node) => {
                let call = rewriter.call(node);
                let mut b = Builder::new(&mut rewriter.target, node.origin);
                let results = replace(&mut b, node, &call);
                rewriter.define(node, &results);
            }
            Defined::Node(_, node) => {
                rewriter.copy(node);
            }
        }
    }
    rewriter.finish()
}

impl<'g> Rewriter<'g> {
    /// A copy of which nothing is made yet, not even the checks.
    pub fn new(source: &'g Graph) -> Rewriter<'g> {
        Rewriter {
            source,
            target: source.like(),
            values: vec![None; source.values().len()],
            retyped: FxHashSet::default(),
        }
    }

    /// Copies all checks, so that they stand in the order that they had.
    pub fn copy_checks(&mut self) {
        self.source.checks.iter().for_each(|check| self.target.check(check.clone()));
    }

    /// The new graph as far as it goes.
    pub fn target(&mut self) -> &mut Graph {
        &mut self.target
    }

    /// Appends nodes of this origin to the new graph.
    pub fn builder(&mut self, origin: Origin) -> Builder<'_> {
        Builder::new(&mut self.target, origin)
    }

    /// Copies a leaf; it gets this type.
    pub fn leaf(&mut self, old: ValueId, ty: Type) {
        let leaf = self.source.as_leaf(old).expect("only leaves are copied as leaves").clone();
        let new = self.target.leaf(leaf, ty);
        self.stand_for(old, new);
    }

    /// Copies a node; it gets these attributes.
    pub fn node(&mut self, node: &Node, attributes: Attributes) -> Result<(), TypeError> {
        let operands = self.operands(node);
        let results = self.target.insert(node.op, attributes, &operands, node.origin)?;
        self.define(node, &results);
        Ok(())
    }

    /// Copies a node. The checks of the old graph are in the new one already.
    ///
    /// Types follow from operand types and attributes, so where the operands have the types that they had, nothing is
    /// inferred again: most nodes of a large graph are only copied, pass after pass.
    pub fn copy(&mut self, node: &Node) -> NodeId {
        let (operands, source) = (self.operands(node), self.source);
        if self.retyped.is_empty() || !node.operands.iter().any(|operand| self.retyped.contains(operand)) {
            let types = node.results.iter().map(|&result| source.ty(result).clone());
            let copy = self.target.push(node.op, node.attributes.clone(), operands, types, node.origin);
            for (old, new) in node.results.iter().zip(&self.target.node(copy).results) {
                self.values[old.0] = Some(*new);
            }
            return copy;
        }
        let copy = NodeId(self.target.nodes().len());
        let mut b = Builder::new(&mut self.target, node.origin);
        let results = b.apply_all(node.op, node.attributes.clone(), &operands);
        self.define(node, &results);
        copy
    }

    /// Lets the results of a new node stand for those of an old one.
    pub fn merge(&mut self, node: &Node, equal: NodeId) {
        let results = self.target.node(equal).results.clone();
        self.define(node, &results);
    }

    /// Lets these new values stand for the results of an old node.
    pub fn define(&mut self, node: &Node, results: &[ValueId]) {
        assert_eq!(node.results.len(), results.len(), "{} has as many results in its copy", node.op.name());
        for (old, &new) in node.results.iter().zip(results) {
            self.stand_for(*old, new);
        }
    }

    /// Lets these new values stand for those results of an old node that are used.
    pub fn define_used(&mut self, node: &Node, results: &[Option<ValueId>]) {
        for (old, new) in node.results.iter().zip(results) {
            new.iter().for_each(|&new| self.stand_for(*old, new));
        }
    }

    fn stand_for(&mut self, old: ValueId, new: ValueId) {
        self.values[old.0] = Some(new);
        if self.source.ty(old) != self.target.ty(new) {
            self.retyped.insert(old);
        }
    }

    /// An old node as it will stand in the new graph, without results.
    pub fn call(&self, node: &Node) -> Call {
        let operands = self.operands(node);
        Call {
            attributes: node.attributes.clone(),
            operand_types: operands.iter().map(|&operand| self.target.ty(operand).clone()).collect(),
            operands,
            results: Vec::new(),
            result_types: node.results.iter().map(|&result| self.source.ty(result).clone()).collect(),
        }
    }

    /// The new graph with the old one's results.
    pub fn finish(mut self) -> Graph {
        for GraphResult { role, value } in &self.source.results {
            let role = match role {
                Role::Next(leaf) => Role::Next(self.value(*leaf)),
                other => other.clone(),
            };
            let value = self.value(*value);
            self.target.result(role, value);
        }
        self.target
    }

    fn operands(&self, node: &Node) -> Vec<ValueId> {
        let mut operands = node.operands.clone();
        for operand in &mut operands {
            *operand = self.value(*operand);
        }
        operands
    }

    fn value(&self, old: ValueId) -> ValueId {
        self.values[old.0].expect("what is used was copied")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Leaf, print};
    use super::*;
    use crate::dtype::DType;
    use crate::ops;

    #[test]
    fn replaced_nodes_are_replaced_and_the_rest_is_kept() {
        let mut graph = Graph::new("X");
        let x = graph.leaf(Leaf::User { name: "x".into() }, Type::scalar(DType::F32));
        let mut b = Builder::new(&mut graph, Origin::default());
        let e = ops::exp(&mut b, x);
        let y = ops::mul(&mut b, e, x);
        graph.result(Role::Output(0), y);
        let is_exp = |node: &Node| node.op.name() == "exp";
        let doubled = rewrite(&graph, is_exp, |b, _, call| vec![ops::add(b, call.operands[0], call.operands[0])]);
        insta::assert_snapshot!(print(&doubled), @r#"
        tapeless graph 1
        step X
        %0 = user "x" : f32
        %1 = add %0 %0 : f32
        %2 = mul %1 %0 : f32
        result output 0 %2
        end
        "#);
    }
}
