//! Kernels become code: whole, the same each time, and without anything outside of itself.

mod nests;

use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use nests::{cases, contract, unary};
use tapeless_compiler::backend::cranelift::{EmitError, emit, lower};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::kernel::{self, Kernel};
use tapeless_compiler::scalar::ScalarOp;
use tapeless_compiler::schedule;
use tapeless_compiler::target::Target;

fn flags() -> settings::Flags {
    let mut flags = settings::builder();
    flags.set("opt_level", "none").expect("the setting exists");
    flags.set("enable_probestack", "false").expect("the setting exists");
    settings::Flags::new(flags)
}

/// The machine that the test runs on.
fn host() -> OwnedTargetIsa {
    let builder = cranelift_native::builder().expect("the host has a back end");
    builder.finish(flags()).expect("the settings fit together")
}

/// The same architecture without any extension.
fn baseline() -> OwnedTargetIsa {
    isa::lookup(host().triple().clone())
        .expect("the host has a back end")
        .finish(flags())
        .expect("the settings fit together")
}

#[test]
fn code_is_the_same_each_time() {
    for case in cases().into_iter().chain([contract("ik,jk->ij", [64, 512, 784])]) {
        let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default());
        let code = emit(&kernel, &*host()).unwrap_or_else(|error| panic!("{}: {error}\n{kernel}", case.name));
        assert!(!code.bytes.is_empty() && code.alignment.is_power_of_two(), "{}", case.name);
        assert_eq!(emit(&kernel, &*host()), Ok(code), "{}", case.name);
    }
}

#[test]
fn machines_without_extensions_get_code_or_a_reason() {
    let isa = baseline();
    for case in cases() {
        let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default());
        assert_eq!(kernel::verify(&lower(&kernel, &*isa)), Ok(()), "{}", case.name);
        match emit(&kernel, &*isa) {
            Ok(code) => assert!(!code.bytes.is_empty()),
            // Rounding takes an instruction that x86-64 began without.
            Err(error) => {
                let rounds = ["casts", "floor", "round"].iter().any(|name| case.name.starts_with(name));
                assert!(rounds, "{}: {error}", case.name);
                assert_eq!(error, EmitError::NotSelfContained("kernel".to_string()));
            }
        }
    }
}

/// The kernel of one operation, with another type for all values.
fn retyped(op: ScalarOp, dtype: DType) -> Kernel {
    let case = unary(op, vec![0.0; 16]);
    let mut kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default());
    kernel.vars.fill(dtype);
    kernel.parameters.iter_mut().for_each(|parameter| parameter.dtype = dtype);
    kernel
}

#[test]
fn types_without_code_are_errors() {
    let stored = emit(&retyped(ScalarOp::Neg, DType::F16), &*host());
    assert!(matches!(stored, Err(EmitError::Verify { .. })), "{stored:?}");
    assert_eq!(emit(&retyped(ScalarOp::Neg, DType::F64), &*host()), Err(EmitError::Lane(DType::F64)));
}

#[test]
fn kernels_that_are_none_are_refused() {
    let mut kernel = retyped(ScalarOp::Neg, DType::F32);
    kernel.parameters[0].elements -= 1;
    assert!(matches!(emit(&kernel, &*host()), Err(EmitError::Verify { .. })));
}
