//! Sums that take each value once: which nests become such kernels, how they look, and what the verifier holds them to.

mod nests;

use nests::sums::{running, scatter};
use nests::{Case, cases};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::kernel::{
    Expression, Kernel, LoopId, LoopKind, Parameter, ParameterId, Statement, Usage, Var, VerifyError, interpret, verify,
};
use tapeless_compiler::nest::{Atom, Body, Index, Scalar};
use tapeless_compiler::schedule::{self, Flat, Form, form};
use tapeless_compiler::target::Target;

fn kernel(case: &Case) -> Kernel {
    schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default())
}

#[test]
fn rows_are_added_in_lanes_where_an_index_says() {
    insta::assert_snapshot!(kernel(&scatter(1, 9, 17, 21, 1)), @r"
    kernel kernel
        p0: u32[17]
        p1: f32[357]
        p2: f32[189] written
        v0 = f32 0.0
        lanes i0 < 189 by 4
            p2[i0] = v0
        v3 = u32 9.0
        loop i1 < 17
            v1 = p0[i1]
            v4 = lt(v1, v3)
            lanes i2 < 21 by 4
                v2 = p1[21 * i1 + i2]
                v5 = select(v4, v2, v0)
                p2[i2 + 21 * [v1 < 9]] += v5
    ");
}

#[test]
fn elements_with_an_index_each_are_added_one_by_one() {
    insta::assert_snapshot!(kernel(&scatter(2, 9, 5, 3, 3)), @r"
    kernel kernel
        p0: u32[30]
        p1: f32[30]
        p2: f32[54] written
        v0 = f32 0.0
        lanes i0 < 54 by 4
            p2[i0] = v0
        v3 = u32 9.0
        loop i1 < 2
            loop i2 < 5
                loop i3 < 3
                    v1 = p0[15 * i1 + 3 * i2 + i3]
                    v2 = p1[15 * i1 + 3 * i2 + i3]
                    v4 = lt(v1, v3)
                    v5 = select(v4, v2, v0)
                    p2[27 * i1 + i3 + 3 * [v1 < 9]] += v5
    ");
}

#[test]
fn sums_up_to_each_position_run_side_by_side_in_lanes() {
    insta::assert_snapshot!(kernel(&running(2, 7, 12, true)), @r"
    kernel kernel
        p0: f32[168]
        p1: f32[168] written
        s0: f32 by 2 lanes
        v0 = f32 0.0
        loop i0 < 2
            lanes i1 < 12 by 2
                s0 = v0
                loop i2 < 7
                    v1 = p0[84 * i0 + i1 - 12 * i2 + 72]
                    v2 = s0
                    v3 = add(v2, v1)
                    s0 = v3
                    p1[84 * i0 + i1 - 12 * i2 + 72] = v3
    ");
}

#[test]
fn sums_along_the_last_axis_run_several_rows_together() {
    insta::assert_snapshot!(kernel(&running(2, 7, 1, false)), @r"
    kernel kernel
        p0: f32[14]
        p1: f32[14] written
        s0: f32
        s1: f32
        v0 = f32 0.0
        s0 = v0
        s1 = v0
        loop i0 < 7
            v1 = p0[i0]
            v2 = p0[i0 + 7]
            v3 = s0
            v4 = add(v3, v1)
            s0 = v4
            v5 = s1
            v6 = add(v5, v2)
            s1 = v6
            p1[i0] = v4
            p1[i0 + 7] = v6
    ");
}

/// Sums in f32 as the nest has them, from its first point to its last: what a kernel must give bit by bit.
fn in_order(case: &Case) -> Vec<f32> {
    let (outputs, reduced) = (&case.nest.extents[..3], case.nest.extents[3]);
    let mut sums = Vec::new();
    for a in 0..outputs[0] {
        for v in 0..outputs[1] {
            for b in 0..outputs[2] {
                let value = |m: usize| case.operands[1][(a * reduced + m) * outputs[2] + b] as f32;
                let found = |m: &usize| case.operands[0][*m] == v as f64;
                sums.push((0..reduced).filter(found).map(value).fold(0.0, |sum, x| sum + x));
            }
        }
    }
    sums
}

#[test]
fn the_order_of_additions_is_that_of_the_index() {
    for case in [scatter(1, 9, 64, 21, 1), scatter(2, 8, 65, 5, 1)] {
        let kernel = kernel(&case);
        for lanes in [1, 4, 8] {
            let mut arguments = case.operands.clone();
            arguments.push(vec![f64::NAN; kernel.parameters[2].elements]);
            interpret(&kernel, &mut arguments, lanes);
            let found: Vec<f32> = arguments[2].iter().map(|&sum| sum as f32).collect();
            assert_eq!(found, in_order(&case), "{} in {lanes} lanes", case.name);
        }
    }
}

fn form_of(case: &Case) -> Form {
    form(&Flat::new(&case.nest, &case.shapes))
}

#[test]
fn only_sums_of_choices_by_position_have_a_form() {
    let with_form = cases().iter().filter(|case| form_of(case) != Form::Points).count();
    assert!(with_form > 100, "{with_form} cases have a form");
    for case in cases().iter().filter(|case| form_of(case) != Form::Points) {
        let expected = ["scatter", "running", "counts", "placed"];
        assert!(expected.iter().any(|name| case.name.starts_with(name)), "{} has a form", case.name);
    }
    let mut short = scatter(1, 9, 17, 21, 1);
    assert!(matches!(form_of(&short), Form::Scattered(_)));
    // With few positions, a sum for each is as fast.
    short = scatter(1, 3, 17, 21, 1);
    assert_eq!(form_of(&short), Form::Points);
}

#[test]
fn values_that_depend_on_the_position_have_no_form() {
    let mut case = scatter(1, 9, 17, 21, 1);
    let position = Index::axis(1);
    case.nest.reads[1].index[1] = position.clone();
    assert_eq!(form_of(&case), Form::Points);
    let mut case = scatter(1, 9, 17, 21, 1);
    case.nest.body.scalars[2] = Scalar::Index(position.plus(&Index::constant(1)));
    assert_eq!(form_of(&case), Form::Points);
    let mut case = running(2, 9, 5, false);
    case.nest.reads[0].index[1] = Index::axis(1);
    assert_eq!(form_of(&case), Form::Points);
    let mut case = scatter(1, 9, 17, 21, 1);
    let mut epilogue = Body::default();
    epilogue.push(Scalar::Reduced);
    case.nest.epilogue = Some(epilogue);
    assert_eq!(form_of(&case), Form::Points);
}

/// Zeros, and then rows of `p0` added where `p1` says: 3 rows of 8 into 5.
fn rows() -> Kernel {
    let parameter = |dtype, elements, usage| Parameter { dtype, elements, usage };
    let load = |parameter, index| Expression::Load { parameter: ParameterId(parameter), index };
    let zeros = vec![Statement::Store { parameter: ParameterId(2), index: Index::axis(0), value: Var(0) }];
    let gathered = Index::atom(Atom::Gathered { read: 1, bound: 5 });
    let row = vec![
        Statement::Let(Var(2), load(0, Index::axis(1).times(8).plus(&Index::axis(2)))),
        Statement::Accumulate {
            parameter: ParameterId(2),
            index: gathered.times(8).plus(&Index::axis(2)),
            value: Var(2),
        },
    ];
    let each = |id, extent, kind, body| Statement::Loop { id: LoopId(id), extent, kind, body };
    let rows = vec![Statement::Let(Var(1), load(1, Index::axis(1))), each(2, 8, LoopKind::lanes(1), row)];
    Kernel {
        name: "rows".to_string(),
        parameters: vec![
            parameter(DType::F32, 24, Usage::Read),
            parameter(DType::U32, 3, Usage::Read),
            parameter(DType::F32, 40, Usage::Written),
        ],
        vars: vec![DType::F32, DType::U32, DType::F32],
        registers: Vec::new(),
        fragments: Vec::new(),
        loops: 3,
        threads: None,
        body: vec![
            Statement::Let(Var(0), Expression::Constant(DType::F32, 0.0)),
            each(0, 40, LoopKind::lanes(4), zeros),
            each(1, 3, LoopKind::Serial, rows),
        ],
    }
}

/// The statements of a loop.
fn body(statement: &mut Statement) -> &mut Vec<Statement> {
    match statement {
        Statement::Loop { body, .. } => body,
        other => panic!("{other:?} is no loop"),
    }
}

/// The statements of the loop over rows, or of that over their elements.
fn body_of(kernel: &mut Kernel, id: usize) -> &mut Vec<Statement> {
    let rows = body(kernel.body.last_mut().expect("the kernel has loops"));
    if id == 1 { rows } else { body(rows.last_mut().expect("the loop over elements is the last")) }
}

/// The rows kernel changed: what the verifier says.
fn refused(change: impl Fn(&mut Kernel)) -> &'static str {
    let mut kernel = rows();
    assert_eq!(verify(&kernel), Ok(()));
    change(&mut kernel);
    match verify(&kernel) {
        Err(VerifyError::Parameter { parameter: ParameterId(2), reason }) => reason,
        other => panic!("{other:?} of\n{kernel}"),
    }
}

#[test]
fn what_is_added_to_was_stored_before_and_once() {
    let before = "is added to before all its elements are stored";
    assert_eq!(refused(|kernel| drop(kernel.body.remove(1))), before);
    assert_eq!(refused(|kernel| kernel.body.swap(1, 2)), before);
    let fewer = |kernel: &mut Kernel| {
        let Statement::Loop { extent, .. } = &mut kernel.body[1] else { panic!("a loop") };
        *extent = 39;
    };
    assert_eq!(refused(fewer), before);
    let together = |kernel: &mut Kernel| {
        let zeros = kernel.body.remove(1);
        body_of(kernel, 1).insert(0, zeros);
    };
    assert_eq!(refused(together), before);
    let again = |kernel: &mut Kernel| {
        kernel.body.push(Statement::Store { parameter: ParameterId(2), index: Index::default(), value: Var(0) });
    };
    assert_eq!(refused(again), "is stored to after it was added to");
    assert_eq!(refused(|kernel| kernel.parameters[2].usage = Usage::Read), "is not written and so cannot be stored to");
}

#[test]
fn lanes_add_to_different_elements() {
    let same = "is added to at positions that may be the same in two lanes";
    let at = |index: Index| {
        move |kernel: &mut Kernel| {
            let Statement::Accumulate { index: own, .. } = &mut body_of(kernel, 2)[1] else { panic!("a sum") };
            *own = index.clone();
        }
    };
    assert_eq!(refused(at(Index::atom(Atom::Gathered { read: 1, bound: 5 }))), same);
    assert_eq!(refused(at(Index::axis(2).divided(2, &[40, 3, 8]))), same);
    let inside = |kernel: &mut Kernel| {
        let load = body_of(kernel, 1).remove(0);
        body_of(kernel, 2).insert(0, load);
    };
    assert_eq!(refused(inside), same);
    let twice = |kernel: &mut Kernel| {
        let sum = body_of(kernel, 2)[1].clone();
        body_of(kernel, 2).push(sum);
    };
    assert_eq!(refused(twice), "is added to twice in a lanes loop");
    let nested = |kernel: &mut Kernel| {
        let sum = body_of(kernel, 2).remove(1);
        kernel.loops = 4;
        let inner = Statement::Loop { id: LoopId(3), extent: 2, kind: LoopKind::Serial, body: vec![sum] };
        body_of(kernel, 2).push(inner);
    };
    assert_eq!(refused(nested), "is added to in a loop inside of a lanes loop");
}
