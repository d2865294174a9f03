//! Composite ops made of others.
//!
//! A graph comes in, one without composite nodes leaves. Extents may be open. Equal nodes have equal expansions, so what
//! autodiff has expanded already becomes one with what is expanded here when the graph is simplified.

use crate::graph::{Graph, rewrite};

/// The graph with every composite node replaced by its expansion, down to ops that reach a kernel by themselves.
pub fn expand(graph: &Graph) -> Graph {
    let mut expanded = once(graph);
    while expanded.nodes().any(|(_, node)| node.op.is_composite()) {
        expanded = once(&expanded);
    }
    expanded
}

fn once(graph: &Graph) -> Graph {
    rewrite(graph, |b, node, call| node.op.is_composite().then(|| node.op.expand(b, call)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::graph::{Array, Builder, Leaf, Origin, Role, evaluate, print, verify};
    use crate::ops;
    use crate::shape::{Extent, Shape, Symbol, Type};

    #[test]
    fn expansions_inside_expansions_are_expanded() {
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
        insta::assert_snapshot!(print(&expanded), @"");
    }

    #[test]
    fn expansions_mean_what_their_op_means() {
        for op in ops::OPS.iter().filter(|op| op.is_composite()) {
            for sample in op.samples() {
                let graph = sample.graph(*op).expect("a sample is well typed");
                let arrays = sample.arrays(7);
                let (whole, parts) = (evaluate(&graph, &arrays), evaluate(&expand(&graph), &arrays));
                whole.iter().zip(&parts).for_each(|(whole, parts)| close(op.name(), whole, parts));
            }
        }
    }

    fn close(name: &str, a: &Array, b: &Array) {
        assert_eq!((a.dtype, &a.shape), (b.dtype, &b.shape), "{name}");
        for (x, y) in a.elements.iter().zip(&b.elements) {
            assert!((x - y).abs() <= 1e-12 * x.abs().max(1.0) || x.is_nan() && y.is_nan(), "{name}: {x} and {y}");
        }
    }
}
