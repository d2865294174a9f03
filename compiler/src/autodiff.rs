//! Gradients: the reverse walk over a graph.
//!
//! A graph, a loss and values to differentiate by come in; the graph leaves with nodes appended that compute the gradients.
//! Existing values keep their numbers. What the walk knows about ops is their [`Op::vjp`](crate::graph::Op::vjp); by itself
//! it makes a one, for the loss, sums, where a value is used more than once, and barriers, behind which values are computed
//! again; and for a scan the scan that goes back.

mod scan;

use crate::graph::{Builder, Graph, NodeId, Origin, ValueId, Vjp};
use crate::ops;
use std::ops::Range;

/// The gradients of a float scalar by each of `wrt`; `None` where no path of the graph leads from one to the other along
/// which a gradient flows. Nodes get the origin of the node that they belong to.
pub fn gradients(graph: &mut Graph, loss: ValueId, wrt: &[ValueId]) -> Vec<Option<ValueId>> {
    let origin = graph.producer(loss).map_or(Origin::default(), |(_, node)| node.origin);
    let (dtype, nodes) = (graph.dtype(loss), 0..graph.nodes().len());
    let seed = ops::constant(&mut Builder::new(graph, origin), 1.0, dtype);
    let mut walk = Walk { graph, active: Vec::new(), cotangents: Vec::new() };
    wrt.iter().for_each(|&value| walk.activate(value));
    walk.spread(nodes.clone());
    walk.add(loss, seed, origin);
    walk.back(nodes);
    wrt.iter().map(|&value| walk.cotangent(value)).collect()
}

struct Walk<'g> {
    graph: &'g mut Graph,
    /// Whether a value depends on one that the walk differentiates by. Values behind the end do not.
    active: Vec<bool>,
    /// What has come back to a value so far.
    cotangents: Vec<Option<ValueId>>,
}

impl Walk<'_> {
    /// Finds out which of these nodes depend on something active.
    fn spread(&mut self, nodes: Range<usize>) {
        for node in nodes {
            let node = self.graph.node(NodeId(node));
            if node.operands.iter().any(|operand| self.active.get(operand.0) == Some(&true)) {
                let results = node.results.clone();
                results.into_iter().for_each(|result| self.activate(result));
            }
        }
    }

    /// Takes the cotangents of these nodes back to their operands, last node first. Everything that uses their results has
    /// been walked before.
    fn back(&mut self, nodes: Range<usize>) {
        for node in nodes.rev().map(NodeId) {
            let results = &self.graph.node(node).results;
            let cotangents: Vec<Option<ValueId>> = results.iter().map(|&result| self.cotangent(result)).collect();
            let active = results.iter().any(|result| self.active.get(result.0) == Some(&true));
            if active && cotangents.iter().any(Option::is_some) {
                self.node(node, &cotangents);
            }
        }
    }

    fn node(&mut self, id: NodeId, cotangents: &[Option<ValueId>]) {
        let (call, node) = (self.graph.call(id), self.graph.node(id));
        let (op, origin) = (node.op, node.origin);
        match op.vjp(&mut Builder::new(self.graph, origin), &call, cotangents) {
            Vjp::Operands(flows) => {
                assert_eq!(flows.len(), call.operands.len(), "{} has one cotangent per operand", op.name());
                for (&operand, flow) in call.operands.iter().zip(flows) {
                    flow.into_iter().for_each(|flow| self.add(operand, flow, origin));
                }
            }
            Vjp::Expand => self.expansion(id, cotangents, false),
            Vjp::Recompute => self.expansion(id, cotangents, true),
            Vjp::Scan => {
                let active = |operand: &ValueId| self.active.get(operand.0) == Some(&true);
                let carries = call.attributes.int("carries") as usize;
                // What is carried may depend on what is active although what it begins with does not.
                let wanted = call.operands.iter().enumerate();
                let wanted: Vec<bool> = wanted.map(|(at, operand)| at < carries || active(operand)).collect();
                let flows = scan::flows(self.graph, id, cotangents, &wanted);
                for (&operand, flow) in call.operands.iter().zip(flows) {
                    flow.into_iter().for_each(|flow| self.add(operand, flow, origin));
                }
            }
        }
    }

    /// Walks what a node is made of in its place. Only the backward part uses these nodes; the node itself stays as it is
    /// for those that use its results. What is to be computed again stands behind barriers, else it would be found to be
    /// the same as what the node itself expands to.
    fn expansion(&mut self, id: NodeId, cotangents: &[Option<ValueId>], again: bool) {
        let (mut call, node) = (self.graph.call(id), self.graph.node(id));
        let (op, origin) = (node.op, node.origin);
        let first = self.graph.nodes().len();
        let mut b = Builder::new(self.graph, origin);
        if again {
            call.operands = call.operands.iter().map(|&operand| ops::barrier(&mut b, operand)).collect();
        }
        let results = op.expand(&mut b, &call);
        let nodes = first..self.graph.nodes().len();
        self.spread(nodes.clone());
        for (result, cotangent) in results.into_iter().zip(cotangents) {
            cotangent.iter().for_each(|&cotangent| self.add(result, cotangent, origin));
        }
        self.back(nodes);
    }

    fn activate(&mut self, value: ValueId) {
        if self.active.len() <= value.0 {
            self.active.resize(value.0 + 1, false);
        }
        self.active[value.0] = true;
    }

    fn cotangent(&self, value: ValueId) -> Option<ValueId> {
        self.cotangents.get(value.0).copied().flatten()
    }

    /// Lets a cotangent come back to a value, on top of those that have.
    fn add(&mut self, value: ValueId, cotangent: ValueId, origin: Origin) {
        if self.active.get(value.0) != Some(&true) {
            return;
        }
        let before = self.cotangent(value);
        let shape = self.graph.ty(value).shape.clone();
        let mut b = Builder::new(self.graph, origin);
        // A check may say that two open extents are equal: then a cotangent comes with the one and is wanted with the other.
        let cotangent = if b.shape(cotangent) == shape { cotangent } else { ops::reshape(&mut b, cotangent, &shape) };
        let sum = before.map_or(cotangent, |before| ops::add(&mut b, before, cotangent));
        if self.cotangents.len() <= value.0 {
            self.cotangents.resize(value.0 + 1, None);
        }
        self.cotangents[value.0] = Some(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::expand::expand;
    use crate::graph::{Array, Leaf, Role, bind, evaluate, print, verify};
    use crate::shape::{Bindings, Extent, Shape, Symbol, Type};

    fn leaf(graph: &mut Graph, name: &str, dtype: DType, extents: &[usize]) -> ValueId {
        graph.leaf(Leaf::User { name: name.into() }, Type::new(dtype, Shape::from_known(extents)))
    }

    /// The cross-entropy of a small network with a hidden layer that is used twice, and its parameters.
    fn network() -> (Graph, ValueId, Vec<ValueId>) {
        let mut graph = Graph::new("Net");
        let x = leaf(&mut graph, "x", DType::F32, &[3, 4]);
        let labels = leaf(&mut graph, "labels", DType::U32, &[3]);
        let w1 = leaf(&mut graph, "w1", DType::F32, &[5, 4]);
        let b1 = leaf(&mut graph, "b1", DType::F32, &[5]);
        let w2 = leaf(&mut graph, "w2", DType::F32, &[2, 5]);
        let mut b = Builder::new(&mut graph, Origin::default());
        let h = ops::contract(&mut b, x, w1, "ik,jk->ij");
        let bias = ops::broadcast(&mut b, b1, &Shape::from_known(&[3, 5]));
        let h = ops::add(&mut b, h, bias);
        let t = ops::tanh(&mut b, h);
        let h = ops::mul(&mut b, t, h);
        let logits = ops::contract(&mut b, h, w2, "ik,jk->ij");
        let loss = ops::cross_entropy(&mut b, logits, labels, 0.1, "mean");
        let penalty = ops::mul(&mut b, w2, w2);
        let penalty = ops::mean(&mut b, penalty, &[0, 1]);
        let loss = ops::add(&mut b, loss, penalty);
        (graph, loss, vec![w1, b1, w2])
    }

    /// Numbers between -1 and 1 that look random.
    fn array(seed: usize, extents: &[usize]) -> Array {
        let mut state = seed as f64;
        Array::build(DType::F32, extents, |_| {
            state = (state * 997.0 + 0.37).sin() * 1000.0;
            2.0 * state.rem_euclid(1.0) - 1.0
        })
    }

    #[test]
    fn gradients_of_a_network_agree_with_central_differences() {
        let (mut graph, loss, wrt) = network();
        let gradients = gradients(&mut graph, loss, &wrt);
        graph.result(Role::Metric("loss".into()), loss);
        for (position, gradient) in gradients.into_iter().enumerate() {
            graph.result(Role::Output(position), gradient.expect("every parameter reaches the loss"));
        }
        assert_eq!(verify(&graph), Ok(()));
        let graph = expand(&graph);
        let labels = Array::new(DType::U32, &[3], vec![1.0, 0.0, 1.0]);
        let leaves = [array(1, &[3, 4]), labels, array(2, &[5, 4]), array(3, &[5]), array(4, &[2, 5])];
        let results = evaluate(&graph, &leaves);
        let h = 1e-5;
        for (parameter, gradient) in (2..5).zip(&results[1..]) {
            for element in 0..leaves[parameter].elements.len() {
                let at = |step: f64| {
                    let mut leaves = leaves.clone();
                    leaves[parameter].elements[element] += step;
                    evaluate(&graph, &leaves)[0].elements[0]
                };
                let difference = (at(h) - at(-h)) / (2.0 * h);
                let error = (gradient.elements[element] - difference).abs();
                assert!(error < 1e-8, "leaf {parameter}, element {element}: off by {error}");
            }
        }
    }

    #[test]
    fn the_walk_names_add_and_its_nodes_keep_the_place_of_the_forward_node() {
        let mut graph = Graph::new("X");
        graph.files.push("x.rs".into());
        let x = leaf(&mut graph, "x", DType::F32, &[]);
        let at = |line| Origin { file: 0, line, column: 1 };
        let e = ops::exp(&mut Builder::new(&mut graph, at(1)), x);
        let y = ops::mul(&mut Builder::new(&mut graph, at(2)), e, x);
        let dx = gradients(&mut graph, y, &[x])[0].expect("x reaches y");
        graph.result(Role::Output(0), dx);
        insta::assert_snapshot!(print(&graph), @r#"
        tapeless graph 1
        step X
        file 0 "x.rs"
        %0 = user "x" : f32
        %1 = exp %0 : f32 @0:1:1
        %2 = mul %1 %0 : f32 @0:2:1
        %3 = constant {dtype=f32, value=1.0} : f32 @0:2:1
        %4 = mul %3 %0 : f32 @0:2:1
        %5 = mul %3 %1 : f32 @0:2:1
        %6 = mul %4 %1 : f32 @0:1:1
        %7 = add %5 %6 : f32 @0:1:1
        result output 0 %7
        end
        "#);
    }

    #[test]
    fn what_does_not_reach_the_loss_has_no_gradient() {
        let mut graph = Graph::new("X");
        let x = leaf(&mut graph, "x", DType::F32, &[]);
        let y = leaf(&mut graph, "y", DType::F32, &[]);
        let mut b = Builder::new(&mut graph, Origin::default());
        let e = ops::exp(&mut b, x);
        let floor = ops::floor(&mut b, y);
        let loss = ops::eq(&mut b, floor, e);
        let loss = ops::cast(&mut b, loss, DType::F32);
        let loss = ops::add(&mut b, loss, e);
        let found = gradients(&mut graph, loss, &[y, x, loss, floor]);
        assert!(found[0].is_none() && found[1].is_some() && found[2].is_some() && found[3].is_none());
        let constant = gradients(&mut graph, y, &[x]);
        assert_eq!(constant, [None]);
    }

    #[test]
    fn gradients_have_the_types_of_what_they_belong_to() {
        let mut graph = Graph::new("X");
        graph.dims.push(Symbol::new("B"));
        let b = Extent::symbol(Symbol::new("B"));
        let x = graph.leaf(Leaf::User { name: "x".into() }, Type::new(DType::F32, Shape::new(vec![b])));
        let w = leaf(&mut graph, "w", DType::F32, &[4]);
        let mut b = Builder::new(&mut graph, Origin::default());
        let sum = ops::add(&mut b, x, w);
        let square = ops::mul(&mut b, sum, sum);
        let loss = ops::sum(&mut b, square, &[0]);
        let dw = gradients(&mut graph, loss, &[w])[0].expect("w reaches the loss");
        assert_eq!(graph.ty(dw), graph.ty(w));
        graph.result(Role::Output(0), dw);
        let bound = bind(&graph, &Bindings::from([(Symbol::new("B"), Extent::from(4))])).expect("the extents fit");
        let leaves = [[1.0, 2.0, 3.0, 4.0], [0.5, 0.0, -3.0, 1.0]].map(|x| Array::new(DType::F32, &[4], x.to_vec()));
        assert_eq!(evaluate(&bound, &leaves)[0].elements, [3.0, 4.0, 0.0, 10.0]);
    }
}
