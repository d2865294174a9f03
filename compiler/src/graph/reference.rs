//! The meaning of graphs: every op's reference, in order.
//!
//! A graph with known extents and one array per leaf come in, one array per result leaves.

use super::rewrite::Defined;
use super::{Array, Graph};

/// The values of the results, in their order, for these leaves, in theirs.
pub fn evaluate(graph: &Graph, leaves: &[Array]) -> Vec<Array> {
    assert_eq!(graph.leaves().count(), leaves.len(), "a graph is evaluated for one array per leaf");
    let mut given = leaves.iter();
    let mut values: Vec<Array> = Vec::with_capacity(graph.values().len());
    for defined in graph.definitions() {
        match defined {
            Defined::Leaf(id, ty) => {
                let array = given.next().expect("the numbers of leaves and arrays are equal");
                let shape = ty.known_shape();
                assert_eq!((array.dtype, &array.shape), (ty.dtype, &shape), "leaf {id} is {ty}");
                values.push(array.clone());
            }
            Defined::Node(id, node) => {
                let operands: Vec<&Array> = node.operands.iter().map(|operand| &values[operand.0]).collect();
                let results = node.op.reference(&graph.call(id), &operands);
                values.extend(results);
            }
        }
    }
    graph.results.iter().map(|result| values[result.value.0].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Builder, Leaf, Origin, Role};
    use super::*;
    use crate::dtype::DType;
    use crate::ops;
    use crate::shape::{Shape, Type};

    #[test]
    fn results_follow_from_leaves() {
        let mut graph = Graph::new("X");
        let ty = Type::new(DType::F32, Shape::from_known(&[3]));
        let x = graph.leaf(Leaf::User { name: "x".into() }, ty.clone());
        let e = ops::exp(&mut Builder::new(&mut graph, Origin::default()), x);
        let y = graph.leaf(Leaf::User { name: "y".into() }, ty);
        let z = ops::mul(&mut Builder::new(&mut graph, Origin::default()), e, y);
        graph.result(Role::Output(0), z);
        graph.result(Role::Output(1), x);
        let array = |elements: [f64; 3]| Array::new(DType::F32, &[3], elements.to_vec());
        let results = evaluate(&graph, &[array([0.0, 1.0, 2.0]), array([3.0, -2.0, 0.5])]);
        let expected = [3.0, -2.0 * 1f64.exp(), 0.5 * 2f64.exp()];
        assert_eq!(results, [array(expected), array([0.0, 1.0, 2.0])]);
    }
}
