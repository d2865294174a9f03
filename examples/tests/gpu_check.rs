//! The program `gpu_check` as it is started. Without a driver the tests on CUDA devices say that they skip.

use std::process::{Command, Output};
use tapeless::Device;

/// Starts the program with these options, and these variables of the environment; whether it succeeds, and what it prints.
fn gpu_check(options: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpu_check"));
    command.args(options).envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let [said, complained] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (status.success(), said + &complained)
}

/// Whether there is a CUDA device, or an emulator of one if it has to be that.
fn has_cuda(emulated: bool) -> bool {
    match Device::cuda(0) {
        Ok(device) if emulated && !device.to_string().contains("emulator") => {
            println!("skipped: {device} fails when it wants to");
            false
        }
        Ok(_) => true,
        Err(error) => {
            println!("skipped: {error}");
            false
        }
    }
}

/// A smoke test that succeeds: a row for one of everything, and a summary at the end.
fn assert_passed((success, said): (bool, String)) {
    assert!(success, "{said}");
    for row in [
        "| scalar_line | f32 | 5 |",
        "| abs |",
        "| elementwise: y = k x | 1 |",
        "| step: tiny, 10-20-1, Sgd | 32 | unfused |",
    ] {
        assert!(said.lines().any(|line| line.starts_with(row) && line.ends_with(" | ok |")), "{row}: {said}");
    }
    let summary = said.lines().last().expect("there are lines");
    assert!(summary.starts_with("result ok=") && summary.ends_with(" failed=0 unsupported=0"), "{summary}");
}

#[test]
fn the_processor_passes() {
    let (success, said) = gpu_check(&["--smoke", "--device", "cpu"], &[]);
    assert!(said.contains("| device | the processor |"), "{said}");
    assert_passed((success, said));
}

#[test]
fn cuda_devices_pass() {
    if !has_cuda(false) {
        return;
    }
    let (success, said) = gpu_check(&["--smoke"], &[]);
    assert!(said.contains("| device | CUDA device 0 (") && said.contains("| compute capability | "), "{said}");
    assert_passed((success, said));
}

#[test]
fn cuda_devices_that_fail_end_in_a_summary_and_an_exit_code() {
    if !has_cuda(true) {
        return;
    }
    let (success, said) = gpu_check(&["--only", "line"], &[("PTX_EMU_FAIL", "launch:9")]);
    assert!(!success && said.contains("**failed**: "), "{said}");
    // The device is lost, so that the second one fails too.
    assert!(said.trim_end().ends_with("result ok=0 failed=2 unsupported=0"), "{said}");
}

#[test]
fn names_choose_what_is_checked() {
    let (success, said) = gpu_check(&["--device", "cpu", "--only", "scalar_line"], &[]);
    assert!(success && said.trim_end().ends_with("result ok=1 failed=0 unsupported=0"), "{said}");
    let (success, said) = gpu_check(&["--device", "cpu", "--only", "frobnicate"], &[]);
    assert!(!success && said.contains("there is nothing to check with `frobnicate` in its name"), "{said}");
}

#[test]
fn machines_without_a_driver_say_so() {
    let without = [("LD_LIBRARY_PATH", "")];
    let (success, said) = gpu_check(&["--only", "scalar_line"], &without);
    if said.contains("| device | CUDA device 0 (") {
        return println!("skipped: the machine has a driver of its own");
    }
    assert!(success && said.contains("| no GPU | there is no CUDA driver: "), "{said}");
    let (success, said) = gpu_check(&["--device", "cuda"], &without);
    assert!(!success && said.contains("there is no CUDA driver"), "{said}");
}
