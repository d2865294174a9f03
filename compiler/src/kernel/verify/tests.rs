//! Kernels that are none, and one that is.

use super::*;
use crate::kernel::{Parameter, RegisterDecl};

/// The maximum of each of 3 rows of 21 numbers.
fn row_maxima() -> Kernel {
    let f32s = |elements, usage| Parameter { dtype: DType::F32, elements, usage };
    let register = Register(0);
    let load = Expression::Load { parameter: ParameterId(0), index: Index::axis(0).times(21).plus(&Index::axis(1)) };
    let row = Statement::Loop {
        id: LoopId(1),
        extent: 21,
        kind: LoopKind::lanes(2),
        body: vec![
            Statement::Let(Var(1), load),
            Statement::Let(Var(2), Expression::Register(register)),
            Statement::Let(Var(3), Expression::Apply(ScalarOp::Max, vec![Var(2), Var(1)])),
            Statement::Assign(register, Var(3)),
        ],
    };
    let rows = Statement::Loop {
        id: LoopId(0),
        extent: 3,
        kind: LoopKind::Serial,
        body: vec![
            Statement::Let(Var(0), Expression::Constant(DType::F32, f64::NEG_INFINITY)),
            Statement::Assign(register, Var(0)),
            row,
            Statement::Let(Var(4), Expression::Combine(register, Reducer::Max)),
            Statement::Store { parameter: ParameterId(1), index: Index::axis(0), value: Var(4) },
        ],
    };
    Kernel {
        name: "row_maxima".to_string(),
        parameters: vec![f32s(63, Usage::Read), f32s(3, Usage::Written)],
        vars: vec![DType::F32; 5],
        registers: vec![RegisterDecl { dtype: DType::F32, groups: 2 }],
        fragments: Vec::new(),
        loops: 2,
        threads: None,
        body: vec![rows],
    }
}

/// The statements of the loop over rows.
fn row(kernel: &mut Kernel) -> &mut Vec<Statement> {
    match &mut kernel.body[0] {
        Statement::Loop { body, .. } => body,
        other => panic!("the kernel starts with a loop, not {other:?}"),
    }
}

#[test]
fn prints_and_runs() {
    let kernel = row_maxima();
    assert_eq!(verify(&kernel), Ok(()));
    insta::assert_snapshot!(kernel.to_string(), @r"
    kernel row_maxima
        p0: f32[63]
        p1: f32[3] written
        s0: f32 by 2 lanes
        loop i0 < 3
            v0 = f32 -inf
            s0 = v0
            lanes i1 < 21 by 2
                v1 = p0[21 * i0 + i1]
                v2 = s0
                v3 = max(v2, v1)
                s0 = v3
            v4 = max of s0
            p1[i0] = v4
    ");
    let numbers: Vec<f64> = (0..63).map(|i| f64::from(i * 37 % 64)).collect();
    let expected: Vec<f64> = numbers.chunks(21).map(|row| row.iter().copied().fold(0.0, f64::max)).collect();
    for lanes in [1, 4, 16] {
        let mut arguments = [numbers.clone(), vec![0.0; 3]];
        crate::kernel::interpret(&kernel, &mut arguments, lanes);
        assert_eq!(arguments[1], expected, "{lanes} lanes");
    }
}

#[test]
fn positions_stay_in_their_arrays() {
    let mut kernel = row_maxima();
    kernel.parameters[0].elements = 62;
    let bounds = VerifyError::Bounds { parameter: ParameterId(0), low: 0, high: 62, elements: 62 };
    assert_eq!(verify(&kernel), Err(bounds));
}

#[test]
fn each_element_has_one_writer() {
    let mut kernel = row_maxima();
    let store = row(&mut kernel).pop().expect("the last statement is the store");
    let Statement::Store { parameter, value, .. } = store else { panic!("the last statement is the store") };
    row(&mut kernel).push(Statement::Store { parameter, index: Index::constant(2), value });
    assert_eq!(verify(&kernel), Err(VerifyError::Writers(ParameterId(1))));
}

#[test]
fn variables_and_registers_come_before_their_use() {
    let mut kernel = row_maxima();
    row(&mut kernel).remove(1);
    assert_eq!(verify(&kernel), Err(VerifyError::Unset(Register(0))));
    let mut kernel = row_maxima();
    row(&mut kernel).remove(0);
    assert_eq!(verify(&kernel), Err(VerifyError::Undefined(Var(0))));
    let mut kernel = row_maxima();
    row(&mut kernel).push(Statement::Let(Var(4), Expression::Constant(DType::F32, 0.0)));
    assert_eq!(verify(&kernel), Err(VerifyError::Redefined(Var(4))));
}

#[test]
fn lanes_keep_to_themselves() {
    let mut kernel = row_maxima();
    kernel.registers[0].groups = 4;
    assert!(matches!(verify(&kernel), Err(VerifyError::Lanes { .. })));
    kernel.registers[0].groups = 0;
    assert!(matches!(verify(&kernel), Err(VerifyError::Lanes { .. })));
    kernel.registers[0].groups = 3;
    assert_eq!(verify(&kernel), Err(VerifyError::Register(Register(0))));
    let mut kernel = row_maxima();
    kernel.vars[4] = DType::I32;
    let place = "v4".to_string();
    assert_eq!(verify(&kernel), Err(VerifyError::Type { place, expected: DType::I32, found: DType::F32 }));
}

#[test]
fn blocks_have_whole_warps_and_little_memory() {
    let mut kernel = row_maxima();
    for threads in [0, 16, 96, 2048] {
        kernel.threads = Some(threads);
        assert_eq!(verify(&kernel), Err(VerifyError::Threads(threads)));
    }
    kernel.threads = Some(64);
    assert_eq!(verify(&kernel), Ok(()));
    assert!(kernel.to_string().starts_with("kernel row_maxima on 64 threads\n"));
    let local = |elements| Parameter { dtype: DType::F32, elements, usage: Usage::Local };
    kernel.parameters.push(local(10 * 1024));
    assert_eq!(verify(&kernel), Ok(()));
    kernel.parameters.push(local(1));
    assert_eq!(verify(&kernel), Err(VerifyError::Shared(40 * 1024 + 64)));
}

#[test]
fn digits_are_loops_of_their_own() {
    let store = |index: Index| {
        let mut kernel = row_maxima();
        kernel.parameters[1].elements = 24;
        kernel.body = vec![Statement::Loop {
            id: LoopId(0),
            extent: 24,
            kind: LoopKind::lanes(1),
            body: vec![
                Statement::Let(Var(0), Expression::Constant(DType::F32, 1.0)),
                Statement::Store { parameter: ParameterId(1), index, value: Var(0) },
            ],
        }];
        verify(&kernel)
    };
    let (counter, extents) = (Index::axis(0), [24]);
    let turned = |rows: i64| counter.modulo(4, &extents).times(rows).plus(&counter.divided(4, &extents));
    assert_eq!(store(turned(6)), Ok(()));
    // Four columns of six rows, but only five of them are kept apart.
    assert_eq!(store(turned(5)), Err(VerifyError::Writers(ParameterId(1))));
    // Numbers that do not divide the extent are no digits.
    let uneven = counter.modulo(5, &extents).times(4).plus(&counter.divided(5, &extents));
    assert_eq!(store(uneven), Err(VerifyError::Writers(ParameterId(1))));
}
