//! Composite ops made of others.
//!
//! A graph comes in, one without composite nodes leaves. Extents may be open: then nodes stay whose ops wait for extents, and
//! go when the graph is expanded again with known ones. Equal nodes have equal expansions, so what autodiff has expanded
//! already becomes one with what is expanded here when the graph is simplified.

use crate::graph::{Graph, Node, Region, ValueId, rewrite};
use std::borrow::Cow;
use std::convert::Infallible;

/// The graph with every composite node replaced by its expansion, down to ops that reach a kernel by themselves or wait for
/// extents.
pub fn expand(graph: &Graph) -> Graph {
    let mut expanded = Cow::Borrowed(graph);
    while expanded.nodes().any(|(_, node)| is_expanded(&expanded, node)) {
        let once = rewrite(&expanded, |node| is_expanded(&expanded, node), |b, node, call| node.op.expand(b, call));
        expanded = Cow::Owned(once);
    }
    if expanded.nodes().any(|(_, node)| node.attributes.regions().next().is_some()) {
        expanded = Cow::Owned(with_expanded_regions(&expanded));
    }
    expanded.into_owned()
}

/// Whether a node is to be replaced.
fn is_expanded(graph: &Graph, node: &Node) -> bool {
    let is_known = |&operand: &ValueId| graph.ty(operand).shape.known().is_some();
    node.op.is_composite() && (!node.op.waits_for_extents() || node.operands.iter().all(is_known))
}

/// The graph with the composite nodes of its regions replaced too.
fn with_expanded_regions(graph: &Graph) -> Graph {
    let owns = |node: &Node| node.attributes.regions().next().is_some();
    rewrite(graph, owns, |b, node, call| {
        let region = |region: &Region| Ok::<_, Infallible>(Region::new(expand(region.graph())));
        let Ok(attributes) = node.attributes.with_regions(region);
        b.apply_all(node.op, attributes, &call.operands)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::graph::{Array, Builder, Leaf, Lowering, Origin, Role, evaluate, print, verify};
    use crate::ops;
    use crate::shape::{Extent, Shape, Symbol, Type};

    #[test]
    fn extents_may_be_open() {
        let mut graph = Graph::new("X");
        graph.dims.push(Symbol::new("B"));
        graph.files.push("x.rs".into());
        let shape = Shape::new(vec![Extent::symbol(Symbol::new("B")), Extent::from(3)]);
        let x = graph.leaf(Leaf::User { name: "x".into() }, Type::new(DType::F32, shape));
        let mut b = Builder::new(&mut graph, Origin { file: 0, line: 2, column: 3 });
        let y = ops::softmax(&mut b, x, 1);
        graph.result(Role::Output(0), y);
        let expanded = expand(&graph);
        assert_eq!(verify(&expanded), Ok(()));
        insta::assert_snapshot!(print(&expanded), @r#"
        tapeless graph 1
        step X
        file 0 "x.rs"
        dim B
        %0 = user "x" : f32<B, 3>
        %1 = max {axes=[1]} %0 : f32<B> @0:2:3
        %2 = reshape {shape=<B, 1>} %1 : f32<B, 1> @0:2:3
        %3 = broadcast {shape=<B, 3>} %2 : f32<B, 3> @0:2:3
        %4 = sub %0 %3 : f32<B, 3> @0:2:3
        %5 = exp %4 : f32<B, 3> @0:2:3
        %6 = sum {axes=[1]} %5 : f32<B> @0:2:3
        %7 = reshape {shape=<B, 1>} %6 : f32<B, 1> @0:2:3
        %8 = broadcast {shape=<B, 3>} %7 : f32<B, 3> @0:2:3
        %9 = div %5 %8 : f32<B, 3> @0:2:3
        result output 0 %9
        end
        "#);
    }

    #[test]
    fn expansions_mean_what_their_op_means() {
        for op in ops::OPS.iter().filter(|op| op.is_composite()) {
            for sample in op.samples() {
                let graph = sample.graph(*op).expect("a sample is well typed");
                let arrays = sample.arrays(7);
                let expanded = expand(&graph);
                assert!(expanded.nodes().all(|(_, node)| !node.op.is_composite()));
                let (whole, parts) = (evaluate(&graph, &arrays), evaluate(&expanded, &arrays));
                whole.iter().zip(&parts).for_each(|(whole, parts)| close(op.name(), whole, parts));
            }
        }
    }

    #[test]
    fn composite_are_the_ops_that_lower_to_an_expansion() {
        for op in ops::OPS {
            for sample in op.samples() {
                let graph = sample.graph(*op).expect("a sample is well typed");
                let (id, _) = graph.nodes().next().expect("one node");
                let expands = matches!(op.lower(&graph.call(id)), Lowering::Expand);
                assert_eq!(op.is_composite(), expands, "{}", op.name());
            }
        }
    }

    fn close(name: &str, a: &Array, b: &Array) {
        assert_eq!((a.dtype, &a.shape), (b.dtype, &b.shape), "{name}");
        for (x, y) in a.elements.iter().zip(&b.elements) {
            let same = x == y || x.is_nan() && y.is_nan();
            assert!(same || (x - y).abs() <= 1e-12 * x.abs().max(1.0), "{name}: {x} and {y}");
        }
    }
}
