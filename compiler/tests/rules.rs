//! Numbers worked out by hand, for rules of single ops that samples with random contents do not pin: ties, NaN, kinks,
//! smoothing, indices out of range; and the words in which ops refuse.

use tapeless_compiler::autodiff::gradients;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{
    Array, Attribute, Attributes, Builder, Graph, Leaf, Origin, Role, TypeError, ValueId, evaluate,
};
use tapeless_compiler::ops;
use tapeless_compiler::shape::{Extent, Shape, Symbol, Type};

/// A graph with leaves of these types.
fn graph_of(types: &[Type]) -> (Graph, Vec<ValueId>) {
    let mut graph = Graph::new("rules");
    let leaf = |(i, ty): (usize, &Type)| graph.leaf(Leaf::User { name: format!("x{i}") }, ty.clone());
    let leaves = types.iter().enumerate().map(leaf).collect();
    (graph, leaves)
}

fn floats(shape: &[usize], elements: &[f64]) -> Array {
    Array::new(DType::F32, shape, elements.to_vec())
}

fn classes(shape: &[usize], elements: &[f64]) -> Array {
    Array::new(DType::U32, shape, elements.to_vec())
}

fn type_of(array: &Array) -> Type {
    Type::new(array.dtype, Shape::from_known(&array.shape))
}

/// The result of one op, and the cotangents of its operands for this cotangent of the result.
fn run(
    build: impl Fn(&mut Builder<'_>, &[ValueId]) -> ValueId,
    operands: &[Array],
    g: &[f64],
) -> (Array, Vec<Option<Array>>) {
    let (mut graph, leaves) = graph_of(&operands.iter().map(type_of).collect::<Vec<_>>());
    let result = build(&mut Builder::new(&mut graph, Origin::default()), &leaves);
    graph.result(Role::Output(0), result);
    let mut arrays = operands.to_vec();
    let mut found = vec![None; operands.len()];
    if graph.dtype(result).is_float() {
        let ty = graph.ty(result).clone();
        arrays.push(floats(&ty.known_shape(), g));
        let weights = graph.leaf(Leaf::User { name: "g".to_string() }, ty.clone());
        let mut b = Builder::new(&mut graph, Origin::default());
        let parts = ops::mul(&mut b, result, weights);
        let loss = ops::sum(&mut b, parts, &(0..ty.rank()).collect::<Vec<_>>());
        found = gradients(&mut graph, loss, &leaves);
    }
    for (position, gradient) in found.iter().enumerate() {
        gradient.iter().for_each(|&gradient| graph.result(Role::Output(position + 1), gradient));
    }
    let mut values = evaluate(&graph, &arrays).into_iter();
    let result = values.next().expect("the result of the op");
    (result, found.into_iter().map(|gradient| gradient.and_then(|_| values.next())).collect())
}

fn assert_elements(found: &Array, expected: &[f64]) {
    assert_eq!(found.elements.len(), expected.len());
    for (x, y) in found.elements.iter().zip(expected) {
        assert!((x - y).abs() < 1e-6 || (x.is_nan() && y.is_nan()), "{:?} is not {expected:?}", found.elements);
    }
}

fn gradient(found: &[Option<Array>], operand: usize) -> &Array {
    found[operand].as_ref().expect("a gradient flows")
}

#[test]
fn the_gradient_of_max_is_spread_evenly_over_ties() {
    let x = floats(&[2, 3], &[1.0, 5.0, 5.0, 2.0, -1.0, 0.0]);
    let (y, found) = run(|b, x| ops::max(b, x[0], &[1]), &[x], &[6.0, 7.0]);
    assert_elements(&y, &[5.0, 2.0]);
    assert_elements(gradient(&found, 0), &[0.0, 3.0, 3.0, 7.0, 0.0, 0.0]);
}

#[test]
fn maximum_and_minimum_give_half_the_gradient_to_each_of_two_equals() {
    let operands = [floats(&[3], &[1.0, 2.0, 3.0]), floats(&[3], &[2.0, 2.0, 2.0])];
    let (y, found) = run(|b, x| ops::maximum(b, x[0], x[1]), &operands, &[10.0, 20.0, 30.0]);
    assert_elements(&y, &[2.0, 2.0, 3.0]);
    assert_elements(gradient(&found, 0), &[0.0, 10.0, 30.0]);
    assert_elements(gradient(&found, 1), &[10.0, 10.0, 0.0]);
    let (y, found) = run(|b, x| ops::minimum(b, x[0], x[1]), &operands, &[10.0, 20.0, 30.0]);
    assert_elements(&y, &[1.0, 2.0, 2.0]);
    assert_elements(gradient(&found, 0), &[10.0, 10.0, 0.0]);
    assert_elements(gradient(&found, 1), &[0.0, 10.0, 30.0]);
}

#[test]
fn nan_passes_through_relu_and_extremes() {
    let x = floats(&[4], &[-1.0, 0.0, 2.0, f64::NAN]);
    let (y, found) = run(|b, x| ops::relu(b, x[0]), std::slice::from_ref(&x), &[1.0, 1.0, 1.0, 1.0]);
    assert_elements(&y, &[0.0, 0.0, 2.0, f64::NAN]);
    assert_elements(&Array::new(DType::F32, &[3], gradient(&found, 0).elements[..3].to_vec()), &[0.0, 0.0, 1.0]);
    let zero = floats(&[4], &[0.0; 4]);
    let (y, _) = run(|b, x| ops::maximum(b, x[1], x[0]), &[x.clone(), zero], &[0.0; 4]);
    assert_elements(&y, &[0.0, 0.0, 2.0, f64::NAN]);
    let (y, _) = run(|b, x| ops::max(b, x[0], &[0]), &[x], &[0.0]);
    assert_elements(&y, &[f64::NAN]);
}

#[test]
fn kinks_have_the_gradient_0() {
    let x = floats(&[3], &[-2.0, 0.0, 3.0]);
    let (_, found) = run(|b, x| ops::abs(b, x[0]), std::slice::from_ref(&x), &[1.0, 1.0, 1.0]);
    assert_elements(gradient(&found, 0), &[-1.0, 0.0, 1.0]);
    let (y, found) = run(|b, x| ops::floor(b, x[0]), &[x], &[1.0, 1.0, 1.0]);
    assert_elements(&y, &[-2.0, 0.0, 3.0]);
    assert_elements(gradient(&found, 0), &[0.0; 3]);
}

#[test]
fn powers_have_finite_gradients_at_0() {
    let x = floats(&[2], &[0.0, -2.0]);
    for (exponent, slope) in [(0.0, [0.0, 0.0]), (2.0, [0.0, -4.0]), (3.0, [0.0, 12.0])] {
        let (_, found) = run(|b, x| ops::pow(b, x[0], exponent), std::slice::from_ref(&x), &[1.0, 1.0]);
        assert_elements(gradient(&found, 0), &slope);
    }
}

#[test]
fn argmax_takes_the_first_maximum_and_a_nan_for_one() {
    let x = floats(&[3, 3], &[1.0, 4.0, 4.0, f64::NAN, 9.0, f64::NAN, -1.0, -1.0, -2.0]);
    let (y, found) = run(|b, x| ops::argmax(b, x[0], 1), &[x], &[0.0; 3]);
    assert_eq!(y, classes(&[3], &[1.0, 0.0, 0.0]));
    assert!(found[0].is_none());
}

#[test]
fn gather_reads_the_last_element_past_the_end_and_adds_up_what_is_picked_twice() {
    let operands = [floats(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), classes(&[2, 2], &[2.0, 2.0, 0.0, 7.0])];
    let (y, found) = run(|b, x| ops::gather(b, x[0], x[1], 1), &operands, &[10.0, 20.0, 30.0, 40.0]);
    assert_elements(&y, &[3.0, 3.0, 4.0, 6.0]);
    assert_elements(gradient(&found, 0), &[0.0, 0.0, 30.0, 30.0, 0.0, 0.0]);
    assert!(found[1].is_none());
}

#[test]
fn cross_entropy_follows_its_formula() {
    // Rows with probabilities 1/2, 1/4, 1/4 and 1/8, 1/8, 3/4.
    let rows = [[0.5f64, 0.25, 0.25], [0.125, 0.125, 0.75]];
    let logits: Vec<f64> = rows.iter().flatten().map(|p| p.ln() + 2.0).collect();
    let operands = [floats(&[2, 3], &logits), classes(&[2], &[0.0, 2.0])];
    let (sharp0, sharp1) = (2f64.ln(), (4f64 / 3.0).ln());
    let (y, found) = run(|b, x| ops::cross_entropy(b, x[0], x[1], 0.0, "mean"), &operands, &[1.0]);
    assert_elements(&y, &[(sharp0 + sharp1) / 2.0]);
    assert_elements(gradient(&found, 0), &[-0.25, 0.125, 0.125, 0.0625, 0.0625, -0.125]);
    assert!(found[1].is_none());
    // Smoothing by 0.3 takes 0.1 to each class.
    let (uniform0, uniform1) = (5.0 * 2f64.ln() / 3.0, (64f64.ln() + sharp1) / 3.0);
    let (y, found) = run(|b, x| ops::cross_entropy(b, x[0], x[1], 0.3, "none"), &operands, &[1.0, 2.0]);
    assert_elements(&y, &[0.7 * sharp0 + 0.3 * uniform0, 0.7 * sharp1 + 0.3 * uniform1]);
    assert_elements(gradient(&found, 0), &[-0.3, 0.15, 0.15, 0.05, 0.05, -0.1]);
}

#[test]
fn integers_wrap_and_casts_saturate() {
    let operands = [classes(&[2], &[0.0, 4294967295.0]), classes(&[2], &[1.0, 4294967295.0])];
    assert_eq!(run(|b, x| ops::sub(b, x[0], x[1]), &operands, &[0.0; 2]).0.elements, [4294967295.0, 0.0]);
    assert_eq!(run(|b, x| ops::mul(b, x[0], x[1]), &operands, &[0.0; 2]).0.elements, [0.0, 1.0]);
    let x = [floats(&[4], &[-3.7, 2.9, f64::NAN, 1e20])];
    let (y, found) = run(|b, x| ops::cast(b, x[0], DType::I32), &x, &[0.0; 4]);
    assert_eq!(y.elements, [-3.0, 2.0, 0.0, f64::from(i32::MAX)]);
    assert!(found[0].is_none());
}

#[test]
fn builders_leave_out_what_changes_nothing() {
    let (mut graph, leaves) = graph_of(&[type_of(&floats(&[2, 3], &[0.0; 6]))]);
    let shape = graph.ty(leaves[0]).shape.clone();
    let mut b = Builder::new(&mut graph, Origin::default());
    let same = [
        ops::reshape(&mut b, leaves[0], &shape),
        ops::broadcast(&mut b, leaves[0], &shape),
        ops::permute(&mut b, leaves[0], &[0, 1]),
        ops::cast(&mut b, leaves[0], DType::F32),
        ops::pow(&mut b, leaves[0], 1.0),
        ops::sum(&mut b, leaves[0], &[]),
    ];
    assert_eq!(same, [leaves[0]; 6]);
    assert_eq!(graph.nodes().len(), 0);
}

/// How the op refuses these operands.
fn refusal(name: &str, attributes: &Attributes, types: &[Type]) -> String {
    let (mut graph, leaves) = graph_of(types);
    let op = ops::find(name).expect("an op of the list");
    let error: TypeError =
        graph.insert(op, attributes.clone(), &leaves, Origin::default()).expect_err("the op refuses");
    error.to_string()
}

fn f(shape: &[usize]) -> Type {
    Type::new(DType::F32, Shape::from_known(shape))
}

fn u(shape: &[usize]) -> Type {
    Type::new(DType::U32, Shape::from_known(shape))
}

fn with(name: &'static str, value: Attribute) -> Attributes {
    Attributes::none().with(name, value)
}

#[test]
fn elementwise_ops_say_what_they_take() {
    let cases = [
        (vec![f(&[2, 3]), f(&[2, 4])], "add: extents differ on axis 1"),
        (vec![f(&[2, 3]), f(&[2])], "add: ranks differ"),
        (vec![f(&[2]), u(&[2])], "add: element types differ"),
        (vec![f(&[2])], "add: takes 2 operands, not 1"),
        (vec![u(&[2])], "exp: takes floats, not u32"),
        (vec![u(&[2])], "neg: takes floats or i32, not u32"),
        (vec![u(&[2]), u(&[2])], "and: takes bools, not u32"),
        (vec![f(&[2]), f(&[2]), f(&[2])], "select: the condition is no bool"),
    ];
    for (types, expected) in cases {
        let (op, _) = expected.split_once(':').expect("the op stands in front");
        assert_eq!(refusal(op, &Attributes::none(), &types), expected);
    }
}

#[test]
fn ops_along_axes_say_which_axes_there_are() {
    let open = Type::new(DType::F32, Shape::new(vec![Extent::symbol(Symbol::new("N")), Extent::from(4)]));
    let axes = |axes: &[i64]| with("axes", Attribute::Ints(axes.to_vec()));
    let axis = |axis: i64| with("axis", Attribute::Int(axis));
    let shape = |shape: &[usize]| with("shape", Attribute::Shape(Shape::from_known(shape)));
    let cases = [
        (axes(&[2]), vec![open], "sum: axis 2 of f32<N, 4>, which has axes 0 and 1"),
        (axes(&[3]), vec![f(&[1, 2, 3])], "sum: axis 3 of f32<1, 2, 3>, which has axes 0 to 2"),
        (axes(&[0, 0]), vec![f(&[2])], "sum: axis 0 is named twice"),
        (axes(&[0]), vec![Type::new(DType::Bool, Shape::from_known(&[2]))], "sum: takes numbers, not bool"),
        (axes(&[1]), vec![f(&[2])], "max: axis 1 of f32<2>, which has axis 0 only"),
        (axes(&[0]), vec![u(&[2])], "mean: takes floats, not u32"),
        (axis(0), vec![f(&[])], "softmax: axis 0 of f32, which has no axes"),
        (axis(1), vec![f(&[2, 0])], "argmax: axis 1 of f32<2, 0> is empty"),
        (axis(0), vec![f(&[3]), f(&[3])], "gather: takes u32 indices, not f32"),
        (axis(0), vec![f(&[3, 2]), u(&[3, 4])], "gather: extents differ on axis 1"),
        (axes(&[0]), vec![f(&[3, 4])], "permute: takes all axes of f32<3, 4>, not 1 of them"),
        (shape(&[4, 2]), vec![f(&[3, 2])], "reshape: f32<3, 2> has 6 elements, <4, 2> has 8"),
        (shape(&[4, 2]), vec![f(&[3, 2])], "broadcast: extents differ on axis 0"),
        (shape(&[4]), vec![f(&[3, 4])], "broadcast: f32<3, 4> has more axes than <4>"),
    ];
    for (attributes, types, expected) in cases {
        let (op, _) = expected.split_once(':').expect("the op stands in front");
        assert_eq!(refusal(op, &attributes, &types), expected);
    }
}

#[test]
fn contractions_say_what_is_wrong_with_an_equation() {
    let cases = [
        ("ik", [f(&[2]), f(&[2])], "equation `ik` is not of the form ik,kj->ij"),
        ("i,k->k", [f(&[2]), f(&[2])], "equation `i,k->k`: i is in one operand only"),
        ("ii,i->i", [f(&[2, 2]), f(&[2])], "equation `ii,i->i` names i twice in one place"),
        ("k,k->z", [f(&[2]), f(&[2])], "equation `k,k->z`: z is in no operand"),
        ("k,k->.", [f(&[2]), f(&[2])], "equation `k,k->.`: `.` is no label"),
        ("ik,k->i", [f(&[2]), f(&[2])], "f32<2> has not the axes ik"),
        (
            "ik,kj->ij",
            [f(&[64, 784]), f(&[256, 10])],
            "extents differ on axis 1 of f32<64, 784> and axis 0 of f32<256, 10>",
        ),
    ];
    for (equation, types, expected) in cases {
        let attributes = with("equation", Attribute::Word(equation.to_string()));
        assert_eq!(refusal("contract", &attributes, &types), format!("contract: {expected}"));
    }
}

#[test]
fn cross_entropy_says_what_it_takes() {
    let labels = "takes labels u32<4> for logits f32<4, 10>, not u32<4, 10>";
    let cases = [
        (0.0, "mean", u(&[4, 10]), labels),
        (0.0, "mean", f(&[4]), "takes u32 labels, or class probabilities f32<4, 10>, not f32<4>"),
        (0.0, "avg", u(&[4]), "reduction is one of mean, sum, none, not avg"),
        (1.5, "sum", u(&[4]), "label_smoothing is between 0 and 1, not 1.5"),
        (0.0, "sum", u(&[5]), "extents differ on axis 0"),
    ];
    for (smoothing, reduction, labels, expected) in cases {
        let attributes = with("label_smoothing", Attribute::Float(smoothing));
        let attributes = attributes.with("reduction", Attribute::Word(reduction.to_string()));
        let attributes = attributes.with("ignore_index", Attribute::Int(-100));
        let found = refusal("cross_entropy", &attributes, &[f(&[4, 10]), labels]);
        assert_eq!(found, format!("cross_entropy: {expected}"));
    }
}

#[test]
fn what_open_extents_leave_undecided_becomes_a_check() {
    let symbol = |name: &str| Extent::symbol(Symbol::new(name));
    let ty = |extents: Vec<Extent>| Type::new(DType::F32, Shape::new(extents));
    let types = [ty(vec![symbol("B"), Extent::from(6)]), ty(vec![symbol("N"), Extent::from(6)])];
    let (mut graph, x) = graph_of(&types);
    let mut b = Builder::new(&mut graph, Origin::default());
    ops::add(&mut b, x[0], x[1]);
    ops::reshape(&mut b, x[0], &Shape::new(vec![symbol("B") * Extent::from(2), Extent::from(3)]));
    ops::reshape(&mut b, x[0], &Shape::new(vec![symbol("N"), Extent::from(6)]));
    ops::broadcast(&mut b, x[0], &Shape::new(vec![Extent::from(5), Extent::from(6)]));
    let messages: Vec<&str> = graph.checks.iter().map(|check| check.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "add: extents differ on axis 0",
            "reshape: f32<B, 6> has 6 * B elements, <N, 6> has 6 * N",
            "broadcast: extents differ on axis 0"
        ]
    );
}
