//! Steps that several tests run.

use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{Array, Builder, Graph, Leaf, Origin, Role, StoreDecl, ValueId};
use tapeless_compiler::ops::*;
use tapeless_compiler::shape::{Shape, Type};

/// An input of the step.
pub fn input(graph: &mut Graph, name: &str, dtype: DType, shape: &[usize]) -> ValueId {
    graph.leaf(Leaf::User { name: name.to_string() }, Type::new(dtype, Shape::from_known(shape)))
}

/// The only store of these steps.
fn store(graph: &mut Graph) -> usize {
    if graph.stores.is_empty() {
        graph.stores.push(StoreDecl { binding: "net".to_string(), model: "Net".to_string() });
    }
    0
}

/// A parameter.
pub fn parameter(graph: &mut Graph, key: &str, shape: &[usize]) -> ValueId {
    let leaf = Leaf::Parameter { store: store(graph), key: key.to_string() };
    graph.leaf(leaf, Type::new(DType::F32, Shape::from_known(shape)))
}

/// A state.
pub fn state(graph: &mut Graph, key: &str, shape: &[usize]) -> ValueId {
    let leaf = Leaf::State { store: store(graph), key: key.to_string() };
    graph.leaf(leaf, Type::new(DType::F32, Shape::from_known(shape)))
}

/// A metric.
pub fn metric(graph: &mut Graph, name: &str, value: ValueId) {
    graph.result(Role::Metric(name.to_string()), value);
}

/// One array per leaf: small numbers, none negative in slots, where optimizers keep squares.
pub fn arrays(graph: &Graph, seed: u64) -> Vec<Array> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 24) as f64
    };
    let array = |(_, leaf, ty): (ValueId, &Leaf, &Type)| {
        Array::build(ty.dtype, &ty.known_shape(), |_| match leaf {
            _ if ty.dtype.is_integer() => (draw() * 4.0).floor(),
            // Exact in f32, so that rounding on the way in is no difference.
            Leaf::Slot { .. } => f64::from(draw() as f32),
            _ => f64::from((draw() * 4.0 - 2.0) as f32),
        })
    };
    graph.leaves().map(array).collect()
}

/// One step of stochastic gradient descent on `mean((relu(x w^T + b) - y)^2)`, its gradients written by hand.
pub fn descent() -> Graph {
    let mut graph = Graph::new("Descent");
    let x = input(&mut graph, "x", DType::F32, &[4, 3]);
    let y = input(&mut graph, "y", DType::F32, &[4, 2]);
    let rate = input(&mut graph, "rate", DType::F32, &[]);
    let w = parameter(&mut graph, "fc.weight", &[2, 3]);
    let bias = parameter(&mut graph, "fc.bias", &[2]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let shape = Shape::from_known(&[4, 2]);
    let product = contract(&mut b, x, w, "bi,oi->bo");
    let repeated = broadcast(&mut b, bias, &shape);
    let sum_before = add(&mut b, product, repeated);
    let hidden = relu(&mut b, sum_before);
    let error = sub(&mut b, hidden, y);
    let square = mul(&mut b, error, error);
    let total = sum(&mut b, square, &[0, 1]);
    let eighth = constant(&mut b, 0.125, DType::F32);
    let loss = mul(&mut b, total, eighth);
    let quarter = constant(&mut b, 0.25, DType::F32);
    let quarter = broadcast(&mut b, quarter, &shape);
    let slope = mul(&mut b, error, quarter);
    let zero = constant(&mut b, 0.0, DType::F32);
    let zero = broadcast(&mut b, zero, &shape);
    let positive = lt(&mut b, zero, sum_before);
    let slope = select(&mut b, positive, slope, zero);
    let gradients = [contract(&mut b, slope, x, "bo,bi->oi"), sum(&mut b, slope, &[0])];
    let next = [w, bias].map(|p| b.shape(p)).into_iter().zip(gradients).zip([w, bias]).map(|((shape, gradient), p)| {
        let rate = broadcast(&mut b, rate, &shape);
        let change = mul(&mut b, rate, gradient);
        (p, sub(&mut b, p, change))
    });
    let next: Vec<(ValueId, ValueId)> = next.collect();
    metric(&mut graph, "loss", loss);
    next.into_iter().for_each(|(leaf, value)| graph.result(Role::Next(leaf), value));
    graph
}
