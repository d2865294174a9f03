//! Products of matrices on tensor cores: what kernels are scheduled for them, and how far the results are from those of f64.

use crate::matrices::{halves, matrices};
use crate::nests::contractions::Product;
use crate::nests::{Case, contract};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::kernel::{Expression, Kernel, LoopKind, ParameterId, Statement, Var, interpret, tf32, verify};
use tapeless_compiler::nest::{Index, evaluate};
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
            // What is squared is rounded behind that, and what is added is not.
            if case.name.contains("true], epilogue") {
                continue;
            }
            case.operands[..2].iter_mut().flatten().for_each(|number| *number = rounded(precision, *number));
            let expected = evaluate(&case.nest, &case.shapes, &case.operands);
            let distance = distance(&found, &expected);
            assert!(distance < 1e-6, "{} {precision}: {distance}\n{kernel}", case.name);
        }
    }
}

/// Products of bf16 are exact, whatever the precision; results are rounded to bf16.
#[test]
fn products_of_halves_are_exact() {
    for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
        for case in halves() {
            let kernel = kernel(&case, precision);
            assert_eq!(verify(&kernel), Ok(()), "{}\n{kernel}", case.name);
            assert_eq!(kernel.fragments.len(), 1, "{}\n{kernel}", case.name);
            let expected = evaluate(&case.nest, &case.shapes, &case.operands);
            let distance = distance(&run(&case, &kernel), &expected);
            assert!(distance < 3e-3, "{} {precision}: {distance}\n{kernel}", case.name);
        }
    }
}

#[test]
fn small_products_and_exact_ones_stay_what_they_are() {
    for (equation, precision) in [("ik,jk->ij", Precision::F32), ("ik,jk->ij", Precision::Tf32)] {
        let extent = if precision == Precision::F32 { 64 } else { 15 };
        let case = contract(equation, [extent, 64, 64]);
        assert!(kernel(&case, precision).fragments.is_empty());
    }
}

/// Whole tiles, copied 16 bytes at a time; a bias and a maximum behind the sum.
#[test]
fn copies_are_filled_ahead() {
    let product = Product { epilogue: true, ..Product::new("ik,kj->ij") };
    let case = product.case(&|label| if label == 'k' { 64 } else { 32 });
    insta::assert_snapshot!(kernel(&case, Precision::Tf32).to_string(), @r"
    kernel kernel on 128 threads
        p0: f32[2048]
        p1: f32[2048]
        p2: f32[32]
        p3: f32[1024] written
        p4: f32[1024] local
        p5: f32[1024] local
        p6: f32[1024] local
        m0: 32 by 32
        v3 = f32 0.0
        parallel i0 < 1
            m0 = 0
            staged i1 < 2 by 3
                lanes i2 < 256 by 2
                    p4[4 * i2; 4] = p0[2048 * i0 + 32 * i1 + 64 * (i2 / 8) + 4 * (i2 % 8); 4]
                lanes i3 < 256 by 2
                    p5[4 * i3; 4] = p1[1024 * i1 + 4 * i3; 4]
                m0 += p4[ik] p5[kj] for k < 32
            p6 = m0
            lanes i4 < 1024 by 4
                v0 = p6[i4]
                v1 = p2[(i4 % 32)]
                v2 = add(v0, v1)
                v4 = max(v2, v3)
                p3[1024 * i0 + i4] = v4
    ");
}

/// Parts of tiles, along the sum too, of what is computed and what lies at odd places.
#[test]
fn ends_have_bounds() {
    let product = Product { prologues: [true, false], ..Product::new("ki,jk->ij") };
    let case = product.case(&|label| if label == 'k' { 33 } else { 17 });
    insta::assert_snapshot!(kernel(&case, Precision::Bf16).to_string(), @r"
    kernel kernel on 128 threads
        p0: f32[561]
        p1: f32[561]
        p2: f32[289] written
        p3: bf16[2048] local
        p4: bf16[2048] local
        p5: f32[1024] local
        m0: 32 by 32
        v1 = u32 33.0
        v4 = f32 0.0
        parallel i0 < 1
            m0 = 0
            staged i1 < 1 by 2
                lanes i2 < 2048 by 4
                    v0 = index 64 * i1 + (i2 / 32)
                    v2 = lt(v0, v1)
                    v3 = p0[clamp(32 * i0 + (i2 % 32), 17) + 17 * clamp(64 * i1 + (i2 / 32), 33)]
                    v5 = max(v3, v4)
                    v6 = select(v2, v5, v4)
                    p3[i2] = v6
                lanes i3 < 2048 by 8
                    v7 = index 64 * i1 + (i3 % 64)
                    v8 = lt(v7, v1)
                    p4[i3; 1] = p1[clamp(64 * i1 + (i3 % 64), 33) + 33 * clamp((i3 / 64), 17); 1] if v8 else 0
                m0 += p3[ki] p4[jk] for k < 64
            p5 = m0
            lanes i4 < 1024 by 4
                v9 = p5[i4]
                within 32 * i0 + (i4 / 32) < 17
                    within (i4 % 32) < 17
                        p2[544 * i0 + 17 * (i4 / 32) + (i4 % 32)] = v9
    ");
}

/// A sum of 4096 products is as far from the exact one as its operands are.
#[test]
fn long_sums_are_as_far_off_as_their_operands() {
    for (precision, far) in [(Precision::Tf32, 5e-4), (Precision::Bf16, 5e-3)] {
        let case = contract("ik,jk->ij", [17, 16, 4096]);
        let kernel = kernel(&case, precision);
        assert_eq!((verify(&kernel), kernel.fragments.len()), (Ok(()), 1));
        let distance = distance(&run(&case, &kernel), &evaluate(&case.nest, &case.shapes, &case.operands));
        assert!(far / 20.0 < distance && distance < far, "{precision}: {distance}");
    }
}

/// A product whose results are no whole tiles.
fn uneven() -> Kernel {
    kernel(&contract("ik,kj->ij", [40, 36, 32]), Precision::Tf32)
}

/// The statements that each block runs.
fn block(kernel: &mut Kernel) -> &mut Vec<Statement> {
    let parallel = kernel.body.iter_mut().find_map(|statement| match statement {
        Statement::Loop { kind: LoopKind::Parallel, body, .. } => Some(body),
        _ => None,
    });
    parallel.expect("blocks run in parallel")
}

/// The statements of its staged loop.
fn staged(kernel: &mut Kernel) -> &mut Vec<Statement> {
    match &mut block(kernel)[1] {
        Statement::Loop { kind: LoopKind::Staged { .. }, body, .. } => body,
        other => panic!("a staged loop follows, not {other:?}"),
    }
}

fn wrong(change: impl FnOnce(&mut Kernel)) -> String {
    let mut kernel = uneven();
    assert_eq!(verify(&kernel), Ok(()), "{kernel}");
    change(&mut kernel);
    verify(&kernel).expect_err("the kernel is wrong").to_string()
}

#[test]
fn fragments_are_cleared_and_get_what_is_filled() {
    let uncleared = wrong(|kernel| drop(block(kernel).remove(0)));
    assert_eq!(uncleared, "m0: is added to before it is cleared");
    let unfilled = wrong(|kernel| drop(staged(kernel).remove(0)));
    assert!(unfilled.ends_with("is a staged loop that does not contract just what it fills"), "{unfilled}");
    let halved = wrong(|kernel| match &mut staged(kernel)[0] {
        Statement::Loop { extent, .. } => *extent /= 2,
        other => panic!("a loop fills, not {other:?}"),
    });
    assert_eq!(halved, "p3: is contracted and not shown to be stored before");
    let shared = wrong(|kernel| kernel.threads = Some(512));
    assert_eq!(shared, "m0: is nothing that the warps of a block can share");
}

#[test]
fn copies_lie_at_multiples_of_their_number() {
    let moved = wrong(|kernel| match &mut staged(kernel)[0] {
        Statement::Loop { body, .. } => body.iter_mut().for_each(|statement| {
            if let Statement::Copy(copy) = statement {
                copy.source = copy.source.clone().plus(&Index::constant(1));
            }
        }),
        other => panic!("a loop fills, not {other:?}"),
    });
    assert_eq!(moved, "p3: is copied to at what is no multiple of a power of two");
}

/// What is filled ahead may not have arrived, or may be that of another iteration.
#[test]
fn what_is_filled_ahead_is_known_to_its_loop_alone() {
    let outside = wrong(|kernel| {
        kernel.vars.push(DType::F32);
        let index = Index::default();
        let load = Expression::Load { parameter: ParameterId(3), index };
        let last = Var(kernel.vars.len() - 1);
        block(kernel).push(Statement::Let(last, load));
    });
    assert_eq!(outside, "p3: is filled ahead and used outside of that loop");
}

#[test]
fn parts_of_tiles_are_stored_within_bounds() {
    let unbounded = wrong(|kernel| match block(kernel).last_mut() {
        Some(Statement::Loop { body, .. }) => {
            let inner = body.pop();
            match inner {
                Some(Statement::Within { body: stores, .. }) => body.extend(stores),
                other => panic!("a bound stands last, not {other:?}"),
            }
        }
        other => panic!("a loop stores, not {other:?}"),
    });
    assert!(unbounded.starts_with("p2 reaches from 0 to ") && unbounded.ends_with(" of 1440 elements"), "{unbounded}");
}
