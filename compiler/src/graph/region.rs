//! Regions: graphs that a node owns and its op gives a meaning to.
//!
//! A region is closed: its leaves are its arguments, called `0`, `1`, … in order, and its results are outputs in order. What
//! it needs from around it comes in as an argument. Its origins name files of the graph around it, its extents the dims of
//! that graph. [`outline`] makes a region of nodes that stand in a graph, [`inline`] puts a region's nodes into one.

use super::{Attributes, Builder, Defined, Definition, Graph, Leaf, Node, NodeId, Role, ValueId, print};
use crate::shape::Type;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// A graph as an attribute of a node. Copies share it.
#[derive(Clone, Debug)]
pub struct Region(Arc<Graph>);

impl Region {
    /// The region that is this graph. Whether it is closed is for the verifier to say.
    pub fn new(graph: Graph) -> Region {
        Region(Arc::new(graph))
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.0
    }

    /// The types of its arguments.
    pub fn argument_types(&self) -> impl Iterator<Item = &Type> {
        self.0.leaves().map(|(_, _, ty)| ty)
    }

    /// The types of its results.
    pub fn result_types(&self) -> impl Iterator<Item = &Type> {
        self.0.results.iter().map(|result| self.0.ty(result.value))
    }
}

impl PartialEq for Region {
    /// Regions are equal if they are printed alike.
    fn eq(&self, other: &Region) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || print(&self.0) == print(&other.0)
    }
}

/// Appends the nodes of a region with these values as its arguments; its results in order.
pub fn inline(b: &mut Builder<'_>, region: &Region, arguments: &[ValueId]) -> Vec<ValueId> {
    let source = region.graph();
    let mut given = arguments.iter();
    let mut values: Vec<ValueId> = Vec::with_capacity(source.values().len());
    for defined in source.definitions() {
        match defined {
            Defined::Leaf(..) => values.push(*given.next().expect("a region has one argument per operand")),
            Defined::Node(_, node) => {
                let operands: Vec<ValueId> = node.operands.iter().map(|operand| values[operand.0]).collect();
                let inserted = b.graph().insert(node.op, node.attributes.clone(), &operands, node.origin);
                values.extend(inserted.expect("a copy of a node is as well typed as the node"));
            }
        }
    }
    source.results.iter().map(|result| values[result.value.0]).collect()
}

/// A region of those of these nodes that the results need, and what of the graph around it are its arguments.
pub fn outline(graph: &Graph, nodes: Range<usize>, results: &[ValueId]) -> (Region, Vec<ValueId>) {
    let needed = needed(graph, nodes.clone(), results);
    let mut outline = Outline { graph, region: Graph::new(&graph.name), arguments: Vec::new(), values: HashMap::new() };
    let inside = || nodes.clone().map(NodeId).filter(|node| needed.contains(node)).map(|node| graph.node(node));
    let made: HashSet<ValueId> = inside().flat_map(|node| node.results.iter().copied()).collect();
    for value in inside().flat_map(|node| &node.operands).chain(results) {
        if !made.contains(value) {
            outline.argument(*value);
        }
    }
    inside().for_each(|node| outline.node(node));
    for (position, result) in results.iter().enumerate() {
        outline.region.result(Role::Output(position), outline.values[result]);
    }
    (Region::new(outline.region), outline.arguments)
}

/// Those of these nodes that lead to a result.
fn needed(graph: &Graph, nodes: Range<usize>, results: &[ValueId]) -> HashSet<NodeId> {
    let mut needed = HashSet::new();
    let mut open: Vec<ValueId> = results.to_vec();
    while let Some(value) = open.pop() {
        if let Definition::Node(node, _) = graph.value(value).definition
            && nodes.contains(&node.0)
            && needed.insert(node)
        {
            open.extend(&graph.node(node).operands);
        }
    }
    needed
}

struct Outline<'g> {
    graph: &'g Graph,
    region: Graph,
    arguments: Vec<ValueId>,
    /// Values of the graph around it, as they are called inside.
    values: HashMap<ValueId, ValueId>,
}

impl Outline<'_> {
    fn argument(&mut self, value: ValueId) {
        if self.values.contains_key(&value) {
            return;
        }
        let name = self.arguments.len().to_string();
        let inside = self.region.leaf(Leaf::User { name }, self.graph.ty(value).clone());
        self.values.insert(value, inside);
        self.arguments.push(value);
    }

    fn node(&mut self, node: &Node) {
        let operands: Vec<ValueId> = node.operands.iter().map(|operand| self.values[operand]).collect();
        let attributes: Attributes = node.attributes.clone();
        let inserted = self.region.insert(node.op, attributes, &operands, node.origin);
        let inserted = inserted.expect("a copy of a node is as well typed as the node");
        self.values.extend(node.results.iter().copied().zip(inserted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::graph::Origin;
    use crate::ops;

    #[test]
    fn nodes_come_back_as_they_were() {
        let mut graph = Graph::new("X");
        let x = graph.leaf(Leaf::User { name: "x".into() }, Type::scalar(DType::F32));
        let mut b = Builder::new(&mut graph, Origin::default());
        let e = ops::exp(&mut b, x);
        ops::neg(&mut b, e);
        let t = ops::tanh(&mut b, e);
        let y = ops::mul(&mut b, t, x);
        let (region, arguments) = outline(&graph, 1..4, &[y, t]);
        assert_eq!(arguments, [e, x]);
        insta::assert_snapshot!(print(region.graph()), @r#"
        tapeless graph 1
        step X
        %0 = user "0" : f32
        %1 = user "1" : f32
        %2 = tanh %0 : f32
        %3 = mul %2 %1 : f32
        result output 0 %3
        result output 1 %2
        end
        "#);
        let again = inline(&mut Builder::new(&mut graph, Origin::default()), &region, &arguments);
        let (copy, copied) = outline(&graph, 4..6, &again);
        assert_eq!((copy, copied), (region, arguments));
    }
}
