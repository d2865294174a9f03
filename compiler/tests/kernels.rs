//! Nests become kernels that mean the same: interpreted after every pass, for several numbers of lanes.

mod corpus;

use corpus::{Case, cases};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::kernel::{self, Kernel, approximate, interpret, split_fma};
use tapeless_compiler::nest;
use tapeless_compiler::schedule;

/// How far an element may be from its meaning, relative to the larger of it and 1: sums of up to 1365 products of numbers
/// up to 2, each rounded to f32.
const TOLERANCE: f64 = 2e-5;

fn run(case: &Case, kernel: &Kernel, lanes: usize) -> Vec<f64> {
    let mut arguments = case.operands.clone();
    arguments.push(vec![f64::NAN; kernel.parameters.last().expect("a kernel has an output").elements]);
    interpret(kernel, &mut arguments, lanes);
    arguments.pop().expect("the output was pushed")
}

fn assert_close(case: &Case, pass: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{}", case.name);
    let exact = case.nest.dtype != DType::F32;
    for (position, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let equal = found == expected || (found.is_nan() && expected.is_nan());
        let close = !exact && (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
        assert!(equal || close, "{} {pass}: {found} and not {expected} at {position}", case.name);
    }
}

#[test]
fn kernels_mean_what_their_nests_mean() {
    for case in cases() {
        let verified = nest::verify(&case.nest, &case.shapes);
        assert_eq!(verified, Ok(()), "{}\n{}", case.name, case.nest);
        let expected = nest::evaluate(&case.nest, &case.shapes, &case.operands);
        let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel");
        let approximated = approximate(&kernel);
        let split = split_fma(&approximated);
        for (pass, kernel) in [("scheduled", &kernel), ("approximated", &approximated), ("split", &split)] {
            assert_eq!(kernel::verify(kernel), Ok(()), "{} {pass}\n{kernel}", case.name);
            for lanes in [1, 4, 16] {
                assert_close(&case, pass, &run(&case, kernel, lanes), &expected);
            }
        }
    }
}

/// The text of the kernel of the case of that name.
fn text(name: &str) -> String {
    let case = cases().into_iter().find(|case| case.name == name).expect("there is such a case");
    schedule::kernel(&case.nest, &case.shapes, "kernel").to_string()
}

#[test]
fn elementwise_kernels_are_one_loop() {
    insta::assert_snapshot!(text("chain [3, 17]"), @r"
    kernel kernel
        p0: f32[51]
        p1: f32[51]
        p2: f32[51] written
        v5 = f32 1.0
        lanes i0 < 51 by 4
            v0 = p0[i0]
            v1 = p1[i0]
            v2 = sub(v0, v1)
            v3 = mul(v2, v0)
            v4 = abs(v1)
            v6 = add(v4, v5)
            v7 = div(v3, v6)
            v8 = abs(v7)
            v9 = sqrt(v8)
            p2[i0] = v9
    ");
}

#[test]
fn gradients_of_weights_run_in_lanes_along_the_output() {
    insta::assert_snapshot!(text("ij,ik->jk [7, 13, 36]"), @r"
    kernel kernel
        p0: f32[91]
        p1: f32[252]
        p2: f32[468] written
        s0: f32 by 2 lanes
        s1: f32 by 2 lanes
        s2: f32 by 2 lanes
        s3: f32 by 2 lanes
        s4: f32 by 2 lanes
        v0 = f32 0.0
        lanes i0 < 36 by 2
            loop i1 < 3
                s0 = v0
                s1 = v0
                s2 = v0
                s3 = v0
                loop i2 < 7
                    v1 = p0[4 * i1 + 13 * i2]
                    v2 = p1[i0 + 36 * i2]
                    v3 = p0[4 * i1 + 13 * i2 + 1]
                    v4 = p0[4 * i1 + 13 * i2 + 2]
                    v5 = p0[4 * i1 + 13 * i2 + 3]
    ");
}

#[test]
fn products_with_transposed_weights_run_in_lanes_along_the_reduction() {
    insta::assert_snapshot!(text("ik,jk->ij [9, 6, 70]"), @"");
}
