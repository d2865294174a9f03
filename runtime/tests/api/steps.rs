//! Steps as generated code uses them: values, state pairs, slots, several stores, extents.

use crate::programs::{Writer, batched, descend, f32s, line, model, run_line, text, train_line};
use tapeless::generated::{Elements, StoreArgument};
use tapeless::{DType, Device, Error, Fusion, Options, Seed, Step, Store};
use tapeless_compiler::description::Initial;
use tapeless_compiler::ops;
use tapeless_compiler::shape::{Shape, Type};

const ZERO: Initial = Initial::Constant(0.0);

fn keep_gradients() -> Options {
    Options { keep_gradients: true, ..Options::default() }
}

/// A store of tensors that begin as zeros.
fn zeros(name: &str, tensors: &[(&str, Type, bool)]) -> Store {
    let tensors: Vec<_> = tensors.iter().map(|(key, ty, state)| (*key, ty.clone(), *state, ZERO)).collect();
    Store::new(model(name, &tensors), &Device::cpu(), Seed(0)).expect("the description is one")
}

fn compile(writer: &Writer, dims: &[(&str, Option<usize>)]) -> Result<Step, Error> {
    Step::compile(text(&writer.graph), &Device::cpu(), dims, &Options::default())
}

/// |a - b| relative to b.
fn difference(a: f32, b: f64) -> f64 {
    (f64::from(a) - b).abs() / b.abs().max(1e-30)
}

#[test]
fn a_line_learns_as_pytorch_says() {
    let device = Device::cpu();
    let mut store = line(&device).expect("a store");
    store.set("w", &[0.0735371]).expect("a scalar");
    store.set("b", &[0.017591512]).expect("a scalar");
    let mut step = train_line(&device, &keep_gradients()).expect("the step compiles");
    let losses = [7.354895, 1.838724, 0.459681, 0.114920, 0.028730];
    for (run, expected) in losses.into_iter().enumerate() {
        let w = f64::from(store.get("w").expect("a parameter")[0]);
        run_line(&mut step, &mut store, 2.0, 4.0, 0.1).expect("the inputs fit");
        let (loss, pred) = (step.scalar::<f32>(0), step.scalar::<f32>(1));
        // The recorded losses have six decimals.
        assert!(difference(loss, expected) < 2e-5, "run {run}: {loss} is not {expected}");
        assert!(difference(loss, 0.5 * f64::from(pred - 4.0).powi(2)) < 1e-6);
        let gradient = f64::from(step.gradient("w").expect("kept")[0]);
        assert!(difference(store.get("w").expect("a parameter")[0], w - 0.1 * gradient) < 1e-6);
    }
}

/// How many launches a report begins with: `Step: 3 launches of …`.
fn launches(report: &str) -> usize {
    let number = report.split_whitespace().nth(1).expect("the name comes first");
    number.parse().expect("then the number of launches")
}

#[test]
fn fused_and_unfused_agree() {
    let device = Device::cpu();
    let unfused = Options { fusion: Fusion::none(), ..keep_gradients() };
    let run = |options: &Options| {
        let mut store = line(&device).expect("a store");
        let mut step = train_line(&device, options).expect("the step compiles");
        (0..10).for_each(|_| run_line(&mut step, &mut store, 1.5, -2.0, 0.05).expect("the inputs fit"));
        let value = |key: &str| store.get(key).expect("a parameter")[0];
        (launches(&step.explain()), [step.scalar(0), step.scalar(1), value("w"), value("b")])
    };
    let ((fused_launches, fused), (launches, unfused)) = (run(&keep_gradients()), run(&unfused));
    assert!(fused_launches < launches, "{fused_launches} launches fused, {launches} unfused");
    for (fused, unfused) in fused.into_iter().zip(unfused) {
        // Ten updates of some five operations each, and one rounding less for each multiplication that is fused.
        assert!(difference(fused, f64::from(unfused)) < 1e-5, "{fused} is not {unfused}");
    }
}

#[test]
fn swapped_states_swap() {
    let mut store = zeros("Pair", &[("a", f32s(&[5]), true), ("b", f32s(&[5]), true)]);
    store.set("a", &[1.0, 2.0, 3.0, 4.0, 5.0]).expect("five values");
    let mut step = Writer::new("Swap", &[("pair", "Pair")]);
    let (a, b) = (step.state(0, "a", f32s(&[5])), step.state(0, "b", f32s(&[5])));
    step.next(a, b);
    step.next(b, a);
    let mut step = compile(&step, &[]).expect("the step compiles");
    for expected in [[0.0; 5], [1.0, 2.0, 3.0, 4.0, 5.0]] {
        step.run(&mut [StoreArgument::Exclusive(&mut store)], &[]).expect("no inputs");
        assert_eq!(*store.get("a").expect("a state"), expected);
    }
}

#[test]
fn results_see_the_values_before_the_update() {
    let mut store = zeros("Counter", &[("seen", Type::scalar(DType::U32), true)]);
    let mut step = Writer::new("Count", &[("counter", "Counter")]);
    let seen = step.state(0, "seen", Type::scalar(DType::U32));
    let mut b = step.at(1);
    let one = ops::constant(&mut b, 1.0, DType::U32);
    let next = ops::add(&mut b, seen, one);
    step.output(0, seen);
    step.output(1, next);
    step.next(seen, next);
    let mut step = compile(&step, &[]).expect("the step compiles");
    for run in 0..3 {
        step.run(&mut [StoreArgument::Exclusive(&mut store)], &[]).expect("no inputs");
        assert_eq!((step.scalar::<u32>(0), step.scalar::<u32>(1)), (run, run + 1));
    }
    assert_eq!(format!("{:?}", store.get("seen").expect("a state")), "[3]");
}

/// A step with momentum over `d`, while `g` stays constant: `d -= rate * (momentum = 0.5 * momentum + d - g)`.
fn follow(shape: &[usize]) -> Writer {
    let mut step = Writer::new("Follow", &[("g", "Leader"), ("d", "Follower")]);
    let ty = f32s(shape);
    let rate = step.input("rate", Type::scalar(DType::F32));
    let (g, d) = (step.parameter(0, "w", ty.clone()), step.parameter(1, "w", ty.clone()));
    let momentum = step.slot(1, "0.momentum.w", ty.clone(), 1.0);
    let mut b = step.at(3);
    let gradient = ops::sub(&mut b, d, g);
    let half = ops::constant(&mut b, 0.5, DType::F32);
    let half = ops::broadcast(&mut b, half, &ty.shape);
    let kept = ops::mul(&mut b, half, momentum);
    let new_momentum = ops::add(&mut b, kept, gradient);
    let new_d = descend(&mut b, d, rate, new_momentum);
    step.gradient(1, "w", gradient);
    step.next(momentum, new_momentum);
    step.next(d, new_d);
    step
}

#[test]
fn two_stores_one_of_them_read_only() {
    let ty = f32s(&[19]);
    let (mut leader, mut follower) =
        (zeros("Leader", &[("w", ty.clone(), false)]), zeros("Follower", &[("w", ty, false)]));
    leader.set("w", &[1.0; 19]).expect("19 values");
    let graph = text(&follow(&[19]).graph);
    let mut step = Step::compile(graph, &Device::cpu(), &[], &keep_gradients()).expect("the step compiles");
    let (mut d, mut momentum) = (0.0f32, 1.0f32);
    for run in 0..4 {
        // A second compile of the step goes on with the same slots.
        if run == 2 {
            step = Step::compile(graph, &Device::cpu(), &[], &keep_gradients()).expect("the step compiles");
        }
        let stores = &mut [StoreArgument::Shared(&leader), StoreArgument::Exclusive(&mut follower)];
        step.run(stores, &[Elements::from(&0.25f32)]).expect("the inputs fit");
        assert_eq!(*step.gradient("d.w").expect("kept"), [d - 1.0; 19]);
        momentum = 0.5 * momentum + d - 1.0;
        d -= 0.25 * momentum;
        assert_eq!(*follower.get("w").expect("a parameter"), [d; 19]);
    }
    assert_eq!(*leader.get("w").expect("a parameter"), [1.0; 19]);
    let error = step.gradient("w").expect_err("the binding is missing");
    assert!(matches!(error, Error::UnknownGradient { .. }), "{error}");
}

#[test]
fn a_store_that_changes_is_not_taken_read_only() {
    let ty = f32s(&[2]);
    let (leader, follower) = (zeros("Leader", &[("w", ty.clone(), false)]), zeros("Follower", &[("w", ty, false)]));
    let mut step = compile(&follow(&[2]), &[]).expect("the step compiles");
    let stores = &mut [StoreArgument::Shared(&leader), StoreArgument::Shared(&follower)];
    let error = step.run(stores, &[Elements::from(&0.25f32)]).expect_err("the follower changes");
    assert_eq!(error.to_string(), "Follow: it changes `d`, which it gets to read only");
}

#[test]
fn stores_that_do_not_fit_are_refused() {
    let mut leader = zeros("Leader", &[("w", f32s(&[2]), false)]);
    let mut follower = zeros("Follower", &[("w", f32s(&[2]), false)]);
    let mut step = compile(&follow(&[2]), &[]).expect("the step compiles");
    let exchanged = &mut [StoreArgument::Shared(&follower), StoreArgument::Exclusive(&mut leader)];
    let error = step.run(exchanged, &[Elements::from(&0.25f32)]).expect_err("exchanged");
    assert_eq!(error.to_string(), "Follow: `g` is a Leader, not a Follower");

    let mut other = zeros("Follower", &[("w", f32s(&[3]), false)]);
    let stores = &mut [StoreArgument::Shared(&leader), StoreArgument::Exclusive(&mut other)];
    let error = step.run(stores, &[Elements::from(&0.25f32)]).expect_err("another shape");
    assert_eq!(error.to_string(), "Follow: `w` is f32<2>, in this store f32<3>");

    let stores = &mut [StoreArgument::Shared(&leader), StoreArgument::Exclusive(&mut follower)];
    step.run(stores, &[Elements::from(&0.25f32)]).expect("both fit");
    let mut wider = Writer::new("Follow", &[("d", "Follower")]);
    let slot = wider.slot(0, "0.momentum.w", f32s(&[4]), 0.0);
    let mut b = wider.at(1);
    let next = ops::add(&mut b, slot, slot);
    wider.next(slot, next);
    let mut wider = compile(&wider, &[]).expect("the step compiles");
    let error = wider.run(&mut [StoreArgument::Exclusive(&mut follower)], &[]).expect_err("another slot");
    assert!(matches!(error, Error::SlotMismatch { .. }), "{error}");
}

/// Rows of a table, how often each was asked for before, and whether the index was the first class.
fn lookup() -> Writer {
    let mut step = Writer::new("Lookup", &[("table", "Table")]);
    let batch = step.dim("B");
    let index = step.input("index", batched(DType::U32, &batch, &[]));
    let keep = step.input("keep", batched(DType::Bool, &batch, &[]));
    let table = step.parameter(0, "rows", f32s(&[3, 4]));
    let mut b = step.at(5);
    let classes = ops::one_hot(&mut b, index, 3.into(), DType::F32);
    let rows = ops::contract(&mut b, classes, table, "bc,cd->bd");
    let sums = ops::sum(&mut b, rows, &[1]);
    let zero = ops::constant(&mut b, 0.0, DType::U32);
    let shape = b.shape(index);
    let zero = ops::broadcast(&mut b, zero, &shape);
    let first = ops::eq(&mut b, index, zero);
    let kept = ops::and(&mut b, first, keep);
    step.output(0, sums);
    step.output(1, kept);
    step
}

#[test]
fn open_extents_indices_and_bools() {
    let mut store = zeros("Table", &[("rows", f32s(&[3, 4]), false)]);
    store.set("rows", &(0..12).map(|i| i as f32).collect::<Vec<_>>()).expect("12 values");
    for batch in [0, 1, 5, 16, 37] {
        let mut step = compile(&lookup(), &[("B", Some(batch))]).expect("the step compiles");
        let index: Vec<u32> = (0..batch as u32).map(|i| i % 3).collect();
        let keep: Vec<bool> = (0..batch).map(|i| i % 2 == 0).collect();
        step.run(&mut [StoreArgument::Shared(&store)], &[Elements::from(&index), Elements::from(&keep)])
            .expect("inputs fit");
        let sums: Vec<f32> = index.iter().map(|&i| 16.0 * i as f32 + 6.0).collect();
        let kept: Vec<bool> = index.iter().zip(&keep).map(|(&i, &keep)| i == 0 && keep).collect();
        assert_eq!((step.view::<f32>(0).to_vec(), step.view::<bool>(1).to_vec()), (sums, kept), "batch {batch}");
        assert_eq!(step.view::<f32>(0).shape(), [batch]);
    }
}

#[test]
fn mistakes_with_inputs_are_told_before_anything_runs() {
    let store = zeros("Table", &[("rows", f32s(&[3, 4]), false)]);
    let mut step = compile(&lookup(), &[("B", Some(4))]).expect("the step compiles");
    let mut refusal = |index: &[u32], keep: &[bool]| {
        let inputs = &[Elements::from(index), Elements::from(keep)];
        step.run(&mut [StoreArgument::Shared(&store)], inputs).expect_err("a mistake").to_string()
    };
    assert_eq!(refusal(&[0; 5], &[true; 4]), "Lookup: input `index` is u32<4>, which takes 4 values, not 5");
    assert_eq!(refusal(&[0; 4], &[true; 3]), "Lookup: input `keep` is bool<4>, which takes 4 values, not 3");
    assert_eq!(refusal(&[0, 2, 3, 9], &[true; 4]), "Lookup: input `index` has 3 at position 2, which is not below 3");
}

#[test]
fn a_run_that_is_refused_changes_no_parameter() {
    let device = Device::cpu();
    let mut store = line(&device).expect("a store");
    let mut step = train_line(&device, &Options::default()).expect("the step compiles");
    let inputs = [Elements::F32(&[2.0]), Elements::F32(&[4.0, 4.0]), Elements::F32(&[0.1])];
    assert!(step.run(&mut [StoreArgument::Exclusive(&mut store)], &inputs).is_err());
    assert!(step.run(&mut [StoreArgument::Exclusive(&mut store)], &inputs[..2]).is_err());
    assert!(step.run(&mut [], &[inputs[0], inputs[0], inputs[2]]).is_err());
    assert_eq!((store.get("w").expect("a parameter")[0], store.get("b").expect("a parameter")[0]), (1.0, 0.0));
}

#[test]
fn gradients_are_there_when_kept_and_run() {
    let device = Device::cpu();
    let mut store = line(&device).expect("a store");
    let mut step = train_line(&device, &Options::default()).expect("the step compiles");
    run_line(&mut step, &mut store, 2.0, 4.0, 0.1).expect("the inputs fit");
    assert_eq!(
        step.gradient("w").expect_err("not kept").to_string(),
        "TrainLine was compiled without `keep_gradients`"
    );

    let mut step = train_line(&device, &keep_gradients()).expect("the step compiles");
    assert!(matches!(step.gradient("w"), Err(Error::NotRun { .. })));
    run_line(&mut step, &mut store, 2.0, 4.0, 0.1).expect("the inputs fit");
    assert!(step.gradient("w").is_ok());
    let error = step.gradient("v").expect_err("no such parameter");
    assert!(matches!(error, Error::UnknownGradient { .. }), "{error}");
}

#[test]
fn extents_must_be_set_and_must_fit() {
    let unset = compile(&lookup(), &[("B", None)]).expect_err("B is not set");
    assert_eq!(unset.to_string(), "Lookup::compile: the extent B is not set: `Lookup::dims().b(…)`");

    let mut step = Writer::new("Pairs", &[]);
    let (a, b) = (step.dim("A"), step.dim("B"));
    let (x, y) = (step.input("x", batched(DType::F32, &a, &[])), step.input("y", batched(DType::F32, &b, &[])));
    let sum = ops::add(&mut step.at(2), x, y);
    step.output(0, sum);
    assert!(compile(&step, &[("A", Some(3)), ("B", Some(3))]).is_ok());
    let error = compile(&step, &[("A", Some(3)), ("B", Some(4))]).expect_err("3 is not 4").to_string();
    assert!(error.starts_with("Pairs::compile: ") && error.contains('3') && error.contains('4'), "{error}");
}

#[test]
fn what_is_no_graph_is_an_error() {
    let error = Step::compile("no graph", &Device::cpu(), &[], &Options::default()).expect_err("no graph");
    assert!(matches!(error, Error::GraphText(_)), "{error}");
}

#[test]
fn steps_explain_themselves() {
    let step = train_line(&Device::cpu(), &Options::default()).expect("the step compiles");
    let text = step.explain();
    assert!(text.starts_with("TrainLine: ") && text.contains("without sharing"), "{text}");
    assert!(text.contains("mul") && text.contains("in place") && text.contains("src/main.rs:12:9"), "{text}");
}

#[test]
fn steps_travel_between_threads() {
    let device = Device::cpu();
    let mut store = line(&device).expect("a store");
    let mut step = train_line(&device, &Options::default()).expect("the step compiles");
    let thread = std::thread::spawn(move || {
        run_line(&mut step, &mut store, 2.0, 4.0, 0.1).expect("the inputs fit");
        step.scalar::<f32>(1)
    });
    assert_eq!(thread.join().expect("the thread ends"), 2.0);
}

#[test]
fn a_scalar_input_of_each_type_is_taken_by_reference() {
    let mut step = Writer::new("Cast", &[]);
    let n = step.input("n", Type::scalar(DType::I32));
    let flag = step.input("flag", Type::scalar(DType::Bool));
    let x = step.input("x", Type::new(DType::F32, Shape::scalar()));
    let mut b = step.at(1);
    let n = ops::cast(&mut b, n, DType::F32);
    let chosen = ops::select(&mut b, flag, n, x);
    step.output(0, chosen);
    let mut step = compile(&step, &[]).expect("the step compiles");
    for (flag, expected) in [(true, -3.0), (false, 0.5)] {
        step.run(&mut [], &[Elements::from(&-3i32), Elements::from(&flag), Elements::from(&0.5f32)])
            .expect("the inputs fit");
        assert_eq!(step.scalar::<f32>(0), expected);
    }
}
