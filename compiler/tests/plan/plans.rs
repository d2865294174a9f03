//! Plans: what they compute, where things lie, what is updated in place.

use crate::runs::{CHAINS, assert_runs, leaf_copies, planned};
use crate::steps::{descent, input, metric, parameter, state};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::expand::expand;
use tapeless_compiler::fuse::Fusion;
use tapeless_compiler::graph::{Attribute, Attributes, Builder, Graph, Origin, Role};
use tapeless_compiler::ops::*;
use tapeless_compiler::plan::verify::{VerifyError, verify};
use tapeless_compiler::plan::{self, Buffer, BufferId, Place, Plan};
use tapeless_compiler::shape::Shape;
use tapeless_compiler::simplify::simplify;

#[test]
fn a_step_of_descent_updates_in_place() {
    let graph = descent();
    for fusion in [Fusion::default(), Fusion::none()] {
        let plan = planned(&graph, fusion);
        assert_runs(&graph, &plan);
        assert_eq!(leaf_copies(&plan), 0);
        assert!(plan.workspace_bytes < plan.unshared_bytes);
    }
    let fusion = Fusion { neighbours: false, ..Fusion::default() };
    insta::assert_snapshot!(plan::print(&planned(&graph, fusion)), @r#"
    workspace: 256 bytes, 320 without sharing
    leaf 0: input x f32[4, 3]
    leaf 1: input y f32[4, 2]
    leaf 2: input rate f32[]
    leaf 3: parameter 0:fc.weight f32[2, 3]
    leaf 4: parameter 0:fc.bias f32[2]
    launch 0: f32[8] at 0 <- contract+add(leaf 0, leaf 3, leaf 4) by 0.contract+add
    launch 1: f32[1] at 64, f32[8] at 128, f32[2] at 192 <- relu+sub+mul+sum+mul+lt+select+sum(leaf 1, f32[8] at 0) by 1.relu+sub+mul+sum+mul+lt+select+sum
    launch 2: f32[1] at 0 <- mul(f32[1] at 64) by 2.mul
    launch 3: leaf 3 <- contract+mul+sub(f32[8] at 128, leaf 0, leaf 3, leaf 2) by 3.contract+mul+sub
    launch 4: leaf 4 <- mul+sub(leaf 4, leaf 2, f32[2] at 192) by 4.mul+sub
    result Metric("loss"): f32[1] at 0 []
    "#);
}

#[test]
fn states_that_swap_go_through_the_workspace_once() {
    let mut graph = Graph::new("Swap");
    let (a, b) = (state(&mut graph, "a", &[5]), state(&mut graph, "b", &[5]));
    graph.result(Role::Next(a), b);
    graph.result(Role::Next(b), a);
    let plan = planned(&graph, Fusion::default());
    assert_runs(&graph, &plan);
    assert_eq!(plan.launches.len(), 3);
}

#[test]
fn states_that_go_round_three_at_a_time() {
    let mut graph = Graph::new("Round");
    let states = ["a", "b", "c"].map(|key| state(&mut graph, key, &[5]));
    for at in 0..3 {
        graph.result(Role::Next(states[at]), states[(at + 1) % 3]);
    }
    let plan = planned(&graph, Fusion::default());
    assert_runs(&graph, &plan);
    assert_eq!(plan.launches.len(), 4);
}

#[test]
fn the_old_value_is_read_elsewhere_first() {
    // The update stands before the reader of the old value; it must wait for it.
    let mut graph = Graph::new("Late");
    let s = state(&mut graph, "s", &[4]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let next = exp(&mut b, s);
    let total = sum(&mut b, s, &[0]);
    graph.result(Role::Next(s), next);
    metric(&mut graph, "total", total);
    let plan = planned(&graph, Fusion::default());
    assert_runs(&graph, &plan);
    let labels: Vec<&str> = plan.launches.iter().map(|launch| launch.label.as_str()).collect();
    assert_eq!(labels, ["sum", "exp"]);
}

#[test]
fn an_update_that_is_read_with_the_old_value_is_copied_at_the_end() {
    let mut graph = Graph::new("Both");
    let s = state(&mut graph, "s", &[4]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let next = exp(&mut b, s);
    let both = sub(&mut b, next, s);
    let both = sum(&mut b, both, &[0]);
    graph.result(Role::Next(s), next);
    metric(&mut graph, "both", both);
    let plan = planned(&graph, Fusion::default());
    assert_runs(&graph, &plan);
    assert_eq!(leaf_copies(&plan), 1);
}

#[test]
fn an_update_that_reads_other_elements_is_copied() {
    let mut graph = Graph::new("Turned");
    let s = state(&mut graph, "s", &[3, 3]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let turned = permute(&mut b, s, &[1, 0]);
    let next = add(&mut b, s, turned);
    graph.result(Role::Next(s), next);
    let plan = planned(&graph, Fusion::default());
    assert_runs(&graph, &plan);
    assert_eq!(leaf_copies(&plan), 1);
}

#[test]
fn a_reduction_of_the_old_value_is_copied() {
    let mut graph = Graph::new("Product");
    let s = state(&mut graph, "s", &[3, 3]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let next = contract(&mut b, s, s, "ik,kj->ij");
    graph.result(Role::Next(s), next);
    let plan = planned(&graph, Fusion::default());
    assert_runs(&graph, &plan);
    assert_eq!(leaf_copies(&plan), 1);
}

#[test]
fn results_share_values_with_leaves_and_each_other() {
    let mut graph = Graph::new("Shared");
    let s = state(&mut graph, "s", &[4]);
    let x = input(&mut graph, "x", DType::F32, &[4]);
    let empty = state(&mut graph, "empty", &[0]);
    let same = state(&mut graph, "same", &[2]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let next = add(&mut b, s, x);
    let nothing = exp(&mut b, empty);
    for (name, value) in [("old", s), ("new", next), ("again", next), ("x", x), ("nothing", nothing)] {
        metric(&mut graph, name, value);
    }
    for (leaf, value) in [(s, next), (empty, nothing), (same, same)] {
        graph.result(Role::Next(leaf), value);
    }
    assert_runs(&graph, &planned(&graph, Fusion::default()));
    assert_runs(&graph, &planned(&graph, Fusion::none()));
}

#[test]
fn one_value_becomes_two_states() {
    let mut graph = Graph::new("Two");
    let (a, c) = (state(&mut graph, "a", &[4]), state(&mut graph, "c", &[4]));
    let mut b = Builder::new(&mut graph, Origin::default());
    let next = mul(&mut b, a, c);
    graph.result(Role::Next(a), next);
    graph.result(Role::Next(c), next);
    assert_runs(&graph, &planned(&graph, Fusion::default()));
}

#[test]
fn equal_kernels_are_one() {
    let mut graph = Graph::new("Equal");
    let parameters = ["a", "b", "c"].map(|key| parameter(&mut graph, key, &[8]));
    for p in parameters {
        let next = exp(&mut Builder::new(&mut graph, Origin::default()), p);
        graph.result(Role::Next(p), next);
    }
    let plan = planned(&graph, Fusion { neighbours: false, ..Fusion::default() });
    assert_eq!((plan.launches.len(), plan.kernels.len()), (3, 1));
    assert_runs(&graph, &plan);
}

#[test]
fn labels_have_bounds() {
    let mut graph = Graph::new("Bounds");
    let x = input(&mut graph, "x", DType::F32, &[6, 10]);
    let labels = input(&mut graph, "labels", DType::I32, &[6]);
    let floats = input(&mut graph, "floats", DType::F32, &[6]);
    let mut b = Builder::new(&mut graph, Origin::default());
    for given in [labels, floats] {
        let index = cast(&mut b, given, DType::U32);
        let index = reshape(&mut b, index, &Shape::from_known(&[6, 1]));
        let picked = gather(&mut b, x, index, 1);
        let name = format!("picked {}", given.0);
        metric(b.graph(), &name, picked);
    }
    let bounds = plan::bounds::bounds(&graph);
    let found: Vec<(usize, usize, &str)> = bounds.iter().map(|b| (b.leaf, b.below, b.what.as_str())).collect();
    assert_eq!(found, [(1, 10, "`labels` is an index of gather")]);
}

#[test]
fn a_label_that_is_ignored_may_be_out_of_bounds() {
    let graph = |ignored: [i64; 2]| {
        let mut graph = Graph::new("Bounds");
        let logits = input(&mut graph, "logits", DType::F32, &[6, 10]);
        let few = input(&mut graph, "few", DType::F32, &[6, 4]);
        let labels = input(&mut graph, "labels", DType::U32, &[6]);
        for (scores, ignored) in [(logits, ignored[0]), (few, ignored[1])] {
            let attributes = Attributes::none()
                .with("ignore_index", Attribute::Int(ignored))
                .with("reduction", Attribute::Word("mean".to_string()));
            let op = find("nll").expect("it is in the list");
            let loss = Builder::new(&mut graph, Origin::default()).apply(op, attributes, &[scores, labels]);
            metric(&mut graph, &format!("loss {}", scores.0), loss);
        }
        simplify(&expand(&graph))
    };
    let found = |ignored| {
        let bounds = plan::bounds::bounds(&graph(ignored));
        bounds.iter().map(|bound| (bound.leaf, bound.below, bound.except)).collect::<Vec<_>>()
    };
    assert_eq!(found([-100, -100]), [(2, 4, None)]);
    assert_eq!(found([255, 255]), [(2, 4, Some(255))]);
    assert_eq!(found([2, 255]), [(2, 10, Some(2)), (2, 4, Some(255))]);
}

/// A plan of the step with something broken in it, and what the verifier finds.
fn broken(change: impl FnOnce(&mut Plan)) -> VerifyError {
    let graph = descent();
    let mut plan = planned(&graph, Fusion::none());
    change(&mut plan);
    verify(&plan, &graph).expect_err("a broken plan is found")
}

fn workspace(plan: &Plan) -> Vec<usize> {
    let inside = |at: &usize| matches!(plan.buffers[*at].place, Place::Workspace(_));
    (0..plan.buffers.len()).filter(inside).collect()
}

#[test]
fn broken_memory_is_found() {
    let shared = broken(|plan| {
        let [first, second] = [0, 1].map(|at| workspace(plan)[at]);
        plan.buffers[second].place = plan.buffers[first].place;
    });
    assert!(matches!(shared, VerifyError::Stale { launch: 8, argument: 0, .. }), "{shared}");
    let clobbered =
        broken(|plan| workspace(plan).into_iter().for_each(|at| plan.buffers[at].place = Place::Workspace(0)));
    assert!(matches!(clobbered, VerifyError::Overlap(..) | VerifyError::Stale { .. }), "{clobbered}");
    let crooked = broken(|plan| {
        let first = workspace(plan)[0];
        plan.buffers[first].place = Place::Workspace(4);
    });
    assert!(matches!(crooked, VerifyError::Buffer(_, "is not aligned")), "{crooked}");
    let outside = broken(|plan| plan.workspace_bytes -= 64);
    assert!(matches!(outside, VerifyError::Buffer(_, "leaves the workspace")), "{outside}");
}

#[test]
fn broken_order_is_found() {
    let early = broken(|plan| {
        let last = plan.launches.pop().expect("there are launches");
        plan.launches.insert(0, last);
    });
    assert!(matches!(early, VerifyError::Stale { launch: 0, .. }), "{early}");
    let missing = broken(|plan| plan.launches.truncate(plan.launches.len() - 1));
    assert!(matches!(missing, VerifyError::Lost { .. }), "{missing}");
    // The update of the weight moves before the last product that reads the old one.
    let mut graph = Graph::new("Late");
    let s = state(&mut graph, "s", &[4]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let (next, total) = (exp(&mut b, s), sum(&mut b, s, &[0]));
    graph.result(Role::Next(s), next);
    metric(&mut graph, "total", total);
    let mut plan = planned(&graph, CHAINS);
    plan.launches.reverse();
    let (wanted, found) = (s, Some(next));
    assert_eq!(verify(&plan, &graph), Err(VerifyError::Stale { launch: 1, argument: 0, wanted, found }));
}

#[test]
fn broken_writes_are_found() {
    let leaf = |plan: &Plan, at: usize| {
        let is = |buffer: &Buffer| buffer.place == Place::Leaf(at);
        BufferId(plan.buffers.iter().position(is).expect("every leaf has a buffer"))
    };
    // The second input has the type of the hidden layer, which may all the same not be written there.
    let input = broken(|plan| {
        let y = leaf(plan, 1);
        plan.launches[0].arguments[2] = y;
    });
    assert!(matches!(input, VerifyError::LeafWritten { launch: 0, leaf: 1, .. }), "{input}");
    let gradient = broken(|plan| {
        let w = leaf(plan, 3);
        let product = plan.launches.iter().rposition(|launch| launch.label == "contract").expect("there are two");
        plan.launches[product].arguments[2] = w;
    });
    assert!(matches!(gradient, VerifyError::LeafWritten { leaf: 3, .. }), "{gradient}");
    let kernel = broken(|plan| plan.launches[0].arguments.truncate(2));
    assert_eq!(kernel, VerifyError::Kernel(0));
    let array = broken(|plan| plan.launches[0].arguments[0] = leaf(plan, 1));
    assert!(matches!(array, VerifyError::Argument(0, 0, _)), "{array}");
}

#[test]
fn an_update_in_place_that_reads_its_neighbours_is_found() {
    let mut graph = Graph::new("Turned");
    let s = state(&mut graph, "s", &[3, 3]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let turned = permute(&mut b, s, &[1, 0]);
    let next = add(&mut b, s, turned);
    graph.result(Role::Next(s), next);
    let mut plan = planned(&graph, Fusion::default());
    plan.launches.truncate(1);
    plan.launches[0].arguments[1] = plan.launches[0].arguments[0];
    assert_eq!(verify(&plan, &graph), Err(VerifyError::Overlap(0, 0, 1)));
}

/// The plan of a product whose kernel packs an operand, and its graph.
fn packing() -> (Graph, Plan) {
    let mut graph = Graph::new("Packing");
    let (x, w) = (input(&mut graph, "x", DType::F32, &[32, 40]), input(&mut graph, "w", DType::F32, &[16, 40]));
    let mut b = Builder::new(&mut graph, Origin::default());
    let product = contract(&mut b, x, w, "ik,jk->ij");
    let squares = mul(&mut b, product, product);
    let total = sum(&mut b, squares, &[0, 1]);
    metric(&mut graph, "total", total);
    let plan = planned(&graph, Fusion::none());
    (graph, plan)
}

#[test]
fn scratch_is_memory_of_one_launch() {
    let (graph, plan) = packing();
    assert_runs(&graph, &plan);
    let launch = plan.launches.iter().position(|launch| launch.arguments.len() > launch.values.len());
    let launch = launch.expect("an operand is packed");
    let scratch = plan.launches[launch].values.len();
    let [output, packed] = [scratch - 1, scratch].map(|argument| plan.launches[launch].arguments[argument]);
    let mut shared = plan.clone();
    shared.buffers[output.0].place = shared.buffers[packed.0].place;
    let error = verify(&shared, &graph).expect_err("scratch is where the result is");
    assert!(
        matches!(error, VerifyError::Argument(_, _, "is scratch and shares memory with another argument")),
        "{error}"
    );
    let mut leaf = plan.clone();
    leaf.launches[launch].arguments[scratch] = leaf.launches[launch].arguments[0];
    let error = verify(&leaf, &graph).expect_err("scratch is an input");
    assert!(matches!(error, VerifyError::Argument(..)), "{error}");
    let mut missing = plan;
    missing.launches[launch].arguments.truncate(scratch);
    assert_eq!(verify(&missing, &graph), Err(VerifyError::Kernel(launch)));
}
