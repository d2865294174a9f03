//! The pipeline: its stages, its options, and whose mistake an error is.

use crate::runs::{CHAINS, assert_runs};
use crate::steps::{descent, input, metric, parameter};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::graph::{
    Array, Attributes, Builder, Call, Graph, Infer, Leaf, Lowering, Op, Origin, Role, Sample, TypeError, ValueId, Vjp,
    print,
};
use tapeless_compiler::nest::Index;
use tapeless_compiler::ops::*;
use tapeless_compiler::pipeline::{self, Broken, CompileError, Fusion, Options};
use tapeless_compiler::shape::{Extent, Shape, Symbol, Type};
use tapeless_compiler::target::Target;

/// `mean(softmax(x))` of an open number of rows, and the gradient of a parameter.
fn open() -> Graph {
    let mut graph = Graph::new("Open");
    graph.dims.push(Symbol::new("B"));
    let shape = Shape::new(vec![Extent::symbol(Symbol::new("B")), Extent::from(3)]);
    let x = graph.leaf(Leaf::User { name: "x".into() }, Type::new(DType::F32, shape.clone()));
    let label = graph
        .leaf(Leaf::User { name: "label".into() }, Type::new(DType::U32, Shape::new(shape.extents()[..1].to_vec())));
    let p = parameter(&mut graph, "p", &[3]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let p_rows = broadcast(&mut b, p, &shape);
    let moved = mul(&mut b, x, p_rows);
    let loss = cross_entropy(&mut b, moved, label, 0.0, "mean");
    let gradient = sum(&mut b, moved, &[0]);
    metric(&mut graph, "loss", loss);
    graph.result(Role::Gradient { store: 0, key: "p".into() }, gradient);
    graph
}

#[test]
fn a_step_goes_through_every_stage() {
    let stages =
        pipeline::stages(&open(), &[("B", 4)], &Options::default(), &Target::default()).expect("the step compiles");
    let passes: Vec<&str> = stages.iter().map(|stage| stage.pass).collect();
    assert_eq!(passes, ["bind", "simplify", "expand", "simplify", "fuse", "schedule", "plan"]);
    assert!(stages.iter().all(|stage| !stage.text.is_empty()));
}

#[test]
fn what_the_macro_embeds_is_what_is_compiled() {
    let graph = pipeline::finish(&open()).expect("the step is right");
    assert!(graph.nodes().all(|(_, node)| !node.op.is_composite()));
    let loaded = pipeline::load(&print(&graph)).expect("a printed graph parses");
    assert_eq!(print(&loaded), print(&graph));
    for fusion in [Fusion::default(), Fusion::none()] {
        for rows in [1, 4, 7] {
            let options = Options { fusion, keep_gradients: true, ..Options::default() };
            let plan =
                pipeline::plan(&loaded, &[("B", rows)], &options, &Target::default()).expect("the step compiles");
            let bound = tapeless_compiler::graph::bind(&loaded, &[(Symbol::new("B"), Extent::from(rows))].into());
            assert_runs(&bound.expect("every extent is known"), &plan);
        }
    }
}

#[test]
fn gradients_are_kept_on_demand() {
    let plan = |keep_gradients| {
        let options = Options { keep_gradients, ..Options::default() };
        pipeline::plan(&open(), &[("B", 4)], &options, &Target::default()).expect("the step compiles")
    };
    let (without, with) = (plan(false), plan(true));
    assert_eq!((without.results.len(), with.results.len()), (1, 2));
    assert!(without.launches.len() <= with.launches.len() && without.workspace_bytes < with.workspace_bytes);
}

#[test]
fn labels_are_bounded_before_and_after_expansion() {
    for graph in [open(), pipeline::finish(&open()).expect("the step is right")] {
        let plan =
            pipeline::plan(&graph, &[("B", 4)], &Options::default(), &Target::default()).expect("the step compiles");
        let bounds: Vec<(usize, usize)> = plan.bounds.iter().map(|bound| (bound.leaf, bound.below)).collect();
        assert_eq!(bounds, [(1, 3)]);
    }
}

#[test]
fn what_is_not_fused_is_told() {
    let options = Options { fusion: CHAINS, ..Options::default() };
    let plan = pipeline::plan(&descent(), &[], &options, &Target::default()).expect("the step compiles");
    assert!(
        plan.unfused.iter().any(|line| line == "contract is not part of add: the producer reduces"),
        "{:?}",
        plan.unfused
    );
}

#[test]
fn extents_that_do_not_fit_are_the_users_mistake() {
    let unset = pipeline::plan(&open(), &[], &Options::default(), &Target::default()).expect_err("B is not set");
    assert!(matches!(unset, CompileError::Bind(_)), "{unset}");
}

/// An op whose lowering reads beyond its operand.
struct Beyond;

impl Op for Beyond {
    fn name(&self) -> &'static str {
        "beyond"
    }

    fn doc(&self) -> &'static str {
        "beyond(x: T<N>) -> T<N>: x, read one too far"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        Ok(vec![x.clone()])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::none(call)
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::View(vec![Index::axis(0).plus(&Index::constant(1))])
    }

    fn reference(&self, _call: &Call, operands: &[&Array]) -> Vec<Array> {
        vec![operands[0].clone()]
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

#[test]
fn a_wrong_pass_is_named() {
    let mut graph = Graph::new("Wrong");
    let x = input(&mut graph, "x", DType::F32, &[5]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let y = b.apply(&Beyond, Attributes::none(), &[x]);
    let z = relu(&mut b, y);
    metric(&mut graph, "z", z);
    let error =
        pipeline::plan(&graph, &[], &Options::default(), &Target::default()).expect_err("a read is out of bounds");
    let CompileError::Verify { pass, error: broken } = &error else { panic!("{error}") };
    assert!(*pass == "fuse" && matches!(**broken, Broken::Nest(..)), "{error}");
    assert!(
        error.to_string().starts_with("a mistake of tapeless: after pass `fuse`, the nest of group `relu` is wrong")
    );
}

#[cfg(feature = "cranelift")]
#[test]
fn every_kernel_gets_code() {
    use tapeless_compiler::pipeline::emit;
    let flags = cranelift_codegen::settings::Flags::new(cranelift_codegen::settings::builder());
    let host =
        cranelift_codegen::isa::lookup(target_lexicon::Triple::host()).expect("the tests run on a known machine");
    let isa = host.finish(flags).expect("the default settings are consistent");
    let plan = pipeline::plan(&descent(), &[], &Options::default(), &Target::default()).expect("the step compiles");
    let program = emit(plan, &*isa, &Target::default()).expect("every kernel can be emitted");
    assert_eq!(program.code.len(), program.plan.kernels.len());
    assert!(program.code.iter().all(|code| code.functions.iter().all(|function| !function.bytes.is_empty())));
}
