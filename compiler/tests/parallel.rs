//! Work that is spread over threads: what the verifier lets run at once, the phases of a kernel, and that pieces compute what
//! the whole computes.

use tapeless_compiler::dtype::DType;
use tapeless_compiler::kernel::{
    Expression, Kernel, LoopId, LoopKind, Parameter, ParameterId, Register, RegisterDecl, Statement, Usage, Var,
    VerifyError, interpret, phases, verify,
};
use tapeless_compiler::nest::Index;
use tapeless_compiler::scalar::ScalarOp;

fn f32s(elements: usize, usage: Usage) -> Parameter {
    Parameter { dtype: DType::F32, elements, usage }
}

fn load(var: usize, parameter: usize, index: Index) -> Statement {
    Statement::Let(Var(var), Expression::Load { parameter: ParameterId(parameter), index })
}

fn store(parameter: usize, index: Index, value: usize) -> Statement {
    Statement::Store { parameter: ParameterId(parameter), index, value: Var(value) }
}

fn looped(id: usize, extent: usize, kind: LoopKind, body: Vec<Statement>) -> Statement {
    Statement::Loop { id: LoopId(id), extent, kind, body }
}

/// Where piece `i0` of four has element `i<at>` of eight.
fn place(at: usize) -> Index {
    Index::axis(0).times(8).plus(&Index::axis(at))
}

/// Eight columns of 32 numbers: four pieces of eight numbers each are doubled into local memory and from there to scratch,
/// and then the columns of the pieces are summed up.
fn columns() -> Kernel {
    let lanes = LoopKind::lanes(1);
    let doubled =
        vec![load(1, 0, place(1)), Statement::Let(Var(2), Expression::Apply(ScalarOp::Mul, vec![Var(1), Var(0)]))];
    let pieces = vec![
        looped(1, 8, lanes, [doubled, vec![store(3, Index::axis(1), 2)]].concat()),
        looped(2, 8, lanes, vec![load(3, 3, Index::axis(2)), store(2, place(2), 3)]),
    ];
    let sums = vec![
        Statement::Let(Var(4), Expression::Constant(DType::F32, 0.0)),
        Statement::Assign(Register(0), Var(4)),
        looped(
            4,
            4,
            LoopKind::Serial,
            vec![
                load(5, 2, Index::axis(4).times(8).plus(&Index::axis(3))),
                Statement::Let(Var(6), Expression::Register(Register(0))),
                Statement::Let(Var(7), Expression::Apply(ScalarOp::Add, vec![Var(6), Var(5)])),
                Statement::Assign(Register(0), Var(7)),
            ],
        ),
        Statement::Let(Var(8), Expression::Register(Register(0))),
        store(1, Index::axis(3), 8),
    ];
    Kernel {
        name: "columns".to_string(),
        parameters: vec![
            f32s(32, Usage::Read),
            f32s(8, Usage::Written),
            f32s(32, Usage::Scratch),
            f32s(8, Usage::Local),
        ],
        vars: vec![DType::F32; 10],
        registers: vec![RegisterDecl { dtype: DType::F32, groups: 1 }],
        fragments: Vec::new(),
        loops: 5,
        threads: None,
        body: vec![
            Statement::Let(Var(0), Expression::Constant(DType::F32, 2.0)),
            looped(0, 4, LoopKind::Parallel, pieces),
            looped(3, 8, lanes, sums),
        ],
    }
}

/// The statements of the parallel loop.
fn pieces(kernel: &mut Kernel) -> &mut Vec<Statement> {
    match &mut kernel.body[1] {
        Statement::Loop { body, .. } => body,
        other => panic!("the second statement is the parallel loop, not {other:?}"),
    }
}

/// The statements of a loop in the parallel loop.
fn inner(kernel: &mut Kernel, at: usize) -> &mut Vec<Statement> {
    match &mut pieces(kernel)[at] {
        Statement::Loop { body, .. } => body,
        other => panic!("there are only loops in the parallel loop, not {other:?}"),
    }
}

fn refused(change: impl FnOnce(&mut Kernel)) -> VerifyError {
    let mut kernel = columns();
    assert_eq!(verify(&kernel), Ok(()), "{kernel}");
    change(&mut kernel);
    verify(&kernel).expect_err("the change breaks the kernel")
}

#[test]
fn a_kernel_falls_into_phases() {
    let kernel = columns();
    let phases = phases(&kernel);
    assert_eq!(phases.iter().map(|phase| phase.parallel).collect::<Vec<_>>(), [Some(4), None]);
    // The constant is used by the first phase only.
    assert_eq!(phases.iter().map(|phase| phase.kernel.body.len()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(phases[0].kernel.body, kernel.body[..2]);
    assert_eq!((kernel.arguments().count(), kernel.local_offsets()), (3, (vec![None, None, None, Some(0)], 64)));
    let mut arrays = [(0..32).map(f64::from).collect(), vec![0.0; 8]];
    interpret(&kernel, &mut arrays, 4);
    assert_eq!(arrays[1], (0..8).map(|column| f64::from(2 * (4 * column + 48))).collect::<Vec<_>>());
}

#[test]
fn parallel_loops_stand_alone() {
    let error = refused(|kernel| {
        let body = std::mem::take(&mut kernel.body);
        kernel.loops = 6;
        kernel.body = vec![looped(5, 1, LoopKind::Serial, body)];
    });
    assert_eq!(error, VerifyError::Loop { id: LoopId(0), reason: "is a parallel loop inside of another loop" });
}

#[test]
fn iterations_at_once_keep_apart() {
    let same = VerifyError::Parameter {
        parameter: ParameterId(2),
        reason: "is scratch and accessed at places that may be the same in two iterations at once",
    };
    // All pieces store to the same row of scratch.
    assert_eq!(refused(|kernel| inner(kernel, 1)[1] = store(2, Index::axis(2), 3)), same);
    // Each piece but the last stores an element of the next one's row.
    let shifted = |kernel: &mut Kernel| {
        kernel.parameters[2].elements = 33;
        inner(kernel, 1)[1] = store(2, Index::axis(0).times(7).plus(&Index::axis(2)), 3);
    };
    assert_eq!(refused(shifted), same);
    let added = |kernel: &mut Kernel| {
        let whole = looped(5, 8, LoopKind::Serial, vec![store(1, Index::axis(5), 0)]);
        kernel.loops = 6;
        kernel.body.truncate(2);
        kernel.body.insert(1, whole);
        let value = Var(3);
        let Statement::Loop { body, .. } = &mut kernel.body[2] else { panic!("the parallel loop moved by one") };
        let Statement::Loop { body, .. } = &mut body[1] else { panic!("there are only loops in it") };
        body[1] = Statement::Accumulate { parameter: ParameterId(1), index: Index::axis(2), value };
    };
    let error = VerifyError::Parameter { parameter: ParameterId(1), reason: "is added to in a parallel loop" };
    assert_eq!(refused(added), error);
}

#[test]
fn local_memory_is_forgotten() {
    let error = |reason| VerifyError::Parameter { parameter: ParameterId(3), reason };
    let outside = error("is local and accessed outside of parallel loops");
    assert_eq!(refused(|kernel| kernel.body.push(load(9, 3, Index::default()))), outside);
    let unset = error("is scratch and loaded from where it is not shown to be stored to before");
    let again = |kernel: &mut Kernel| {
        kernel.loops = 6;
        let body = vec![load(9, 3, Index::default())];
        kernel.body.insert(2, looped(5, 2, LoopKind::Parallel, body));
    };
    assert_eq!(refused(again), unset);
}

#[test]
fn phases_share_no_registers_and_no_variables() {
    let register = |kernel: &mut Kernel| {
        let sum = [Statement::Assign(Register(0), Var(0))];
        inner(kernel, 0).splice(0..0, sum);
    };
    assert_eq!(refused(register), VerifyError::CrossingRegister(Register(0)));
    let variable = |kernel: &mut Kernel| {
        kernel.registers.push(RegisterDecl { dtype: DType::F32, groups: 0 });
        let set = [Statement::Assign(Register(1), Var(0)), Statement::Let(Var(9), Expression::Register(Register(1)))];
        kernel.body.splice(1..1, set);
        let Statement::Loop { body, .. } = &mut kernel.body[3] else { panic!("the parallel loop moved by two") };
        let Statement::Loop { body, .. } = &mut body[0] else { panic!("there are only loops in it") };
        body[1] = Statement::Let(Var(2), Expression::Apply(ScalarOp::Mul, vec![Var(1), Var(9)]));
    };
    assert_eq!(refused(variable), VerifyError::CrossingVar(Var(9)));
}
