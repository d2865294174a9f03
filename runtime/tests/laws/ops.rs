//! Every op on the device: what compiled steps compute is what the reference says, forward and backward, unfused and fused.

use crate::device::device;
use tapeless::{Device, Options};
use tapeless_checks::hold::unfused;
use tapeless_checks::laws::{Outcome, Pass, laws};
use tapeless_compiler::ops::OPS;

/// Holds every sample of every op, of which there have to be more than so many for each op.
fn hold(pass: Pass, device: &Device, options: &Options, samples: usize) {
    let outcomes = laws().map(|law| law.run(pass, device, options));
    let Outcome { held, failures, .. } = outcomes.fold(Outcome::default(), Outcome::and);
    let failures: Vec<String> = failures.iter().map(|(sample, failure)| format!("{sample}: {failure}")).collect();
    assert!(failures.is_empty() && held > samples * OPS.len(), "{held} held, these not:\n{}", failures.join("\n"));
}

#[test]
fn forward_unfused() {
    hold(Pass::Forward, &Device::cpu(), &unfused(), 4);
}

#[test]
fn forward_fused() {
    hold(Pass::Forward, &Device::cpu(), &Options::default(), 4);
}

#[test]
fn backward_unfused() {
    hold(Pass::Backward, &Device::cpu(), &unfused(), 2);
}

#[test]
fn backward_fused() {
    hold(Pass::Backward, &Device::cpu(), &Options::default(), 2);
}

#[test]
fn forward_on_cuda() {
    let Some(device) = device() else { return };
    hold(Pass::Forward, &device, &Options::default(), 4);
}

#[test]
fn backward_on_cuda() {
    let Some(device) = device() else { return };
    hold(Pass::Backward, &device, &Options::default(), 2);
}
