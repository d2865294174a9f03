//! What gradients are held against numerical differences with: programs made of a step.
//!
//! A step's graph with known extents comes in. [`gradients`] gives the graph that computes nothing but its gradients, and
//! [`losses`] the one that computes nothing but its losses, in f64, so that differences of them are exact enough. In both,
//! every leaf is an input, in the order of the step's leaves, so that a run changes nothing and needs no store. What counts
//! as a constant for gradients, like a detached value, must not move with a difference either: the losses take it as further
//! inputs, and [`constants`] computes it from the leaves.

use crate::dtype::DType;
use crate::graph::{Attribute, Attributes, Builder, Defined, Graph, GraphResult, Leaf, Node, Region, Role, ValueId};
use crate::ops;
use crate::shape::Type;

/// The gradients of a step, as outputs in their order.
pub fn gradients(graph: &Graph) -> Graph {
    let mut copy = Copy::new(graph, false);
    copy.all(false);
    let gradients: Vec<ValueId> = results(graph, |role| matches!(role, Role::Gradient { .. }));
    copy.finish(gradients)
}

/// The losses of a step in f64, as outputs in their order. Inputs are the leaves, then the constants.
pub fn losses(graph: &Graph) -> Graph {
    let mut copy = Copy::new(graph, true);
    copy.all(true);
    let losses = results(graph, |role| matches!(role, Role::Loss(_)));
    copy.finish(losses)
}

/// What counts as a constant in a step, in f64, as outputs in order.
pub fn constants(graph: &Graph) -> Graph {
    let mut copy = Copy::new(graph, true);
    copy.all(false);
    let constants = graph.nodes().filter(|(_, node)| node.op.stops_gradients());
    let constants = constants.flat_map(|(_, node)| node.results.iter().copied()).collect();
    copy.finish(constants)
}

fn results(graph: &Graph, wanted: impl Fn(&Role) -> bool) -> Vec<ValueId> {
    graph.results.iter().filter(|result| wanted(&result.role)).map(|result| result.value).collect()
}

struct Copy<'g> {
    source: &'g Graph,
    target: Graph,
    values: Vec<ValueId>,
    /// Whether f32 becomes f64.
    wide: bool,
}

impl<'g> Copy<'g> {
    fn new(source: &'g Graph, wide: bool) -> Copy<'g> {
        let mut target = source.like();
        target.stores.clear();
        Copy { source, target, values: Vec::with_capacity(source.values().len()), wide }
    }

    /// Copies everything; constants become inputs where they are `given`.
    fn all(&mut self, given: bool) {
        let source = self.source;
        let leaves = source.leaves().enumerate();
        let leaves: Vec<ValueId> = leaves.map(|(position, (_, _, ty))| self.input(position, ty.clone())).collect();
        let (mut inputs, mut leaf) = (leaves.len(), leaves.into_iter());
        for defined in source.definitions() {
            match defined {
                Defined::Leaf(..) => self.values.push(leaf.next().expect("there is one input per leaf")),
                Defined::Node(_, node) if given && node.op.stops_gradients() => {
                    for &result in &node.results {
                        let input = self.input(inputs, source.ty(result).clone());
                        self.values.push(input);
                        inputs += 1;
                    }
                }
                Defined::Node(_, node) => self.node(node),
            }
        }
    }

    fn input(&mut self, position: usize, ty: Type) -> ValueId {
        let dtype = self.dtype(ty.dtype);
        self.target.leaf(Leaf::User { name: format!("x{position}") }, Type { dtype, ..ty })
    }

    fn dtype(&self, dtype: DType) -> DType {
        if self.wide && dtype == DType::F32 { DType::F64 } else { dtype }
    }

    fn node(&mut self, node: &Node) {
        let operands: Vec<ValueId> = node.operands.iter().map(|operand| self.values[operand.0]).collect();
        let attributes = self.attributes(&node.attributes);
        let inserted = self.target.insert(node.op, attributes, &operands, node.origin);
        let results = inserted.unwrap_or_else(|_| self.narrow(node, &operands));
        let wanted: Vec<DType> = node.results.iter().map(|&result| self.dtype(self.source.dtype(result))).collect();
        let mut b = Builder::new(&mut self.target, node.origin);
        for (result, dtype) in results.into_iter().zip(wanted) {
            self.values.push(ops::cast(&mut b, result, dtype));
        }
    }

    /// A node whose op takes f32 only.
    fn narrow(&mut self, node: &Node, operands: &[ValueId]) -> Vec<ValueId> {
        let mut b = Builder::new(&mut self.target, node.origin);
        let types = node.operands.iter().map(|&operand| self.source.dtype(operand));
        let operands: Vec<ValueId> =
            operands.iter().zip(types).map(|(&operand, dtype)| ops::cast(&mut b, operand, dtype)).collect();
        b.apply_all(node.op, node.attributes.clone(), &operands)
    }

    fn attributes(&self, attributes: &Attributes) -> Attributes {
        let mut widened = attributes.clone();
        for (name, value) in attributes.iter() {
            match value {
                Attribute::Type(dtype) => {
                    widened = widened.with(name.to_string(), Attribute::Type(self.dtype(*dtype)));
                }
                Attribute::Region(region) => {
                    widened = widened.with(name.to_string(), Attribute::Region(self.region(region)));
                }
                _ => {}
            }
        }
        widened
    }

    /// A region in the types of the copy.
    fn region(&self, region: &Region) -> Region {
        let source = region.graph();
        let mut copy = Copy { source, target: source.like(), values: Vec::new(), wide: self.wide };
        for defined in source.definitions() {
            match defined {
                Defined::Leaf(id, ty) => {
                    let leaf = source.as_leaf(id).expect("definitions gives leaves as leaves").clone();
                    let ty = Type::new(copy.dtype(ty.dtype), ty.shape.clone());
                    let value = copy.target.leaf(leaf, ty);
                    copy.values.push(value);
                }
                Defined::Node(_, node) => copy.node(node),
            }
        }
        Region::new(copy.finish(source.results.iter().map(|result| result.value).collect()))
    }

    /// The copy with these values of the step as its outputs.
    fn finish(mut self, outputs: Vec<ValueId>) -> Graph {
        let outputs = outputs.into_iter().enumerate();
        self.target.results = outputs
            .map(|(position, value)| GraphResult { role: Role::Output(position), value: self.values[value.0] })
            .collect();
        self.target
    }
}
