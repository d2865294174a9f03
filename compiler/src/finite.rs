//! Finite or nothing: a step that changes nothing where a loss or a gradient has an element that is infinite or no number.
//!
//! A step's graph enters. It leaves with a result more for each loss and each gradient, how many of its elements are not
//! finite, and each next value is the one before where any of these counts is not zero.

use crate::dtype::DType;
use crate::graph::{Builder, Graph, Origin, Role, ValueId};
use crate::ops;
use crate::shape::Shape;

/// The step that checks itself.
pub fn checked(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    let watched: Vec<(Role, ValueId)> = graph
        .results
        .iter()
        .filter(|result| matches!(result.role, Role::Loss(_) | Role::Gradient { .. }))
        .filter(|result| graph.ty(result.value).dtype.is_float())
        .map(|result| (Role::NotFinite(Box::new(result.role.clone())), result.value))
        .collect();
    let mut all = None;
    for (role, value) in watched {
        let origin = graph.producer(value).map(|(_, node)| node.origin).unwrap_or_default();
        let mut b = Builder::new(&mut graph, origin);
        let count = count(&mut b, value);
        all = Some(all.map_or(count, |sum| ops::add(&mut b, sum, count)));
        graph.result(role, count);
    }
    if let Some(count) = all {
        keep_unless_zero(&mut graph, count);
    }
    graph
}

/// How many elements are not finite. What is finite gives zero less itself, all else no number.
fn count(b: &mut Builder<'_>, value: ValueId) -> ValueId {
    let difference = ops::sub(b, value, value);
    let odd = ops::ne(b, difference, difference);
    let odd = ops::cast(b, odd, DType::U32);
    let axes: Vec<usize> = (0..b.ty(value).rank()).collect();
    ops::sum(b, odd, &axes)
}

/// Lets every next value be the one before unless a count is zero.
fn keep_unless_zero(graph: &mut Graph, count: ValueId) {
    let mut b = Builder::new(graph, Origin::default());
    let zero = ops::constant(&mut b, 0.0, DType::U32);
    let finite = ops::eq(&mut b, count, zero);
    for result in 0..graph.results.len() {
        let (Role::Next(leaf), value) = (graph.results[result].role.clone(), graph.results[result].value) else {
            continue;
        };
        let shape: Shape = graph.ty(leaf).shape.clone();
        let mut b = Builder::new(graph, Origin::default());
        let finite = ops::broadcast(&mut b, finite, &shape);
        graph.results[result].value = ops::select(&mut b, finite, value, leaf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Leaf, StoreDecl, print, verify};
    use crate::shape::Type;

    #[test]
    fn next_values_wait_for_the_counts() {
        let mut graph = Graph::new("Guarded");
        graph.stores.push(StoreDecl { binding: "net".into(), model: "Net".into() });
        let ty = Type::new(DType::F32, Shape::from_known(&[3]));
        let w = graph.leaf(Leaf::Parameter { store: 0, key: "w".into() }, ty.clone());
        let g = graph.leaf(Leaf::User { name: "g".into() }, ty);
        let next = ops::sub(&mut Builder::new(&mut graph, Origin::default()), w, g);
        graph.result(Role::Gradient { store: 0, key: "w".into() }, g);
        graph.result(Role::Next(w), next);
        let checked = checked(&graph);
        assert_eq!(verify(&checked), Ok(()));
        insta::assert_snapshot!(print(&checked), @r#"
        tapeless graph 1
        step Guarded
        store 0 net Net
        %0 = parameter 0 "w" : f32<3>
        %1 = user "g" : f32<3>
        %2 = sub %0 %1 : f32<3>
        %3 = sub %1 %1 : f32<3>
        %4 = ne %3 %3 : bool<3>
        %5 = cast {dtype=u32} %4 : u32<3>
        %6 = sum {axes=[0]} %5 : u32
        %7 = constant {dtype=u32, value=0.0} : u32
        %8 = eq %6 %7 : bool
        %9 = broadcast {shape=<3>} %8 : bool<3>
        %10 = select %9 %2 %0 : f32<3>
        result gradient 0 "w" %1
        result next %0 %10
        result not_finite gradient 0 "w" %6
        end
        "#);
    }
}
