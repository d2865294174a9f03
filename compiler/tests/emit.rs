//! Kernels become code: whole, the same each time, and without anything outside of itself.

mod nests;

use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use nests::{cases, contract, unary};
use tapeless_compiler::backend::cranelift::{EmitError, Refusal, emit, lower};
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

#[cfg(target_arch = "x86_64")]
const EXTENSIONS: [&str; 14] = [
    "has_sse3",
    "has_ssse3",
    "has_sse41",
    "has_sse42",
    "has_popcnt",
    "has_bmi1",
    "has_bmi2",
    "has_avx",
    "has_avx2",
    "has_fma",
    "has_avx512f",
    "has_avx512dq",
    "has_avx512vl",
    "has_avx512vbmi",
];

/// A machine with everything that Cranelift uses on x86-64.
#[cfg(target_arch = "x86_64")]
fn server() -> OwnedTargetIsa {
    let mut builder = isa::lookup(target_lexicon::triple!("x86_64-unknown-linux-gnu")).expect("it is known");
    for extension in EXTENSIONS {
        builder.enable(extension).expect("the extension is known");
    }
    builder.finish(flags()).expect("the settings fit together")
}

#[test]
fn code_is_the_same_each_time() {
    for case in cases().into_iter().chain([contract("ik,jk->ij", [64, 512, 784])]) {
        let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default());
        let code = emit(&kernel, &*host(), 4).unwrap_or_else(|error| panic!("{}: {error}\n{kernel}", case.name));
        assert_eq!(code.functions.is_empty(), kernel.body.is_empty(), "{}", case.name);
        for function in &code.functions {
            assert!(!function.bytes.is_empty() && function.alignment.is_power_of_two(), "{}", case.name);
        }
        assert_eq!(emit(&kernel, &*host(), 4), Ok(code), "{}", case.name);
    }
}

#[test]
fn machines_without_extensions_get_code_or_a_reason() {
    let isa = baseline();
    for case in cases() {
        let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default());
        assert_eq!(kernel::verify(&lower(&kernel, &*isa)), Ok(()), "{}", case.name);
        match emit(&kernel, &*isa, 4) {
            Ok(code) => assert_eq!(code.functions.is_empty(), kernel.body.is_empty()),
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
    let stored = emit(&retyped(ScalarOp::Neg, DType::F16), &*host(), 4);
    assert!(matches!(stored, Err(EmitError::Verify { .. })), "{stored:?}");
    assert_eq!(emit(&retyped(ScalarOp::Neg, DType::F64), &*host(), 4), Err(EmitError::Lane(DType::F64)));
}

#[test]
fn kernels_that_are_none_are_refused() {
    let mut kernel = retyped(ScalarOp::Neg, DType::F32);
    kernel.parameters[0].elements -= 1;
    assert!(matches!(emit(&kernel, &*host(), 4), Err(EmitError::Verify { .. })));
}

/// No kernel with lanes loops is refused the lanes of its target, whatever its types.
#[cfg(target_arch = "x86_64")]
#[test]
fn no_kernel_with_lanes_stays_narrow() {
    for (isa, lanes) in [(server(), 8), (server(), 16)] {
        let mut widened = 0;
        for case in cases().into_iter().chain([contract("ik,jk->ij", [64, 512, 784])]) {
            let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::new(lanes));
            let code = emit(&kernel, &*isa, lanes).unwrap_or_else(|error| panic!("{}: {error}\n{kernel}", case.name));
            // No loop of what has four is as long as eight; of several loops, some may be longer than the lanes that fit most.
            match code.refusal {
                Some(Refusal::Short(longest)) if code.lanes == 4 => assert!(longest < 8, "{}\n{kernel}", case.name),
                Some(Refusal::Short(_)) => assert_eq!((code.lanes, lanes), (8, 16), "{}\n{kernel}", case.name),
                refusal => {
                    assert_eq!(refusal, None, "{} at {lanes} lanes\n{kernel}", case.name);
                    assert!([1, lanes].contains(&code.lanes), "{} has {} lanes\n{kernel}", case.name, code.lanes);
                }
            }
            widened += usize::from(code.lanes == lanes);
        }
        assert!(widened > 200, "only {widened} kernels have {lanes} lanes");
    }
}

/// What is left over of vectors runs in parts, so few loops are short of iterations for the lanes of their target.
#[test]
fn kernels_run_at_the_lanes_that_fit() {
    let lanes = |extent: usize, most: usize| {
        let case = unary(ScalarOp::Neg, vec![0.0; extent]);
        let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::new(most));
        emit(&kernel, &*host(), most).expect("negation is known everywhere").lanes
    };
    if cfg!(target_arch = "x86_64") {
        assert_eq!([8, 10, 12, 14, 16, 17, 20, 21, 31, 64].map(|extent| lanes(extent, 8)), [8; 10]);
        assert_eq!([4, 5, 7].map(|extent| lanes(extent, 8)), [4; 3]);
        assert_eq!([16, 17, 20, 24, 28, 36, 44].map(|extent| lanes(extent, 16)), [16; 7]);
        assert_eq!([7, 8, 12, 15].map(|extent| lanes(extent, 16)), [4, 8, 8, 8]);
    }
    assert_eq!([3, 4, 17, 64].map(|extent| lanes(extent, 4)), [1, 4, 4, 4]);
}

/// Without wider vectors a kernel runs at the lanes that there are, and says why.
#[test]
fn code_says_why_it_has_fewer_lanes() {
    let case = unary(ScalarOp::Neg, vec![0.0; 64]);
    let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::new(8));
    let code = emit(&kernel, &*baseline(), 8).expect("negation is known everywhere");
    assert_eq!((code.lanes, code.refusal), (4, Some(Refusal::Target)));
    let code = emit(&kernel, &*baseline(), 4).expect("negation is known everywhere");
    assert_eq!((code.lanes, code.refusal), (4, None));
    let short = unary(ScalarOp::Neg, vec![0.0; 6]);
    let kernel = schedule::kernel(&short.nest, &short.shapes, "kernel", &Target::new(8));
    let code = emit(&kernel, &*host(), 8).expect("negation is known everywhere");
    assert_eq!((code.lanes, code.refusal), (4, Some(Refusal::Short(6))));
    let single = unary(ScalarOp::Neg, vec![0.0; 3]);
    let kernel = schedule::kernel(&single.nest, &single.shapes, "kernel", &Target::new(8));
    let code = emit(&kernel, &*host(), 8).expect("negation is known everywhere");
    assert_eq!((code.lanes, code.refusal), (1, None));
}

/// The vector instructions of a kernel's code, and which of them are on 256 bits: no others are on more than 128.
#[cfg(target_arch = "x86_64")]
fn vectors(case: &nests::Case) -> Vec<(iced_x86::Mnemonic, bool)> {
    use iced_x86::{Decoder, DecoderOptions, Instruction};
    let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::new(8));
    let code = emit(&kernel, &*server(), 8).expect("the server has all instructions");
    assert_eq!((code.lanes, code.functions.len()), (8, 1));
    let registers = |instruction: &Instruction| -> Vec<iced_x86::Register> {
        (0..instruction.op_count()).map(|operand| instruction.op_register(operand)).collect()
    };
    Decoder::new(64, &code.functions[0].bytes, DecoderOptions::NONE)
        .iter()
        .take_while(|instruction| instruction.mnemonic() != iced_x86::Mnemonic::Ret)
        .filter(|instruction| registers(instruction).iter().any(|register| register.is_vector_register()))
        .map(|instruction| (instruction.mnemonic(), registers(&instruction).iter().any(|register| register.is_ymm())))
        .collect()
}

/// Twelve is a vector and a part; of twenty, summed up, the part adds to the lowest lanes and leaves the others.
#[cfg(target_arch = "x86_64")]
#[test]
fn what_is_left_over_runs_in_parts() {
    use iced_x86::Mnemonic::*;
    let rounded = vectors(&unary(ScalarOp::Floor, vec![0.0; 12]));
    assert_eq!(rounded, [(Vroundps, true), (Vmovups, true), (Vroundps, false), (Vmovups, false)]);
    let summed = vectors(&contract("ij,ij->", [1, 20, 1]));
    let products = |wide: bool| summed.iter().filter(|&&found| found == (Vfmadd213ps, wide)).count();
    assert_eq!((products(true), products(false)), (2, 1), "{summed:?}");
    let part = summed.iter().position(|&found| found == (Vfmadd213ps, false)).expect("it was counted");
    assert_eq!(summed[part + 1..part + 4], [(Vextracti128, true), (Vinserti128, true), (Vaddps, true)], "{summed:?}");
}

#[test]
fn kernels_for_threads_have_no_code_here() {
    let case = contract("ik,kj->ij", [32, 32, 32]);
    let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::gpu(64));
    assert_eq!(emit(&kernel, &*host(), 4).err(), Some(EmitError::Threads("kernel".to_string())));
}
