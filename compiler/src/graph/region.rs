//! Regions: graphs that a node owns and its op gives a meaning to.
//!
//! A region is closed: its leaves are its arguments, called `0`, `1`, … in order, and its results are outputs in order. What
//! it needs from around it comes in as an argument. Its origins name files of the graph around it, its extents the dims of
//! that graph. [`outline`] makes a region of nodes that stand in a graph, [`between`] one of what leads from values to others,
//! [`inline`] puts a region's nodes into a graph.

use super::{Attribute, Attributes, Builder, Defined, Definition, Graph, Leaf, Node, NodeId, Role, ValueId, print};
use crate::dtype::DType;
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

impl Region {
    /// The region with other element types; `None` if an op of it does not take them.
    pub fn retyped(&self, change: &dyn Fn(DType) -> DType) -> Option<Region> {
        let mut graph = Graph::new(&self.0.name);
        let mut values: Vec<ValueId> = Vec::with_capacity(self.0.values().len());
        for defined in self.0.definitions() {
            match defined {
                Defined::Leaf(id, ty) => {
                    let leaf = self.0.as_leaf(id).expect("definitions gives leaves as leaves").clone();
                    values.push(graph.leaf(leaf, Type::new(change(ty.dtype), ty.shape.clone())));
                }
                Defined::Node(_, node) => {
                    let operands: Vec<ValueId> = node.operands.iter().map(|operand| values[operand.0]).collect();
                    let attributes = node.attributes.retyped(change)?;
                    values.extend(graph.insert(node.op, attributes, &operands, node.origin).ok()?);
                }
            }
        }
        for result in &self.0.results {
            graph.result(result.role.clone(), values[result.value.0]);
        }
        Some(Region::new(graph))
    }
}

impl Attributes {
    /// The attributes with other element types, in regions too; `None` if an op there does not take them.
    pub fn retyped(&self, change: &dyn Fn(DType) -> DType) -> Option<Attributes> {
        let mut retyped = self.clone();
        for (name, attribute) in self.iter() {
            let attribute = match attribute {
                Attribute::Type(dtype) => Attribute::Type(change(*dtype)),
                Attribute::Region(region) => Attribute::Region(region.retyped(change)?),
                _ => continue,
            };
            retyped = retyped.with(name.to_string(), attribute);
        }
        Some(retyped)
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

/// The region whose arguments and results are these values of a graph: what leads from the ones to the others.
pub fn between(graph: &Graph, arguments: &[ValueId], results: &[ValueId]) -> Region {
    let mut region = Graph::new(&graph.name);
    let mut values = HashMap::new();
    for (position, &argument) in arguments.iter().enumerate() {
        let leaf = region.leaf(Leaf::User { name: position.to_string() }, graph.ty(argument).clone());
        values.insert(argument, leaf);
    }
    let mut outline = Outline { graph, region, arguments: arguments.to_vec(), values };
    let needed = needed(graph, 0..graph.nodes().len(), results, arguments);
    graph.nodes().filter(|(id, _)| needed.contains(id)).for_each(|(_, node)| outline.node(node));
    outline.finish(results)
}

/// A region of those of these nodes that the results need, and what of the graph around it are its arguments.
pub fn outline(graph: &Graph, nodes: Range<usize>, results: &[ValueId]) -> (Region, Vec<ValueId>) {
    let needed = needed(graph, nodes.clone(), results, &[]);
    let mut outline = Outline { graph, region: Graph::new(&graph.name), arguments: Vec::new(), values: HashMap::new() };
    let inside = || nodes.clone().map(NodeId).filter(|node| needed.contains(node)).map(|node| graph.node(node));
    let made: HashSet<ValueId> = inside().flat_map(|node| node.results.iter().copied()).collect();
    for value in inside().flat_map(|node| &node.operands).chain(results) {
        if !made.contains(value) {
            outline.argument(*value);
        }
    }
    inside().for_each(|node| outline.node(node));
    let arguments = std::mem::take(&mut outline.arguments);
    (outline.finish(results), arguments)
}

/// Those of these nodes that lead to a result, and not by way of what is given.
fn needed(graph: &Graph, nodes: Range<usize>, results: &[ValueId], given: &[ValueId]) -> HashSet<NodeId> {
    let mut needed = HashSet::new();
    let mut open: Vec<ValueId> = results.to_vec();
    while let Some(value) = open.pop() {
        if let Definition::Node(node, _) = graph.value(value).definition
            && !given.contains(&value)
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
        for (&result, copy) in node.results.iter().zip(inserted) {
            // What is given stays what it is.
            self.values.entry(result).or_insert(copy);
        }
    }

    /// The region with these values of the graph around it as its results.
    fn finish(mut self, results: &[ValueId]) -> Region {
        for (position, result) in results.iter().enumerate() {
            self.region.result(Role::Output(position), self.values[result]);
        }
        Region::new(self.region)
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
