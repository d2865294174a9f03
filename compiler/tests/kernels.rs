//! Nests become kernels that mean the same: interpreted after every pass, for several numbers of lanes.

mod matrices;
mod nests;
#[path = "kernels/tensor.rs"]
mod tensor;

use nests::{Case, cases, contract};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::kernel::{self, Kernel, approximate, interpret, split_fma};
use tapeless_compiler::nest::{self, Nest, Scalar};
use tapeless_compiler::scalar::ScalarOp;
use tapeless_compiler::schedule;
use tapeless_compiler::target::Target;

/// How far an element may be from its meaning, relative to the larger of it and 1: sums of up to 1365 products of numbers
/// up to 2, each rounded to f32, or to what is narrowest in the nest.
fn tolerance(nest: &Nest) -> f64 {
    let cast = |scalar: &Scalar| match scalar {
        Scalar::Apply(ScalarOp::Cast(dtype), _) => Some(*dtype),
        _ => None,
    };
    let casts = nest.body.scalars.iter().filter_map(cast);
    let dtypes = nest.reads.iter().map(|read| read.dtype).chain(casts).chain([nest.dtype]);
    let of = |dtype: DType| match dtype {
        DType::F64 => 1e-13,
        DType::F16 => 2e-3,
        DType::Bf16 => 2e-2,
        _ => 2e-5,
    };
    if nest.dtype.is_float() { dtypes.filter(|dtype| dtype.is_float()).map(of).fold(0.0, f64::max) } else { 0.0 }
}

fn run(case: &Case, kernel: &Kernel, lanes: usize) -> Vec<f64> {
    let mut arguments = case.operands.clone();
    arguments.push(vec![f64::NAN; kernel.parameters[case.operands.len()].elements]);
    interpret(kernel, &mut arguments, lanes);
    arguments.pop().expect("the output was pushed")
}

fn assert_close(case: &Case, pass: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{}", case.name);
    let tolerance = tolerance(&case.nest);
    for (position, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let equal = found == expected || (found.is_nan() && expected.is_nan());
        let close = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
        assert!(equal || close, "{} {pass}: {found} and not {expected} at {position}", case.name);
    }
}

#[test]
fn kernels_mean_what_their_nests_mean() {
    for case in cases() {
        let verified = nest::verify(&case.nest, &case.shapes);
        assert_eq!(verified, Ok(()), "{}\n{}", case.name, case.nest);
        let expected = nest::evaluate(&case.nest, &case.shapes, &case.operands);
        let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default());
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
    schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default()).to_string()
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
fn guards_that_outer_loops_decide_leave_lanes_side_by_side() {
    insta::assert_snapshot!(text("between_rows [5, 24]"), @r"
    kernel kernel
        p0: f32[120]
        p1: f32[192] written
        v2 = u32 2.0
        v4 = u32 5.0
        v6 = f32 0.0
        loop i0 < 8
            v1 = index i0
            v3 = sub(v1, v2)
            v5 = lt(v3, v4)
            lanes i1 < 24 by 4
                v0 = p0[i1 + 24 * clamp(i0 - 2, 5)]
                v7 = select(v5, v0, v6)
                p1[24 * i0 + i1] = v7
    ");
}

#[test]
fn gradients_of_weights_run_in_lanes_along_the_output() {
    insta::assert_snapshot!(text("ij,ik->jk [7, 13, 36]"), @r"
    kernel kernel
        p0: f32[91]
        p1: f32[252]
        p2: f32[468] written
        s0: f32 by 4 lanes
        s1: f32 by 4 lanes
        s2: f32 by 4 lanes
        v0 = f32 0.0
        lanes i0 < 36 by 4
            loop i1 < 6
                s0 = v0
                s1 = v0
                loop i2 < 7
                    v1 = p0[2 * i1 + 13 * i2]
                    v2 = p1[i0 + 36 * i2]
                    v3 = s0
                    v4 = fma(v1, v2, v3)
                    s0 = v4
                    v5 = p0[2 * i1 + 13 * i2 + 1]
                    v6 = s1
                    v7 = fma(v5, v2, v6)
                    s1 = v7
                v8 = s0
                v9 = s1
                p2[i0 + 72 * i1] = v8
                p2[i0 + 72 * i1 + 36] = v9
            s2 = v0
            loop i3 < 7
                v10 = p0[13 * i3 + 12]
                v11 = p1[i0 + 36 * i3]
                v12 = s2
                v13 = fma(v10, v11, v12)
                s2 = v13
            v14 = s2
            p2[i0 + 432] = v14
    ");
}

#[test]
fn products_with_transposed_weights_run_in_lanes_along_the_reduction() {
    insta::assert_snapshot!(text("ik,jk->ij [9, 6, 70]"), @r"
    kernel kernel
        p0: f32[630]
        p1: f32[420]
        p2: f32[54] written
        s0: f32 by 1 lanes
        s1: f32 by 1 lanes
        s2: f32 by 1 lanes
        s3: f32 by 1 lanes
        s4: f32 by 1 lanes
        s5: f32 by 1 lanes
        s6: f32 by 1 lanes
        s7: f32 by 1 lanes
        s8: f32 by 1 lanes
        v0 = f32 0.0
        loop i0 < 4
            loop i1 < 2
                s0 = v0
                s1 = v0
                s2 = v0
                s3 = v0
                s4 = v0
                s5 = v0
                lanes i2 < 70 by 1
                    v1 = p0[140 * i0 + i2]
                    v2 = p1[210 * i1 + i2]
                    v3 = s0
                    v4 = fma(v1, v2, v3)
                    s0 = v4
                    v5 = p1[210 * i1 + i2 + 70]
                    v6 = s1
                    v7 = fma(v1, v5, v6)
                    s1 = v7
                    v8 = p1[210 * i1 + i2 + 140]
                    v9 = s2
                    v10 = fma(v1, v8, v9)
                    s2 = v10
                    v11 = p0[140 * i0 + i2 + 70]
                    v12 = s3
                    v13 = fma(v11, v2, v12)
                    s3 = v13
                    v14 = s4
                    v15 = fma(v11, v5, v14)
                    s4 = v15
                    v16 = s5
                    v17 = fma(v11, v8, v16)
                    s5 = v17
                v18 = sum of s0
                v19 = sum of s1
                v20 = sum of s2
                v21 = sum of s3
                v22 = sum of s4
                v23 = sum of s5
                p2[12 * i0 + 3 * i1] = v18
                p2[12 * i0 + 3 * i1 + 1] = v19
                p2[12 * i0 + 3 * i1 + 2] = v20
                p2[12 * i0 + 3 * i1 + 6] = v21
                p2[12 * i0 + 3 * i1 + 7] = v22
                p2[12 * i0 + 3 * i1 + 8] = v23
        loop i3 < 2
            s6 = v0
            s7 = v0
            s8 = v0
            lanes i4 < 70 by 1
                v24 = p0[i4 + 560]
                v25 = p1[210 * i3 + i4]
                v26 = s6
                v27 = fma(v24, v25, v26)
                s6 = v27
                v28 = p1[210 * i3 + i4 + 70]
                v29 = s7
                v30 = fma(v24, v28, v29)
                s7 = v30
                v31 = p1[210 * i3 + i4 + 140]
                v32 = s8
                v33 = fma(v24, v31, v32)
                s8 = v33
            v34 = sum of s6
            v35 = sum of s7
            v36 = sum of s8
            p2[3 * i3 + 48] = v34
            p2[3 * i3 + 49] = v35
            p2[3 * i3 + 50] = v36
    ");
}

#[test]
fn contractions_of_layers_run_in_tiles_of_eight_sums() {
    for equation in ["ik,jk->ij", "ik,kj->ij", "ij,ik->jk", "ij,jk->ik"] {
        let case = contract(equation, [64, 512, 784]);
        let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default());
        assert_eq!(kernel::verify(&kernel), Ok(()), "{equation}");
        let groups: Vec<usize> = kernel.registers.iter().map(|register| register.groups).collect();
        assert!(groups.len().is_multiple_of(4) && groups.iter().all(|&groups| groups == 2), "{equation}\n{kernel}");
    }
}
