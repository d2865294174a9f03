//! Products of matrices on tensor cores: what kernels are scheduled for them, and how far the results are from those of f64.

use crate::nests::Case;
use crate::nests::contractions::matrices;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::kernel::{Kernel, interpret, tf32, verify};
use tapeless_compiler::nest::evaluate;
use tapeless_compiler::schedule;
use tapeless_compiler::target::{Precision, Target};

const PRECISIONS: [Precision; 2] = [Precision::Tf32, Precision::Bf16];

fn target(precision: Precision) -> Target {
    Target { precision, ..Target::gpu(256) }
}

fn kernel(case: &Case, precision: Precision) -> Kernel {
    schedule::kernel(&case.nest, &case.shapes, "kernel", &target(precision))
}

/// How far numbers are from others, relative to the size of those.
fn distance(found: &[f64], expected: &[f64]) -> f64 {
    let square = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|number| number * number).sum::<f64>();
    let difference = square(&mut found.iter().zip(expected).map(|(found, expected)| found - expected));
    (difference / square(&mut expected.iter().copied()).max(f64::MIN_POSITIVE)).sqrt()
}

/// What a kernel makes of the operands of a case.
fn run(case: &Case, kernel: &Kernel) -> Vec<f64> {
    let mut arguments = case.operands.clone();
    arguments.push(vec![f64::NAN; kernel.parameters[case.operands.len()].elements]);
    interpret(kernel, &mut arguments, 1);
    arguments.pop().expect("the output was pushed")
}

fn rounded(precision: Precision, number: f64) -> f64 {
    match precision {
        Precision::F32 => number,
        Precision::Tf32 => tf32(number),
        Precision::Bf16 => DType::Bf16.rounded(number),
    }
}

#[test]
fn products_are_those_of_rounded_operands() {
    for precision in PRECISIONS {
        for mut case in matrices() {
            let kernel = kernel(&case, precision);
            assert_eq!(verify(&kernel), Ok(()), "{}\n{kernel}", case.name);
            assert_eq!(kernel.fragments.len(), 1, "{}\n{kernel}", case.name);
            let found = run(&case, &kernel);
            let exact = evaluate(&case.nest, &case.shapes, &case.operands);
            let far = if precision == Precision::Tf32 { 5e-4 } else { 5e-3 };
            assert!(distance(&found, &exact) < far, "{} {precision}: {}", case.name, distance(&found, &exact));
            case.operands.iter_mut().flatten().for_each(|number| *number = rounded(precision, *number));
            let expected = evaluate(&case.nest, &case.shapes, &case.operands);
            let distance = distance(&found, &expected);
            assert!(distance < 1e-6, "{} {precision}: {distance}\n{kernel}", case.name);
        }
    }
}
