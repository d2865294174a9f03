//! Scans through every stage: what they mean, what they become, and that neither code nor plan grow with the turns.

use tapeless_compiler::autodiff::gradients;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{
    self, Array, Builder, Graph, Leaf, Origin, Role, ValueId, evaluate, inline, parse, print, verify,
};
use tapeless_compiler::ops::{self, OPS, Turns};
use tapeless_compiler::pipeline::{Fusion, Options, bound, finish, plan};
use tapeless_compiler::plan::verify::VerifyError;
use tapeless_compiler::plan::{self, BufferId, Part, Place, Plan, interpret};
use tapeless_compiler::samples;
use tapeless_compiler::shape::{Extent, Shape, Symbol, Type};
use tapeless_compiler::target::Target;

const LANES: usize = 8;

fn leaf(graph: &mut Graph, name: &str, extents: &[&str]) -> ValueId {
    let extent = |word: &&str| match word.parse::<i64>() {
        Ok(number) => Extent::from(number),
        Err(_) => Extent::symbol(Symbol::new(word)),
    };
    let ty = Type::new(DType::F32, Shape::new(extents.iter().map(extent).collect()));
    graph.leaf(Leaf::User { name: name.into() }, ty)
}

/// A recurrence over T turns of B rows: what is hidden after each turn, and the last of it.
fn recurrence() -> (Graph, [ValueId; 3], Vec<ValueId>) {
    let mut graph = Graph::new("Recurrence");
    graph.dims = ["T", "B"].map(Symbol::new).to_vec();
    let x = leaf(&mut graph, "x", &["T", "B", "3"]);
    let w = leaf(&mut graph, "w", &["3", "3"]);
    let h = leaf(&mut graph, "h", &["B", "3"]);
    let results = ops::rnn(&mut Builder::new(&mut graph, Origin::default()), &[x, w, h], "tanh", false);
    (graph, [x, w, h], results)
}

/// The same with the gradients of the sum of squares of all that is hidden.
fn differentiated() -> Graph {
    let (mut graph, leaves, results) = recurrence();
    let mut b = Builder::new(&mut graph, Origin::default());
    let squares = ops::mul(&mut b, results[0], results[0]);
    let loss = ops::sum(&mut b, squares, &[0, 1, 2]);
    for (position, gradient) in gradients(&mut graph, loss, &leaves).into_iter().enumerate() {
        graph.result(Role::Output(position), gradient.expect("all of it reaches the loss"));
    }
    finish(&graph).expect("the graph is well typed")
}

fn planned(graph: &Graph, turns: usize, options: &Options) -> Plan {
    plan(graph, &[("T", turns), ("B", 2)], options, &Target::new(LANES)).expect("the extents fit")
}

/// Numbers that look random.
fn arrays(graph: &Graph) -> Vec<Array> {
    let mut state = 0.3f64;
    let mut next = |_: &[usize]| {
        state = (state * 997.0 + 0.37).sin() * 1000.0;
        f64::from(2.0 * state.rem_euclid(1.0) as f32 - 1.0)
    };
    graph.leaves().map(|(_, _, ty)| Array::build(ty.dtype, &ty.known_shape(), &mut next)).collect()
}

fn close(name: &str, found: &[Array], expected: &[Array]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.shape, expected.shape, "{name}");
        for (x, y) in found.elements.iter().zip(&expected.elements) {
            assert!((x - y).abs() <= 1e-5 * (1.0 + y.abs()), "{name}: {x} is not {y}");
        }
    }
}

#[test]
fn plans_of_scans_compute_what_they_mean() {
    let op = ops::find("scan").expect("it is in the list");
    let mut plans = 0;
    for (number, sample) in op.samples().iter().enumerate() {
        let forward = sample.graph(op).expect("samples are well typed");
        for graph in [Some(forward), samples::gradients(op, sample)].into_iter().flatten() {
            let leaves = samples::leaves(&graph, sample);
            let expected = evaluate(&graph, &leaves);
            for fusion in [Fusion::none(), Fusion::default()] {
                let options = Options { fusion, ..Options::default() };
                let plan = plan(&graph, &[], &options, &Target::new(LANES)).expect("samples have plans");
                let name = format!("sample {number}\n{}", plan::print(&plan));
                close(&name, &interpret(&plan, &leaves, LANES).results, &expected);
                plans += 1;
            }
        }
    }
    assert!(plans >= 28, "only {plans} plans");
}

#[test]
fn the_gradient_is_a_scan_the_other_way_and_the_weights_one_contraction_behind_it() {
    let text = print(&differentiated());
    insta::assert_snapshot!(text, @r#"
    tapeless graph 1
    step Recurrence
    dim T
    dim B
    %0 = user "x" : f32<T, B, 3>
    %1 = user "w" : f32<3, 3>
    %2 = user "h" : f32<B, 3>
    %3 %4 = scan {body=region, carries=1, reverse=false, slices=1, turns={T}} %2 %0 %1 : f32<B, 3>, f32<T, B, 3>
        %0 = user "0" : f32<B, 3>
        %1 = user "1" : f32<B, 3>
        %2 = user "2" : f32<3, 3>
        %3 = contract {equation="nk,gk->ng"} %0 %2 : f32<B, 3>
        %4 = add %1 %3 : f32<B, 3>
        %5 = tanh %4 : f32<B, 3>
        result output 0 %5
        result output 1 %5
        end
    %5 = add %4 %4 : f32<T, B, 3>
    %6 = reshape {shape=<1, B, 3>} %2 : f32<1, B, 3>
    %7 = slice {axis=0, end={T - 1}, start={0}, step=1} %4 : f32<{T - 1}, B, 3>
    %8 = cat {axis=0} %6 %7 : f32<T, B, 3>
    %9 = constant {dtype=f32, value=0.0} : f32
    %10 = broadcast {shape=<B, 3>} %9 : f32<B, 3>
    %11 %12 = scan {body=region, carries=1, reverse=true, slices=2, turns={T}} %10 %4 %5 %1 : f32<B, 3>, f32<T, B, 3>
        %0 = user "0" : f32<B, 3>
        %1 = user "1" : f32<B, 3>
        %2 = user "2" : f32<B, 3>
        %3 = user "3" : f32<3, 3>
        %4 = add %0 %2 : f32<B, 3>
        %5 = constant {dtype=f32, value=1.0} : f32
        %6 = broadcast {shape=<B, 3>} %5 : f32<B, 3>
        %7 = mul %1 %1 : f32<B, 3>
        %8 = sub %6 %7 : f32<B, 3>
        %9 = mul %4 %8 : f32<B, 3>
        %10 = contract {equation="ng,gk->nk"} %9 %3 : f32<B, 3>
        result output 0 %10
        result output 1 %9
        end
    %13 = contract {equation="ang,ank->gk"} %12 %8 : f32<3, 3>
    check {1} <= {T} "rnn: there are no turns"
    check {0} <= {T - 1} "slice: 0..T - 1 ends before it starts"
    result output 0 %12
    result output 1 %13
    result output 2 %11
    end
    "#);
    let again = parse(&text, OPS).expect("the text is a graph");
    assert_eq!((print(&again), verify(&again)), (text, Ok(())));
}

#[test]
fn a_plan_has_the_launches_of_a_turn_once() {
    insta::assert_snapshot!(plan::print(&planned(&differentiated(), 5, &Options::default())), @"
    workspace: 1280 bytes, 1728 without sharing
    leaf 0: input x f32[5, 2, 3]
    leaf 1: input w f32[3, 3]
    leaf 2: input h f32[2, 3]
    5 turns of launches 0 to 0:
    launch 0: f32[30] at 0 from 0 by 6 <- contract+add+tanh(f32[30] at 0 from -6 by 6, first leaf 2, leaf 1, leaf 0 from 0 by 6) by 0.contract+add+tanh
    launch 1: f32[30] at 128, f32[30] at 896, f32[6] at 384 <- add+cat(f32[30] at 0, leaf 2) by 1.add+cat
    5 turns of launches 2 to 3:
    launch 2: f32[30] at 1024 from 24 by -6 <- add+mul+sub+mul(f32[30] at 0 from 24 by -6, f32[22] at 256 from 16 by -16 and back, first f32[6] at 384, f32[30] at 128 from 24 by -6) by 2.add+mul+sub+mul
    launch 3: f32[22] at 256 from 0 by 16 and back <- contract(f32[30] at 1024 from 24 by -6, leaf 1) by 3.contract
    launch 4: f32[6] at 1152 <- copy(f32[22] at 256 from 0) by 4.copy
    launch 5: f32[9] at 1216 <- contract(f32[30] at 1024, f32[30] at 896) by 5.contract with f32[160] at 0, f32[64] at 640
    result Output(0): f32[30] at 1024 [5, 2, 3]
    result Output(1): f32[9] at 1216 [3, 3]
    result Output(2): f32[6] at 1152 [2, 3]
    not fused: cat is not part of contract: the consumer is a product of matrices too small for tiles: 3 by 3, 10 deep
    not fused: mul is not part of contract: the value is a result of the step
    ");
}

#[test]
fn neither_code_nor_plan_grow_with_the_turns() {
    let graph = differentiated();
    let count = |turns| {
        let plan = planned(&graph, turns, &Options::default());
        (plan.launches.len(), plan.kernels.len(), plan.loops.len())
    };
    assert_eq!(count(4), count(64));
    let memory = |turns| planned(&graph, turns, &Options::default()).workspace_bytes as f64;
    let growth = (memory(400) - memory(200)) / (memory(200) - memory(100));
    assert!((1.9..2.1).contains(&growth), "memory grows by {growth} where the turns double");
    let flops = |turns| planned(&graph, turns, &Options::default()).costs().map(|cost| cost.flops).sum::<u64>();
    assert_eq!(flops(65) - flops(64), flops(33) - flops(32));
}

#[test]
fn lengths_of_one_turn_and_of_many_mean_the_same_as_their_graphs() {
    for turns in [1, 2, 3, 7] {
        for fusion in [Fusion::none(), Fusion::default()] {
            let graph = bound(&differentiated(), &[("T", turns), ("B", 2)]).expect("the extents fit");
            let leaves = arrays(&graph);
            let options = Options { fusion, ..Options::default() };
            let plan = planned(&differentiated(), turns, &options);
            close(&format!("{turns} turns"), &interpret(&plan, &leaves, LANES).results, &evaluate(&graph, &leaves));
        }
    }
}

#[test]
fn what_nobody_needs_of_a_scan_goes() {
    let (mut graph, _, results) = recurrence();
    graph.result(Role::Output(0), results[1]);
    let graph = finish(&graph).expect("the graph is well typed");
    let (_, scan) = graph.nodes().find(|(_, node)| node.op.name() == "scan").expect("it is still there");
    assert_eq!(scan.results.len(), 1, "{}", print(&graph));
    // What is carried takes turns in two halves, whatever the number of turns.
    let bytes = |turns| planned(&graph, turns, &Options::default()).workspace_bytes;
    assert_eq!(bytes(6), bytes(600));
}

/// A scan of one carry whose body is `make`.
fn scanned(make: impl FnOnce(&mut Builder<'_>, ValueId) -> ValueId) -> Graph {
    let mut graph = Graph::new("Scanned");
    let ty = Type::new(DType::F32, Shape::from_known(&[2, 3]));
    let h = graph.leaf(Leaf::User { name: "h".into() }, ty.clone());
    let mut b = Builder::new(&mut graph, Origin::default());
    let body = b.region(&[ty], |b, leaves| vec![make(b, leaves[0])]);
    let turns = Turns { body, carries: 1, slices: 0, count: Extent::from(3), reverse: false };
    let result = ops::scan(&mut b, &turns, &[h])[0];
    graph.result(Role::Output(0), result);
    graph
}

#[test]
fn composite_ops_of_bodies_are_expanded_and_bodies_are_simplified() {
    let graph = scanned(|b, h| {
        let y = ops::softmax(b, h, 1);
        let zero = ops::constant_like(b, 0.0, y);
        let y = ops::add(b, y, zero);
        ops::neg(b, y)
    });
    let finished = finish(&graph).expect("the graph is well typed");
    let (_, scan) = finished.nodes().next().expect("there is the scan");
    let names: Vec<&str> = scan.attributes.region("body").graph().nodes().map(|(_, node)| node.op.name()).collect();
    let expected = ["max", "reshape", "broadcast", "sub", "exp", "sum", "reshape", "broadcast", "div", "neg"];
    assert_eq!(names, expected, "{}", print(&finished));
    let leaves = arrays(&graph);
    close("finished", &evaluate(&finished, &leaves), &evaluate(&graph, &leaves));
}

#[test]
fn scans_in_scans_are_refused() {
    let inner = scanned(ops::exp);
    let (_, scan) = inner.nodes().next().expect("there is the scan");
    let mut graph = Graph::new("Outer");
    let ty = Type::new(DType::F32, Shape::from_known(&[2, 3]));
    let h = graph.leaf(Leaf::User { name: "h".into() }, ty.clone());
    let turns = Turns::of(&scan.attributes);
    let region = Builder::new(&mut graph, Origin::default()).region(&[ty], |b, h| ops::scan(b, &turns, h));
    let attributes = scan.attributes.clone().with("body", graph::Attribute::Region(region));
    let error = graph.insert(scan.op, attributes, &[h], Origin::default()).expect_err("there is a scan inside");
    assert_eq!(error.to_string(), "scan: the body has a scan of its own");
}

#[test]
fn regions_of_scans_stand_in_for_their_turns() {
    let (mut graph, _, results) = recurrence();
    graph.result(Role::Output(0), results[0]);
    let graph = bound(&finish(&graph).expect("it is well typed"), &[("T", 3), ("B", 2)]).expect("the extents fit");
    let leaves = arrays(&graph);
    let (_, scan) = graph.nodes().find(|(_, node)| node.op.name() == "scan").expect("there is one");
    // The same turns written one after the other.
    let mut unrolled = Graph::new("Unrolled");
    let inputs: Vec<ValueId> = graph.leaves().map(|(_, leaf, ty)| unrolled.leaf(leaf.clone(), ty.clone())).collect();
    let (x, w, mut h) = (inputs[0], inputs[1], inputs[2]);
    let mut b = Builder::new(&mut unrolled, Origin::default());
    let mut outputs = Vec::new();
    for turn in 0..3 {
        let slice = ops::slice(&mut b, x, 0, Extent::from(turn), Extent::from(turn + 1));
        let slice = ops::reshape(&mut b, slice, &Shape::from_known(&[2, 3]));
        h = inline(&mut b, scan.attributes.region("body"), &[h, slice, w])[0];
        outputs.push(ops::unsqueeze(&mut b, h, &[0]));
    }
    let y = ops::cat(&mut b, &outputs, 0);
    unrolled.result(Role::Output(0), y);
    close("unrolled", &evaluate(&graph, &leaves), &evaluate(&unrolled, &leaves));
}

/// What the verifier says of a plan that someone has changed.
fn broken(change: impl FnOnce(&mut Plan)) -> VerifyError {
    let graph = bound(&differentiated(), &[("T", 5), ("B", 2)]).expect("the extents fit");
    let mut plan = planned(&differentiated(), 5, &Options::default());
    assert_eq!(plan::verify::verify(&plan, &graph), Ok(()));
    change(&mut plan);
    plan::verify::verify(&plan, &graph).expect_err("an invariant is broken")
}

fn parts(plan: &mut Plan) -> impl Iterator<Item = &mut Part> {
    plan.buffers.iter_mut().filter_map(|buffer| match &mut buffer.place {
        Place::Part(part) if part.step != 0 => Some(part),
        _ => None,
    })
}

#[test]
fn broken_loops_are_found() {
    let turns = broken(|plan| plan.loops[0].turns = 4);
    assert!(matches!(turns, VerifyError::Argument(..) | VerifyError::Loop(0, _)), "{turns}");
    let missing = broken(|plan| plan.loops.truncate(1));
    assert!(matches!(missing, VerifyError::Kernel(_) | VerifyError::Argument(..)), "{missing}");
    let longer = broken(|plan| plan.loops[0].launches.end += 1);
    assert!(matches!(longer, VerifyError::Argument(..) | VerifyError::Kernel(_) | VerifyError::Loop(..)), "{longer}");
    let other = broken(|plan| plan.loops[0].node = plan.loops[1].node);
    assert!(matches!(other, VerifyError::Argument(..) | VerifyError::Kernel(_)), "{other}");
}

#[test]
fn broken_parts_are_found() {
    let count = parts(&mut planned(&differentiated(), 5, &Options::default())).count();
    assert!(count > 6, "only {count} parts");
    for at in 0..count {
        let part = |plan: &mut Plan, change: &dyn Fn(&mut Part)| {
            parts(plan).nth(at).into_iter().for_each(change);
        };
        for (name, change) in [
            ("ahead", &(|part: &mut Part| part.first += part.step) as &dyn Fn(&mut Part)),
            ("slow", &|part: &mut Part| part.step /= 2),
            ("turned", &|part: &mut Part| part.step = -part.step),
        ] {
            let error = broken(|plan| part(plan, change));
            assert!(matches!(error, VerifyError::Argument(..) | VerifyError::Stale { .. }), "{name}: {error}");
        }
    }
}

#[test]
fn what_lies_on_what_turns_keep_is_found() {
    let graph = bound(&differentiated(), &[("T", 5), ("B", 2)]).expect("the extents fit");
    let plan = planned(&differentiated(), 5, &Options { fusion: Fusion::none(), ..Options::default() });
    let mut moved = 0;
    for turns in &plan.loops {
        let arguments = || turns.launches.clone().flat_map(|launch| plan.launches[launch].arguments.clone());
        let written = arguments().filter_map(|argument| match plan.buffers[argument.0].place {
            Place::Part(Part { of, initial: None, .. }) => Some(of),
            _ => None,
        });
        let places: Vec<Place> = written.map(|home| plan.buffers[home.0].place).collect();
        let of_a_turn = |id: &BufferId| matches!(plan.buffers[id.0].place, Place::Workspace(_));
        for buffer in arguments().filter(of_a_turn) {
            for &place in &places {
                let mut changed = plan.clone();
                changed.buffers[buffer.0].place = place;
                assert!(plan::verify::verify(&changed, &graph).is_err(), "{buffer:?} at {place:?}");
                moved += 1;
            }
        }
    }
    assert!(moved > 20, "only {moved} buffers were moved");
}
