//! Faults, each in a process of its own: after some of them no call of the driver succeeds any more.

use super::*;
use std::env;
use std::process::Command;

/// What says that this process is there for a fault.
const FAULT: &str = "TAPELESS_CUDA_FAULT";

/// Whether this process is the one that a test is to run in. If it is not, the test runs in one with these faults injected,
/// which only the emulator of the driver does, and passes if it passes there.
fn is_own_process(test: &str, faults: Option<&str>) -> bool {
    if env::var_os(FAULT).is_some() {
        return true;
    }
    let Some(cuda) = device() else { return false };
    if faults.is_some() && !cuda.to_string().contains("PTX emulator") {
        println!("skipped: a real device fails when it wants to");
        return false;
    }
    let test = format!("{}::{test}", module_path!().split_once("::").expect("a module of the crate").1);
    let mut command = Command::new(env::current_exe().expect("the path of the tests"));
    command.args([test.as_str(), "--exact", "--nocapture"]).env(FAULT, "1");
    command.env("PTX_EMU_FAIL", faults.unwrap_or(""));
    let output = command.output().expect("the tests run again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    false
}

fn here() -> Arc<Cuda> {
    device().expect("the test runs only where there is one")
}

#[test]
fn cuda_kernels_that_fail_lose_the_device_and_keep_the_parameters() {
    if !is_own_process("cuda_kernels_that_fail_lose_the_device_and_keep_the_parameters", None) {
        return;
    }
    let cuda = here();
    let (mut good, mut bad) = (step(&cuda, 0), step(&cuda, 1 << 30));
    let mut one = parameter(&cuda, &numbers(10.0));
    run(&mut good, &mut one, &[1.0; ELEMENTS]).expect("the kernels run");
    assert_eq!(read(&one), numbers(9.0));
    run(&mut good, &mut one, &[1.0; ELEMENTS]).expect("the kernels run");
    let error = run(&mut bad, &mut one, &[1.0; ELEMENTS]).expect_err("it writes outside of its array");
    assert!(
        matches!(&error, Error::Launch { kernel: None, error, .. } if error.contains("ILLEGAL_ADDRESS")),
        "{error}"
    );
    // What was read last, for what came after it is lost with the device.
    assert_eq!(read(&one), numbers(9.0));
    let error = run(&mut good, &mut one, &[1.0; ELEMENTS]).expect_err("the device is lost");
    assert!(matches!(&error, Error::DeviceLost { .. }), "{error}");
    let error = one.change(0..4, |_| {}).expect_err("the device is lost");
    assert!(error.to_string().contains("is lost since a launch failed: CUDA_ERROR_ILLEGAL_ADDRESS"), "{error}");
    assert_eq!(read(&one), numbers(9.0));
}

#[test]
fn cuda_launches_that_fail_say_so() {
    if !is_own_process("cuda_launches_that_fail_say_so", Some("launch:2")) {
        return;
    }
    let cuda = here();
    let (mut step, mut one) = (step(&cuda, 0), parameter(&cuda, &numbers(10.0)));
    let error = run(&mut step, &mut one, &[1.0; ELEMENTS]).expect_err("the second launch fails");
    let text = error.to_string();
    assert!(text.starts_with("Train: a kernel (`Options::profile` runs them one by one"), "{text}");
    assert!(text.contains("CUDA_ERROR_LAUNCH_FAILED (unspecified launch failure)"), "{text}");
    assert_eq!(read(&one), numbers(10.0));
}

#[test]
fn cuda_launches_that_are_timed_say_which_failed() {
    if !is_own_process("cuda_launches_that_are_timed_say_which_failed", Some("launch:2")) {
        return;
    }
    let cuda = here();
    let (mut step, one, plan) = (step(&cuda, 0), parameter(&cuda, &numbers(10.0)), plan(&cuda));
    let (leaf, user) = leaves(&cuda);
    step.set_leaf(leaf, one.address(0));
    step.set_input(user, Elements::F32(&numbers(1.0)));
    // SAFETY: the parameter is on the device, borrowed by nothing else, and as long as the step takes it.
    let error = unsafe { step.run(Some(&mut |_, _| {})) }.expect_err("the second launch fails");
    let expected = &plan.kernels[plan.launches[1].kernel].name;
    assert!(matches!(&error, Error::Launch { kernel: Some(name), .. } if name == expected), "{error}");
}

#[test]
fn cuda_copies_that_fail_leave_the_device_as_it_is() {
    // One copy makes the parameter; the next one takes the inputs to the device, the one after that would bring results.
    if !is_own_process("cuda_copies_that_fail_leave_the_device_as_it_is", Some("copy:2")) {
        return;
    }
    let cuda = here();
    let (mut step, mut one) = (step(&cuda, 0), parameter(&cuda, &numbers(10.0)));
    let error = run(&mut step, &mut one, &[1.0; ELEMENTS]).expect_err("the copy of the inputs fails");
    assert!(matches!(&error, Error::Driver { error, .. } if error.contains("CUDA_ERROR_UNKNOWN")), "{error}");
    assert_eq!(read(&one), numbers(10.0));
    run(&mut step, &mut one, &[1.0; ELEMENTS]).expect("the kernels run");
    assert_eq!(read(&one), numbers(9.0));
}

#[test]
fn cuda_changes_that_fail_leave_the_host_as_it_is() {
    if !is_own_process("cuda_changes_that_fail_leave_the_host_as_it_is", Some("copy:2")) {
        return;
    }
    let mut one = parameter(&here(), &numbers(10.0));
    let error = one.change(0..8, |memory| memory.slice_mut(0, 2).fill(0f32)).expect_err("the copy fails");
    assert!(matches!(&error, Error::Driver { call: "cuMemcpyHtoDAsync", .. }), "{error}");
    assert_eq!(read(&one), numbers(10.0));
}

#[test]
fn cuda_memory_that_is_not_there_is_an_error_with_its_size() {
    if !is_own_process("cuda_memory_that_is_not_there_is_an_error_with_its_size", Some("alloc:1")) {
        return;
    }
    let cuda = here();
    let memory = Memory::zeroed(1000).expect("a few bytes");
    let error = Mirror::new(&cuda, memory).expect_err("the first allocation fails");
    assert!(matches!(&error, Error::OutOfDeviceMemory { bytes: 1024, free: Some(_), .. }), "{error}");
    assert!(error.to_string().contains("is out of memory: 1024 bytes are not there, "), "{error}");
    parameter(&cuda, &numbers(0.0));
}

#[test]
fn cuda_modules_that_do_not_load_are_named() {
    if !is_own_process("cuda_modules_that_do_not_load_are_named", Some("load:2")) {
        return;
    }
    let cuda = here();
    let plan = plan(&cuda);
    let error =
        CudaExecutable::new(&cuda, "Train", &plan, &codes(&plan, 0)).err().expect("the second module is refused");
    let Error::Module { kernel, reason, .. } = &error else { panic!("{error}") };
    let expected = "CUDA_ERROR_OUT_OF_MEMORY (out of memory)\ninjected failure";
    assert_eq!((kernel, reason.as_str()), (&plan.kernels[1].name, expected));
}
