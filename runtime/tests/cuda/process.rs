//! Tests that need a process of their own, because they change what the driver is, or end what it can do.

use std::env;
use std::process::Command;

/// What says that this process is one of those.
const OWN: &str = "TAPELESS_CUDA_PROCESS";

/// Whether this process is one of those.
pub fn is_one() -> bool {
    env::var_os(OWN).is_some()
}

/// Whether this process is the one that a test runs in. If it is not, the test runs in a process with these variables of the
/// environment, an empty one for none, and passes if it passes there; what it prints is printed.
pub fn is_own(test: &str, variables: &[(&str, &str)]) -> bool {
    if is_one() {
        return true;
    }
    let mut command = Command::new(env::current_exe().expect("the path of the tests"));
    command.args([test, "--exact", "--nocapture"]).env(OWN, "1");
    for (variable, value) in variables {
        match value.is_empty() {
            true => command.env_remove(variable),
            false => command.env(variable, value),
        };
    }
    let output = command.output().expect("the tests run again");
    let [said, complained] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success() && said.contains("1 passed"), "{variables:?}: {said}{complained}");
    println!("{said}");
    false
}

/// The same where the driver is the emulator, whose variables they are; nothing runs where it is not.
pub fn is_own_emulated(test: &str, variables: &[(&str, &str)]) -> bool {
    is_one() || is_emulated() && is_own(test, variables)
}

/// Whether the driver is the emulator, which fails when it is told to.
pub fn is_emulated() -> bool {
    let Some(device) = crate::device::device() else { return false };
    let emulated = device.to_string().contains("PTX emulator");
    if !emulated {
        println!("skipped: {device} fails when it wants to");
    }
    emulated
}
