//! Simplification: every law, and that graphs keep their meaning.

use std::collections::BTreeMap;
use tapeless_compiler::autodiff::gradients;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::expand::expand;
use tapeless_compiler::graph::{self, Array, Builder, Graph, Leaf, Origin, Role, StoreDecl, ValueId, evaluate, verify};
use tapeless_compiler::ops::{self, OPS};
use tapeless_compiler::optim::{self, Group, Slots, Update, Value};
use tapeless_compiler::shape::{Bindings, Extent, Shape, Symbol, Type};
use tapeless_compiler::simplify::{LAWS, simplify};

/// The right side of the equation and the left, made from a matrix `x` of 2 by 3, integers `n` of the same shape, and a
/// scalar `s`.
type Side = fn(&mut Builder<'_>, ValueId, ValueId, ValueId) -> ValueId;

/// One case per law, in the order of the list.
const CASES: &[(&str, Side, Side)] = &[
    (
        "f(constants) = constant",
        |b, x, _, _| {
            let (two, three) = (ops::constant_like(b, 2.0, x), ops::constant_like(b, 3.0, x));
            ops::mul(b, two, three)
        },
        |b, x, _, _| ops::constant_like(b, 6.0, x),
    ),
    (
        "extent(number) = constant",
        |b, _, _, _| ops::extent(b, Extent::from(5), DType::F32),
        |b, _, _, _| ops::constant(b, 5.0, DType::F32),
    ),
    (
        "x + 0 = x",
        |b, x, _, _| {
            let zero = ops::constant_like(b, 0.0, x);
            let sum = ops::add(b, zero, x);
            ops::add(b, sum, zero)
        },
        |_, x, _, _| x,
    ),
    (
        "x - 0 = x",
        |b, x, _, _| {
            let zero = ops::constant_like(b, 0.0, x);
            ops::sub(b, x, zero)
        },
        |_, x, _, _| x,
    ),
    (
        "x * 1 = x",
        |b, x, _, _| {
            let one = ops::constant_like(b, 1.0, x);
            let product = ops::mul(b, one, x);
            ops::mul(b, product, one)
        },
        |_, x, _, _| x,
    ),
    (
        "x * 0 = 0 on integers",
        |b, _, n, _| {
            let zero = ops::constant_like(b, 0.0, n);
            ops::mul(b, n, zero)
        },
        |b, _, n, _| ops::constant_like(b, 0.0, n),
    ),
    (
        "x / 1 = x",
        |b, x, _, _| {
            let one = ops::constant_like(b, 1.0, x);
            ops::div(b, x, one)
        },
        |_, x, _, _| x,
    ),
    (
        "-(-x) = x",
        |b, x, _, _| {
            let negative = ops::neg(b, x);
            ops::neg(b, negative)
        },
        |_, x, _, _| x,
    ),
    ("cast(x) = x of its own type", |b, x, _, _| raw(b, x, "cast {dtype=f32}"), |_, x, _, _| x),
    ("sum over no axes = x", |b, x, _, _| raw(b, x, "sum {axes=[]}"), |_, x, _, _| x),
    ("max over no axes = x", |b, x, _, _| raw(b, x, "max {axes=[]}"), |_, x, _, _| x),
    ("broadcast(x) = x of its own shape", |b, x, _, _| raw(b, x, "broadcast {shape=<2, 3>}"), |_, x, _, _| x),
    (
        "broadcast(broadcast(x)) = broadcast(x)",
        |b, x, _, _| {
            let once = ops::broadcast(b, x, &Shape::from_known(&[1, 2, 3]));
            ops::broadcast(b, once, &Shape::from_known(&[4, 2, 3]))
        },
        |b, x, _, _| ops::broadcast(b, x, &Shape::from_known(&[4, 2, 3])),
    ),
    (
        "broadcast(reshape(x)) = broadcast(x) where only leading ones are added",
        |b, x, _, _| {
            let row = ops::reshape(b, x, &Shape::from_known(&[1, 1, 2, 3]));
            ops::broadcast(b, row, &Shape::from_known(&[5, 4, 2, 3]))
        },
        |b, x, _, _| ops::broadcast(b, x, &Shape::from_known(&[5, 4, 2, 3])),
    ),
    ("reshape(x) = x of its own shape", |b, x, _, _| raw(b, x, "reshape {shape=<2, 3>}"), |_, x, _, _| x),
    (
        "reshape(reshape(x)) = reshape(x)",
        |b, x, _, _| {
            let flat = ops::reshape(b, x, &Shape::from_known(&[6]));
            ops::reshape(b, flat, &Shape::from_known(&[3, 2]))
        },
        |b, x, _, _| ops::reshape(b, x, &Shape::from_known(&[3, 2])),
    ),
    (
        "reshape(broadcast(scalar)) = broadcast(scalar)",
        |b, x, _, s| {
            let shape = b.shape(x);
            let everywhere = ops::broadcast(b, s, &shape);
            ops::reshape(b, everywhere, &Shape::from_known(&[6]))
        },
        |b, _, _, s| ops::broadcast(b, s, &Shape::from_known(&[6])),
    ),
    ("permute(x) = x in the order it has", |b, x, _, _| raw(b, x, "permute {axes=[0, 1]}"), |_, x, _, _| x),
    (
        "permute(permute(x)) = permute(x)",
        |b, x, _, _| {
            let x = ops::reshape(b, x, &Shape::from_known(&[1, 2, 3]));
            let turned = ops::permute(b, x, &[1, 2, 0]);
            ops::permute(b, turned, &[0, 2, 1])
        },
        |b, x, _, _| {
            let x = ops::reshape(b, x, &Shape::from_known(&[1, 2, 3]));
            ops::permute(b, x, &[1, 0, 2])
        },
    ),
    (
        "permute(broadcast(scalar)) = broadcast(scalar)",
        |b, x, _, s| {
            let shape = b.shape(x);
            let everywhere = ops::broadcast(b, s, &shape);
            ops::permute(b, everywhere, &[1, 0])
        },
        |b, _, _, s| ops::broadcast(b, s, &Shape::from_known(&[3, 2])),
    ),
    (
        "contract(permute(x), y) = contract(x, y) with other labels",
        |b, x, _, _| {
            let x3 = ops::reshape(b, x, &Shape::from_known(&[1, 2, 3]));
            let (left, right) = (ops::permute(b, x3, &[2, 0, 1]), ops::permute(b, x, &[1, 0]));
            ops::contract(b, left, right, "abc,dc->bda")
        },
        |b, x, _, _| {
            let x3 = ops::reshape(b, x, &Shape::from_known(&[1, 2, 3]));
            ops::contract(b, x3, x, "bca,cd->bda")
        },
    ),
    (
        "permute(contract(x, y)) = contract(x, y) with other labels",
        |b, x, _, _| {
            let y = ops::exp(b, x);
            let product = ops::contract(b, x, y, "ik,ij->kj");
            ops::permute(b, product, &[1, 0])
        },
        |b, x, _, _| {
            let y = ops::exp(b, x);
            ops::contract(b, y, x, "ij,ik->jk")
        },
    ),
    (
        "f(broadcast(scalars)) = broadcast(f(scalars))",
        |b, x, _, s| {
            let shape = b.shape(x);
            let (two, s) = (ops::constant_like(b, 2.0, x), ops::broadcast(b, s, &shape));
            ops::mul(b, two, s)
        },
        |b, x, _, s| {
            let (shape, two) = (b.shape(x), ops::constant(b, 2.0, DType::F32));
            let product = ops::mul(b, two, s);
            ops::broadcast(b, product, &shape)
        },
    ),
];

/// A node that the functions of [`ops`] leave out because it does nothing.
fn raw(b: &mut Builder<'_>, x: ValueId, call: &str) -> ValueId {
    let text = format!("tapeless graph 1\nstep X\n%0 = user \"x\" : f32<2, 3>\n%1 = {call} %0 : f32<2, 3>\nend\n");
    let parsed = graph::parse(&text, OPS).unwrap_or_else(|error| panic!("{error}"));
    let (_, node) = parsed.nodes().next().expect("one node");
    b.apply(node.op, node.attributes.clone(), &[x])
}

fn graph_of(side: Side) -> Graph {
    let mut graph = Graph::new("Law");
    let mut leaf = |name: &str, dtype, extents: &[usize]| {
        graph.leaf(Leaf::User { name: name.into() }, Type::new(dtype, Shape::from_known(extents)))
    };
    let (x, n, s) = (leaf("x", DType::F32, &[2, 3]), leaf("n", DType::I32, &[2, 3]), leaf("s", DType::F32, &[]));
    let y = side(&mut Builder::new(&mut graph, Origin::default()), x, n, s);
    graph.result(Role::Output(0), y);
    graph
}

#[test]
fn every_law_takes_its_left_side_to_its_right_side() {
    let names: Vec<&str> = CASES.iter().map(|case| case.0).collect();
    assert_eq!(names, LAWS.iter().map(|law| law.name).collect::<Vec<_>>());
    let x = Array::new(DType::F32, &[2, 3], vec![1.5, -2.0, f64::INFINITY, 0.25, -0.5, 3.0]);
    let n = Array::new(DType::I32, &[2, 3], vec![1.0, -2.0, 0.0, 7.0, 100.0, -1.0]);
    let leaves = [x, n, Array::new(DType::F32, &[], vec![0.75])];
    for (name, left, right) in CASES {
        let (left, right) = (graph_of(*left), graph_of(*right));
        let simplified = simplify(&left);
        assert_eq!(verify(&simplified), Ok(()), "{name}");
        assert_eq!(graph::print(&simplified), graph::print(&right), "{name}");
        assert_eq!(evaluate(&left, &leaves), evaluate(&simplified, &leaves), "{name}");
    }
}

#[test]
fn products_with_zero_stay_on_floats() {
    let zero_times: Side = |b, x, _, _| {
        let zero = ops::constant_like(b, 0.0, x);
        ops::mul(b, x, zero)
    };
    let graph = graph_of(zero_times);
    assert_eq!(simplify(&graph).nodes().len(), graph.nodes().len());
}

#[test]
fn a_contraction_that_something_else_uses_is_not_done_twice() {
    let twice: Side = |b, x, _, _| {
        let product = ops::contract(b, x, x, "ik,jk->ij");
        let turned = ops::permute(b, product, &[1, 0]);
        ops::add(b, product, turned)
    };
    let simplified = simplify(&graph_of(twice));
    assert_eq!(simplified.nodes().filter(|(_, node)| node.op.name() == "contract").count(), 1);
}

#[test]
fn equal_nodes_become_one_and_dead_ones_none() {
    let twice: Side = |b, x, n, s| {
        let (first, second) = (ops::exp(b, x), ops::exp(b, x));
        ops::neg(b, n);
        ops::exp(b, s);
        ops::mul(b, first, second)
    };
    insta::assert_snapshot!(graph::print(&simplify(&graph_of(twice))), @r#"
    tapeless graph 1
    step Law
    %0 = user "x" : f32<2, 3>
    %1 = user "n" : i32<2, 3>
    %2 = user "s" : f32
    %3 = exp %0 : f32<2, 3>
    %4 = mul %3 %3 : f32<2, 3>
    result output 0 %4
    end
    "#);
}

#[test]
fn zeros_of_different_sign_are_different_constants() {
    let both: Side = |b, x, _, _| {
        let (plus, minus) = (ops::constant_like(b, 0.0, x), ops::constant_like(b, -0.0, x));
        let (plus, minus) = (ops::div(b, x, plus), ops::div(b, x, minus));
        ops::maximum(b, plus, minus)
    };
    assert_eq!(simplify(&graph_of(both)).nodes().filter(|(_, node)| node.op.name() == "constant").count(), 2);
}

/// Every sample of every op, with the gradients of a weighted sum of its results.
fn with_gradients() -> impl Iterator<Item = (&'static str, Graph, Vec<Array>)> {
    let samples = OPS.iter().flat_map(|op| op.samples().into_iter().map(move |sample| (*op, sample)));
    samples.map(|(op, sample)| {
        let mut graph = sample.graph(op).expect("a sample is well typed");
        let leaves: Vec<ValueId> = graph.leaves().map(|(id, _, _)| id).collect();
        let result = graph.results[0].value;
        if graph.dtype(result).is_float() {
            let mut b = Builder::new(&mut graph, Origin::default());
            let square = ops::mul(&mut b, result, result);
            let axes: Vec<usize> = (0..b.ty(square).rank()).collect();
            let loss = ops::sum(&mut b, square, &axes);
            let found = gradients(&mut graph, loss, &leaves);
            for gradient in found.into_iter().flatten() {
                graph.result(Role::Output(graph.results.len()), gradient);
            }
        }
        (op.name(), graph, sample.arrays(11))
    })
}

#[test]
fn simplified_graphs_mean_the_same() {
    for (name, graph, arrays) in with_gradients() {
        let simplified = simplify(&expand(&graph));
        assert_eq!(verify(&simplified), Ok(()), "{name}");
        assert_eq!(graph::print(&simplify(&simplified)), graph::print(&simplified), "{name}");
        for (before, after) in evaluate(&graph, &arrays).iter().zip(evaluate(&simplified, &arrays)) {
            assert_eq!(before.shape, after.shape, "{name}");
            for (x, y) in before.elements.iter().zip(&after.elements) {
                // Constants are folded in the precision of their type, and a difference of two may be all there is.
                let close = (x - y).abs() <= 1e-6 * x.abs().max(1.0) || x == y || x.is_nan() && y.is_nan();
                assert!(close, "{name}: {x} became {y}");
            }
        }
    }
}

/// A training step: a linear layer, cross-entropy, Sgd with momentum.
fn training_step() -> Graph {
    let mut graph = Graph::new("Train");
    graph.files.push("src/main.rs".into());
    graph.dims.push(Symbol::new("B"));
    graph.stores.push(StoreDecl { binding: "net".into(), model: "Net".into() });
    let batch = Extent::symbol(Symbol::new("B"));
    let user = |name: &str| Leaf::User { name: name.into() };
    let parameter = |key: &str| Leaf::Parameter { store: 0, key: key.into() };
    let x = graph.leaf(user("x"), Type::new(DType::F32, Shape::new(vec![batch.clone(), Extent::from(4)])));
    let label = graph.leaf(user("label"), Type::new(DType::U32, Shape::new(vec![batch.clone()])));
    let lr = graph.leaf(user("lr"), Type::scalar(DType::F32));
    let weight = graph.leaf(parameter("fc.weight"), Type::new(DType::F32, Shape::from_known(&[3, 4])));
    let bias = graph.leaf(parameter("fc.bias"), Type::new(DType::F32, Shape::from_known(&[3])));
    let mut b = Builder::new(&mut graph, Origin { file: 0, line: 9, column: 22 });
    let turned = ops::permute(&mut b, weight, &[1, 0]);
    let product = ops::contract(&mut b, x, turned, "ik,kj->ij");
    let shape = b.shape(product);
    let bias_rows = ops::broadcast(&mut b, bias, &shape);
    let logits = ops::add(&mut b, product, bias_rows);
    let loss = ops::cross_entropy(&mut b, logits, label, 0.0, "mean");
    let found = gradients(&mut graph, loss, &[weight, bias]);
    let update = |parameter, gradient: Option<ValueId>, key: &str| {
        let gradient = gradient.expect("the parameter reaches the loss");
        Update { parameter, gradient, key: key.into() }
    };
    let updates = [update(weight, found[0], "fc.weight"), update(bias, found[1], "fc.bias")];
    let arguments = BTreeMap::from([("lr".into(), Value::Graph(lr)), ("momentum".into(), Value::Number(0.9))]);
    let optimizer = optim::build("Sgd", &arguments).unwrap_or_else(|error| panic!("{error}"));
    let mut b = Builder::new(&mut graph, Origin { file: 0, line: 10, column: 9 });
    let groups = vec![Group { optimizer, updates: updates.to_vec() }];
    optim::minimize(&mut b, groups, &optim::Options::default(), Slots::new(0, 0));
    graph.result(Role::Metric("loss".into()), loss);
    graph
}

#[test]
fn a_training_step_is_simplified() {
    let simplified = simplify(&expand(&training_step()));
    assert_eq!(verify(&simplified), Ok(()));
    insta::assert_snapshot!(graph::print(&simplified), @r#"
    tapeless graph 1
    step Train
    file 0 "src/main.rs"
    dim B
    store 0 net Net
    %0 = user "x" : f32<B, 4>
    %1 = user "label" : u32<B>
    %2 = user "lr" : f32
    %3 = parameter 0 "fc.weight" : f32<3, 4>
    %4 = parameter 0 "fc.bias" : f32<3>
    %5 = contract {equation="ik,jk->ij"} %0 %3 : f32<B, 3> @0:9:22
    %6 = broadcast {shape=<B, 3>} %4 : f32<B, 3> @0:9:22
    %7 = add %5 %6 : f32<B, 3> @0:9:22
    %8 = max {axes=[1]} %7 : f32<B> @0:9:22
    %9 = reshape {shape=<B, 1>} %8 : f32<B, 1> @0:9:22
    %10 = broadcast {shape=<B, 3>} %9 : f32<B, 3> @0:9:22
    %11 = sub %7 %10 : f32<B, 3> @0:9:22
    %12 = exp %11 : f32<B, 3> @0:9:22
    %13 = sum {axes=[1]} %12 : f32<B> @0:9:22
    %14 = log %13 : f32<B> @0:9:22
    %15 = reshape {shape=<B, 1>} %14 : f32<B, 1> @0:9:22
    %16 = broadcast {shape=<B, 3>} %15 : f32<B, 3> @0:9:22
    %17 = sub %11 %16 : f32<B, 3> @0:9:22
    %18 = reshape {shape=<B, 1>} %1 : u32<B, 1> @0:9:22
    %19 = gather {axis=1} %17 %18 : f32<B, 1> @0:9:22
    %20 = reshape {shape=<B>} %19 : f32<B> @0:9:22
    %21 = neg %20 : f32<B> @0:9:22
    %22 = sum {axes=[0]} %21 : f32 @0:9:22
    %23 = constant {dtype=f32, value=1.0} : f32 @0:9:22
    %24 = extent {dtype=f32, value={B}} : f32 @0:9:22
    %25 = div %23 %24 : f32 @0:9:22
    %26 = mul %22 %25 : f32 @0:9:22
    %27 = exp %17 : f32<B, 3> @0:9:22
    %28 = one_hot {classes={3}, dtype=f32} %1 : f32<B, 3> @0:9:22
    %29 = sub %27 %28 : f32<B, 3> @0:9:22
    %30 = broadcast {shape=<B, 3>} %25 : f32<B, 3> @0:9:22
    %31 = mul %29 %30 : f32<B, 3> @0:9:22
    %32 = sum {axes=[0]} %31 : f32<3> @0:9:22
    %33 = contract {equation="ij,ik->jk"} %31 %0 : f32<3, 4> @0:9:22
    %34 = slot 0 "0.momentum.fc.weight" 0.0 : f32<3, 4>
    %35 = constant {dtype=f32, value=0.9} : f32 @0:10:9
    %36 = broadcast {shape=<3, 4>} %35 : f32<3, 4> @0:10:9
    %37 = mul %36 %34 : f32<3, 4> @0:10:9
    %38 = add %37 %33 : f32<3, 4> @0:10:9
    %39 = broadcast {shape=<3, 4>} %2 : f32<3, 4> @0:10:9
    %40 = mul %39 %38 : f32<3, 4> @0:10:9
    %41 = sub %3 %40 : f32<3, 4> @0:10:9
    %42 = slot 0 "0.momentum.fc.bias" 0.0 : f32<3>
    %43 = broadcast {shape=<3>} %35 : f32<3> @0:10:9
    %44 = mul %43 %42 : f32<3> @0:10:9
    %45 = add %44 %32 : f32<3> @0:10:9
    %46 = broadcast {shape=<3>} %2 : f32<3> @0:10:9
    %47 = mul %46 %45 : f32<3> @0:10:9
    %48 = sub %4 %47 : f32<3> @0:10:9
    result next %34 %38
    result next %42 %45
    result next %3 %41
    result next %4 %48
    result metric "loss" %26
    end
    "#);
}

#[test]
fn a_training_step_means_the_same_before_and_after() {
    let (before, dims) = (training_step(), Bindings::from([(Symbol::new("B"), Extent::from(5))]));
    let bound = graph::bind(&before, &dims).expect("the extents fit");
    let after = simplify(&graph::bind(&simplify(&expand(&before)), &dims).expect("the extents fit"));
    assert_eq!(verify(&after), Ok(()));
    assert!(after.nodes().all(|(_, node)| node.op.name() != "extent"));
    let array = |(position, (_, leaf, ty)): (usize, (ValueId, &Leaf, &Type))| {
        let mut count = position as f64;
        Array::build(ty.dtype, &ty.known_shape(), |_| {
            count += 1.0;
            if matches!(leaf, Leaf::User { name } if name == "label") { count % 3.0 } else { (2.3 * count).sin() }
        })
    };
    let leaves: Vec<Array> = bound.leaves().enumerate().map(array).collect();
    for (x, y) in evaluate(&bound, &leaves).iter().zip(evaluate(&after, &leaves)) {
        let errors = x.elements.iter().zip(&y.elements).map(|(x, y)| (x - y).abs());
        assert!(errors.fold(0.0, f64::max) < 2e-7, "{x:?} became {y:?}");
    }
}
