//! Groups: what is fused, what is not and why.

use crate::runs::CHAINS;
use crate::steps::{descent, input, metric, parameter};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::fuse::{Fusion, Reason, fuse, fuse_explained, print};
use tapeless_compiler::graph::{Builder, Graph, Origin, Role, ValueId};
use tapeless_compiler::ops::*;
use tapeless_compiler::shape::Shape;

fn labels(graph: &Graph, fusion: &Fusion) -> Vec<String> {
    fuse(graph, fusion).into_iter().map(|group| group.label).collect()
}

fn reasons(graph: &Graph) -> Vec<Reason> {
    fuse_explained(graph, &Fusion::default()).1.into_iter().map(|refusal| refusal.reason).collect()
}

/// A graph of one metric, from what `build` makes of x: f32<4, 3>.
fn of_matrix(build: impl FnOnce(&mut Builder<'_>, ValueId) -> ValueId) -> Graph {
    let mut graph = Graph::new("Matrix");
    let x = input(&mut graph, "x", DType::F32, &[4, 3]);
    let result = build(&mut Builder::new(&mut graph, Origin::default()), x);
    metric(&mut graph, "result", result);
    graph
}

#[test]
fn a_step_of_descent_is_fused_between_its_reductions() {
    insta::assert_snapshot!(print(&fuse(&descent(), &Fusion::default())));
}

#[test]
fn without_fusion_every_op_but_views_and_literals_is_a_kernel() {
    let labels = labels(&descent(), &Fusion::none());
    let expected = [
        "contract", "add", "relu", "sub", "mul", "sum", "mul", "mul", "lt", "select", "contract", "sum", "mul", "sub",
        "mul", "sub",
    ];
    assert_eq!(labels, expected);
}

#[test]
fn a_chain_of_views_is_one_read() {
    let graph = of_matrix(|b, x| {
        let turned = permute(b, x, &[1, 0]);
        let flat = reshape(b, turned, &Shape::from_known(&[12]));
        let split = reshape(b, flat, &Shape::from_known(&[3, 4]));
        let back = permute(b, split, &[1, 0]);
        relu(b, back)
    });
    insta::assert_snapshot!(print(&fuse(&graph, &Fusion::none())), @"
    %5 = relu(%0)
    nest f32[4, 3]
        r0 = f32 operand 0[a0, a1]
        body
            %0 = r0
            %1 = f32 0.0
            %2 = max(%0, %1)
    ");
}

#[test]
fn a_view_that_is_a_result_is_copied() {
    let graph = of_matrix(|b, x| {
        let y = exp(b, x);
        permute(b, y, &[1, 0])
    });
    assert_eq!(labels(&graph, &Fusion::none()), ["exp", "permute"]);
    assert_eq!(labels(&graph, &Fusion::default()), ["exp"]);
}

#[test]
fn a_leaf_that_is_a_result_is_copied_first() {
    let graph = of_matrix(|_, x| x);
    let groups = fuse(&graph, &Fusion::default());
    assert_eq!(groups.len(), 1);
    assert_eq!(
        (groups[0].label.as_str(), groups[0].parts[0].result, &groups[0].operands),
        ("copy", ValueId(0), &vec![ValueId(0)])
    );
}

#[test]
fn a_constant_is_a_kernel_only_where_it_is_a_result() {
    let graph = of_matrix(|b, x| {
        let shape = b.shape(x);
        let one = constant(b, 1.0, DType::F32);
        let ones = broadcast(b, one, &shape);
        let more = add(b, x, ones);
        sum(b, more, &[0])
    });
    assert_eq!(labels(&graph, &Fusion::none()), ["add", "sum"]);
    let graph = of_matrix(|b, _| constant(b, 1.0, DType::F32));
    assert_eq!(labels(&graph, &Fusion::none()), ["constant"]);
}

#[test]
fn a_value_that_several_ops_of_one_kernel_read_is_read_once() {
    // y / (1 + y) reads y twice; once the sum is inlined it is one read of one kernel.
    let graph = of_matrix(|b, x| {
        let y = exp(b, x);
        let shape = b.shape(x);
        let one = constant(b, 1.0, DType::F32);
        let one = broadcast(b, one, &shape);
        let below = add(b, one, y);
        div(b, y, below)
    });
    assert_eq!(labels(&graph, &Fusion::default()), ["exp+add+div"]);
}

#[test]
fn several_readers_keep_the_value_in_memory() {
    let graph = of_matrix(|b, x| {
        let y = exp(b, x);
        let a = sum(b, y, &[0, 1]);
        let c = max(b, y, &[0, 1]);
        mul(b, a, c)
    });
    let reasons = reasons(&graph);
    let dear = vec![Reason::DearForEach { reads: 2, operations: 16 }; 2];
    let reductions = vec![Reason::ProducerReduces; 2];
    assert_eq!(reasons, [dear, reductions].concat());
}

#[test]
fn reductions_and_results_are_computed_into_memory() {
    let multiplied = of_matrix(|b, x| {
        let y = relu(b, x);
        contract(b, y, x, "ij,kj->ik")
    });
    assert_eq!(reasons(&multiplied), [Reason::SmallProduct { rows: 4, columns: 4, depth: 3 }]);
    let kept = of_matrix(|b, x| {
        let y = relu(b, x);
        metric(b.graph(), "kept", y);
        neg(b, y)
    });
    assert_eq!(reasons(&kept), [Reason::Result]);
    let (groups, refusals) = fuse_explained(&kept, &CHAINS);
    assert_eq!((refusals[0].producer, refusals[0].consumer), (groups[0].nodes[0], groups[1].nodes[0]));
    assert_eq!(fuse_explained(&kept, &Fusion::none()).1, []);
}

#[test]
fn what_is_dear_is_not_repeated() {
    let repeated = |work: fn(&mut Builder<'_>, ValueId) -> ValueId| {
        let mut graph = Graph::new("Repeated");
        let v = parameter(&mut graph, "v", &[3]);
        let x = input(&mut graph, "x", DType::F32, &[4, 3]);
        let mut b = Builder::new(&mut graph, Origin::default());
        let (y, shape) = (work(&mut b, v), b.shape(x));
        let y = broadcast(&mut b, y, &shape);
        let result = mul(&mut b, x, y);
        metric(&mut graph, "result", result);
        graph
    };
    assert_eq!(reasons(&repeated(exp)), [Reason::Recomputed { elements: 3, points: 12 }]);
    assert_eq!(labels(&repeated(neg), &Fusion::default()), ["neg+mul"]);
}

#[test]
fn a_kernel_has_an_end() {
    let graph = of_matrix(|b, x| (0..600).fold(x, |y, _| exp(b, y)));
    let groups = fuse(&graph, &CHAINS);
    assert_eq!(groups.len(), 3, "{:?}", groups.iter().map(|group| group.nodes.len()).collect::<Vec<_>>());
}

/// `outer(gather(inner(x), index))`, all inlined as far as it goes.
fn gathers(inner: impl FnOnce(&mut Builder<'_>, ValueId, ValueId) -> ValueId) -> Graph {
    let mut graph = Graph::new("Gathers");
    let x = input(&mut graph, "x", DType::F32, &[4, 3]);
    let index = input(&mut graph, "index", DType::U32, &[4, 3]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let y = inner(&mut b, x, index);
    let picked = gather(&mut b, y, index, 0);
    let result = neg(&mut b, picked);
    metric(&mut graph, "result", result);
    graph
}

#[test]
fn producers_are_computed_where_they_are_gathered() {
    let graph = gathers(|b, x, _| relu(b, x));
    insta::assert_snapshot!(print(&fuse(&graph, &Fusion::default())), @"
    %4 = relu+gather+neg(%1, %0)
    nest f32[4, 3]
        r0 = u32 operand 0[a0, a1]
        r1 = f32 operand 1[[r0 < 4], a1]
        body
            %0 = r1
            %1 = f32 0.0
            %2 = max(%0, %1)
            %3 = neg(%2)
    ");
}

#[test]
fn one_level_of_gather_is_enough() {
    let graph = gathers(|b, x, index| gather(b, x, index, 1));
    assert_eq!(reasons(&graph), [Reason::NestedGather]);
}

#[test]
fn an_index_is_read_from_memory() {
    let mut graph = Graph::new("Index");
    let x = input(&mut graph, "x", DType::F32, &[4]);
    let index = input(&mut graph, "index", DType::U32, &[4]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let moved = maximum(&mut b, index, index);
    let result = gather(&mut b, x, moved, 0);
    let three = constant(&mut b, 3.0, DType::U32);
    let three = broadcast(&mut b, three, &Shape::from_known(&[1]));
    let last = gather(&mut b, x, three, 0);
    metric(&mut graph, "result", result);
    metric(&mut graph, "last", last);
    assert_eq!(reasons(&graph), [Reason::UsedAsIndex]);
    assert_eq!(labels(&graph, &CHAINS), ["maximum", "gather", "constant", "gather"]);
}

/// A graph in which two small updates wait for nothing and a third one for the first.
fn small_updates(extent: usize) -> Graph {
    let mut graph = Graph::new("Updates");
    let leaves = [parameter(&mut graph, "a", &[extent]), parameter(&mut graph, "b", &[7])];
    let kept = parameter(&mut graph, "c", &[5]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let [first, second] = leaves.map(|leaf| exp(&mut b, leaf));
    let total = sum(&mut b, first, &[0]);
    let shape = b.shape(kept);
    let total = broadcast(&mut b, total, &shape);
    let third = mul(&mut b, kept, total);
    for (leaf, next) in leaves.into_iter().chain([kept]).zip([first, second, third]) {
        graph.result(Role::Next(leaf), next);
    }
    graph
}

#[test]
fn small_kernels_that_do_not_wait_for_each_other_are_one() {
    assert_eq!(labels(&small_updates(9), &Fusion::default()), ["exp+exp", "sum", "mul"]);
    // A large one takes longer than its launch.
    assert_eq!(labels(&small_updates(100_000), &Fusion::default()), ["exp", "sum", "exp+mul"]);
    let apart = Fusion { neighbours: false, ..Fusion::default() };
    assert_eq!(labels(&small_updates(9), &apart), ["exp", "exp", "sum", "mul"]);
}

/// A product of matrices whose result updates a slot and a parameter; the product may read the parameter as well.
fn momentum(reads_parameter: bool) -> Graph {
    let mut graph = Graph::new("Momentum");
    let (w, m) = (parameter(&mut graph, "w", &[24, 40]), parameter(&mut graph, "m", &[24, 40]));
    let g = input(&mut graph, "g", DType::F32, &[16, 24]);
    let x = input(&mut graph, "x", DType::F32, &[16, 40]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let gradient = match reads_parameter {
        true => {
            let square = contract(&mut b, w, w, "ij,kj->ik");
            contract(&mut b, square, w, "ij,ik->jk")
        }
        false => contract(&mut b, g, x, "bi,bj->ij"),
    };
    let kept = scale(&mut b, m, 0.9);
    let slot = add(&mut b, kept, gradient);
    let moved = scale(&mut b, slot, 0.1);
    let next = sub(&mut b, w, moved);
    graph.result(Role::Next(m), slot);
    graph.result(Role::Next(w), next);
    graph
}

#[test]
fn updates_ride_in_the_product_that_makes_the_gradient() {
    assert_eq!(labels(&momentum(false), &Fusion::default()), ["contract+mul+add+mul+sub"]);
    let apart = Fusion { updates: false, ..Fusion::default() };
    assert_eq!(labels(&momentum(false), &apart), ["contract+mul+add", "mul+sub"]);
}

#[test]
fn an_update_does_not_ride_in_a_product_that_reads_what_it_updates() {
    let labels = labels(&momentum(true), &Fusion::default());
    assert_eq!(labels[..2], ["contract", "contract+mul+add"]);
    assert_eq!(labels[2..], ["mul+sub"]);
    assert!(reasons(&momentum(true)).contains(&Reason::OldValueIsRead));
}

#[test]
fn an_update_does_not_ride_where_it_waits_for_a_sum_over_the_gradient() {
    let mut graph = Graph::new("Clipped");
    let w = parameter(&mut graph, "w", &[24, 40]);
    let g = input(&mut graph, "g", DType::F32, &[16, 24]);
    let x = input(&mut graph, "x", DType::F32, &[16, 40]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let gradient = contract(&mut b, g, x, "bi,bj->ij");
    let square = mul(&mut b, gradient, gradient);
    let norm = sum(&mut b, square, &[0, 1]);
    let norm = broadcast(&mut b, norm, &Shape::from_known(&[24, 40]));
    let clipped = div(&mut b, gradient, norm);
    let next = sub(&mut b, w, clipped);
    graph.result(Role::Next(w), next);
    assert_eq!(labels(&graph, &Fusion::default()), ["contract", "mul+sum", "div+sub"]);
    assert!(reasons(&graph).contains(&Reason::Waits), "{:?}", reasons(&graph));
}

/// What reads the old value of a leaf runs with what reads its next value; what reads the first of them must not run with what
/// the second reads.
#[test]
fn small_kernels_do_not_wait_for_each_other_in_a_circle() {
    let mut graph = Graph::new("Circle");
    let (a, c) = (parameter(&mut graph, "a", &[9]), parameter(&mut graph, "c", &[9]));
    let mut b = Builder::new(&mut graph, Origin::default());
    let wide = |b: &mut Builder<'_>, x: ValueId, rows: usize| {
        let repeated = broadcast(b, x, &Shape::from_known(&[rows, 9]));
        exp(b, repeated)
    };
    let first = exp(&mut b, a);
    let behind_first = wide(&mut b, first, 2);
    let next = exp(&mut b, c);
    let behind_next = wide(&mut b, next, 3);
    for (name, value) in [("first", first), ("behind first", behind_first), ("behind next", behind_next)] {
        metric(&mut graph, name, value);
    }
    graph.result(Role::Next(a), next);
    let groups = fuse(&graph, &Fusion::default());
    let made = |value: ValueId| groups.iter().position(|group| group.results().any(|result| result == value));
    for (at, group) in groups.iter().enumerate() {
        let waits = group.operands.iter().filter_map(|&operand| made(operand));
        assert!(waits.into_iter().all(|producer| producer < at), "{}", print(&groups));
    }
}
