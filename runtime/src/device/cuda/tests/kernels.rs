use super::super::code::Module;
use super::*;
use std::time::Duration;

#[test]
fn cuda_steps_run_as_one_graph_per_store() {
    let Some(cuda) = device() else { return };
    let mut step = step(&cuda, 0);
    let (mut one, mut other) = (parameter(&cuda, &numbers(100.0)), parameter(&cuda, &numbers(0.0)));
    for times in 1..=3u8 {
        let input: Vec<f32> = vec![f32::from(times); ELEMENTS];
        run(&mut step, &mut one, &input).expect("the kernels run");
        let squares = vec![f32::from(times * times); ELEMENTS];
        assert_eq!(step.results().slice::<f32>(step.offset(0), ELEMENTS), squares);
        let gradients = step.gradients().expect("gradients are kept").slice::<f32>(step.offset(1), ELEMENTS);
        assert_eq!(gradients, vec![-f32::from(times); ELEMENTS]);
    }
    assert_eq!((read(&one), step.graphs()), (numbers(94.0), 1));
    run(&mut step, &mut other, &[0.5; ELEMENTS]).expect("the kernels run");
    run(&mut step, &mut one, &[4.0; ELEMENTS]).expect("the kernels run");
    assert_eq!((read(&one), read(&other), step.graphs()), (numbers(90.0), numbers(-0.5), 2));
}

#[test]
fn cuda_steps_keep_only_so_many_graphs() {
    let Some(cuda) = device() else { return };
    let mut step = step(&cuda, 0);
    let mut parameters: Vec<Mirror> = (0..10u8).map(|at| parameter(&cuda, &numbers(f32::from(at)))).collect();
    for parameter in &mut parameters {
        run(&mut step, parameter, &[1.0; ELEMENTS]).expect("the kernels run");
    }
    run(&mut step, &mut parameters[0], &[1.0; ELEMENTS]).expect("the kernels run");
    assert_eq!((read(&parameters[0]), read(&parameters[9])), (numbers(-2.0), numbers(8.0)));
    assert_eq!(step.graphs(), 8);
}

#[test]
fn cuda_steps_run_without_a_graph_where_there_is_none() {
    let Some(cuda) = device() else { return };
    let mut step = step(&cuda, 0);
    step.without_graphs();
    let mut one = parameter(&cuda, &numbers(10.0));
    run(&mut step, &mut one, &numbers(2.0)).expect("the kernels run");
    run(&mut step, &mut one, &numbers(2.0)).expect("the kernels run");
    let expected: Vec<f32> = numbers(10.0).iter().zip(numbers(2.0)).map(|(w, x)| w - 2.0 * x).collect();
    assert_eq!((read(&one), step.graphs()), (expected, 0));
}

#[test]
fn cuda_launches_are_timed_one_by_one() {
    let Some(cuda) = device() else { return };
    let mut step = step(&cuda, 0);
    let mut one = parameter(&cuda, &numbers(10.0));
    let (leaf, user) = leaves(&cuda);
    one.is_written();
    step.set_leaf(leaf, one.address(0));
    step.set_input(user, Elements::F32(&numbers(1.0)));
    let mut times: Vec<(usize, Duration)> = Vec::new();
    // SAFETY: the parameter is on the device, borrowed by nothing else, and as long as the step takes it.
    unsafe { step.run(Some(&mut |launch, time| times.push((launch, time)))) }.expect("the kernels run");
    assert_eq!(times.iter().map(|(launch, _)| *launch).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(times.iter().all(|(_, time)| *time < Duration::from_secs(10)));
    assert_eq!(read(&one), vec![9.0; ELEMENTS]);
    let roof = step.roof(1).expect("the device tells its clocks");
    assert!(roof.flops > 1e9 && roof.bandwidth > 1e9, "{roof:?}");
}

#[test]
fn cuda_code_says_how_it_is_launched() {
    let Some(cuda) = device() else { return };
    let step = step(&cuda, 0);
    for emitted in step.emitted() {
        let shape = (emitted.lanes, emitted.spills, emitted.pieces.as_slice());
        assert_eq!(shape, (ELEMENTS / 5, 0, &[5][..]));
    }
    assert!(step.is_spread() && step.machine().starts_with("CUDA device 0 ("), "{}", step.machine());
}

#[test]
fn cuda_modules_that_are_refused_come_with_the_log() {
    let Some(cuda) = device() else { return };
    let plan = plan(&cuda);
    let mut code = code(&plan.kernels[0], &plan.launches[0].label, 0);
    code.text = code.text.replace("mad.lo.u32", "frobnicate.u32");
    let error = Module::load(&cuda, "Train", "k0", &code).expect_err("there is no such instruction");
    let Error::Module { step, kernel, reason, .. } = &error else { panic!("{error}") };
    assert_eq!((step.as_str(), kernel.as_str()), ("Train", "k0"));
    assert!(reason.starts_with("CUDA_ERROR_INVALID_PTX (a PTX JIT compilation failed)\n"), "{reason}");
    assert!(reason.contains("line 10"), "{reason}");
    assert!(error.to_string().contains("refuses kernel k0"), "{error}");
}

#[test]
fn cuda_functions_that_a_module_lacks_are_named_by_the_driver() {
    let Some(cuda) = device() else { return };
    let plan = plan(&cuda);
    let mut code = code(&plan.kernels[0], &plan.launches[0].label, 0);
    code.entries[0].name = "elsewhere".to_string();
    let error = Module::load(&cuda, "Train", "k0", &code).expect_err("there is no such function");
    assert!(matches!(&error, Error::Module { reason, .. } if reason.starts_with("CUDA_ERROR_NOT_FOUND")), "{error}");
}
