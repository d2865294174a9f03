//! Kernels that whole steps run on a GPU: what they look like, how often they load, and in how many grids.

mod steps;

use steps::plan;
use tapeless_compiler::backend::ptx::emit;
use tapeless_compiler::kernel::{Expression, Kernel, Statement, Usage};
use tapeless_compiler::plan::Plan;

/// What begins each step here.
const ROWS: &str = "pub step Rows(x: f32<dyn B, dyn C>) -> f32<B, C>";

/// How often statements load from each parameter and store to it.
fn accesses(statements: &[Statement], times: usize, found: &mut [usize]) {
    for statement in statements {
        match statement {
            Statement::Loop { extent, body, .. } => accesses(body, times * extent, found),
            Statement::Let(_, Expression::Load { parameter, .. })
            | Statement::Store { parameter, .. }
            | Statement::Accumulate { parameter, .. } => found[parameter.0] += times,
            Statement::Let(..) | Statement::Assign(..) => {}
        }
    }
}

/// For each array of the kernel, how often its elements are loaded or stored.
fn per_element(kernel: &Kernel) -> Vec<f64> {
    let mut found = vec![0; kernel.parameters.len()];
    accesses(&kernel.body, 1, &mut found);
    found.iter().zip(&kernel.parameters).map(|(&times, array)| times as f64 / array.elements as f64).collect()
}

/// How often the text of a kernel has an instruction.
fn count(kernel: &Kernel, instruction: &str) -> usize {
    emit(kernel).expect("the kernel is for threads").text.matches(instruction).count()
}

/// The blocks of all grids of a step, kernel by kernel.
fn blocks(plan: &Plan) -> Vec<Vec<usize>> {
    let of = |kernel: &Kernel| -> Vec<usize> {
        let code = emit(kernel).expect("the kernel is for threads");
        code.entries.iter().map(|entry| entry.blocks).collect()
    };
    plan.launches.iter().map(|launch| of(&plan.kernels[launch.kernel])).collect()
}

#[test]
fn a_row_of_softmax_stays_in_registers() {
    let plan = plan(&format!("{ROWS} {{ x.softmax(1) }}"), &[("B", 64), ("C", 1000)], 256);
    insta::assert_snapshot!(plan.kernels[0], @"");
}

/// Each element is loaded once and stored once, four at a time, and nothing else moves.
#[test]
fn softmax_of_1000_columns_loads_each_element_once() {
    for body in ["x.softmax(1)", "x.log_softmax(1)"] {
        for rows in [64, 4096] {
            let plan = plan(&format!("{ROWS} {{ {body} }}"), &[("B", rows), ("C", 1000)], 256);
            assert_eq!(plan.kernels.len(), 1);
            let kernel = &plan.kernels[0];
            assert_eq!(per_element(kernel), [1.0, 1.0], "{kernel}");
            let groups = if rows == 64 { 1 } else { 2 };
            assert_eq!(count(kernel, "ld.global.nc.v4.f32"), groups, "{kernel}");
            assert_eq!(count(kernel, "st.global.v4.f32"), groups, "{kernel}");
            assert_eq!(count(kernel, "ld.global"), groups, "{kernel}");
        }
    }
}

/// Registers do not hold such a row: it is loaded for each of the three things that are done with it, and nothing is stored
/// on the way.
#[test]
fn softmax_of_50257_columns_keeps_nothing_in_memory() {
    let plan = plan(&format!("{ROWS} {{ x.softmax(1) }}"), &[("B", 64), ("C", 50257)], 256);
    assert_eq!(plan.kernels.iter().map(per_element).collect::<Vec<_>>(), [[3.0, 1.0]]);
    assert_eq!(blocks(&plan), [[64]]);
}

/// Forward and backward, and the sums over the rows that the updates need.
#[test]
fn layer_norm_loads_each_element_once() {
    let text = "
        pub model Net(x: f32<N, 512>) -> f32<N, 512> { let norm = LayerNorm(512); x.norm() }
        pub step Train(x: f32<dyn B, 512>, lr: f32) {
            let net = Net();
            let loss = net(x).pow(2.0).mean();
            minimize(loss, over = net, with = Sgd(lr));
            metric(loss);
        }";
    let plan = plan(text, &[("B", 4096)], 256);
    let rows = |kernel: &&Kernel| kernel.parameters.iter().any(|array| array.elements == 4096 * 512);
    for kernel in plan.kernels.iter().filter(rows) {
        for (array, times) in kernel.parameters.iter().zip(per_element(kernel)) {
            assert!(array.usage != Usage::Read || array.elements < 4096 * 512 || times == 1.0, "{kernel}");
        }
    }
}

#[test]
fn a_short_row_of_softmax() {
    let plan = plan(&format!("{ROWS} {{ x.softmax(1) }}"), &[("B", 2), ("C", 64)], 256);
    let code = emit(&plan.kernels[0]).expect("the kernel is for threads");
    insta::assert_snapshot!(code.text.replace('\t', "    "), @"");
}

#[test]
fn neighbours_move_together() {
    let text = "pub step Line(x: f32<dyn B>, y: f32<B>) -> f32<B> { x * 2.0 + y }";
    let code = emit(&plan(text, &[("B", 4096)], 256).kernels[0]).expect("the kernel is for threads");
    insta::assert_snapshot!(code.text.replace('\t', "    "), @"");
}

/// What is left over of the blocks runs in the same grid, in vectors as long as it falls into them.
#[test]
fn what_is_left_over_needs_no_grid_of_its_own() {
    let text = "pub step Line(x: f32<dyn B>, y: f32<B>) -> f32<B> { x * 2.0 + y }";
    assert_eq!(blocks(&plan(text, &[("B", 1_000_003)], 256)), [[977]]);
}

const CLASSIFIER: &str = "
    pub model Net(x: f32<N, 784>) -> f32<N, 10> {
        let fc1 = Linear(512);
        let fc2 = Linear(10);
        x.fc1().relu().fc2()
    }
    pub step Train(x: f32<dyn B, 784>, label: u32<B>, lr: f32) {
        let net = Net();
        let logits = net(x);
        let loss = cross_entropy(logits, label);
        minimize(loss, over = net, with = Adam(lr));
        metric(loss, correct = logits.argmax(1).eq(label).sum());
    }";

/// The loss, the gradient of the logits, its sums over the batch and the metrics of a small batch are one grid of one block;
/// with a larger one, another grid sums up what blocks have.
#[test]
fn a_step_of_a_classifier_is_a_grid_per_kernel() {
    let of = |batch: usize| blocks(&plan(CLASSIFIER, &[("B", batch)], 256));
    let small = of(64);
    assert_eq!(small.iter().map(Vec::len).sum::<usize>(), small.len(), "{small:?}");
    let large = of(4096);
    assert!(large.iter().map(Vec::len).sum::<usize>() <= large.len() + 4, "{large:?}");
}

/// The updates of several small tensors are the blocks of one grid.
#[test]
fn small_tensors_are_updated_at_once() {
    let text = "
        pub model Net(x: f32<N, 8>) -> f32<N, 8> {
            let a = LayerNorm(8);
            let b = LayerNorm(8);
            let c = LayerNorm(8);
            x.a().tanh().b().tanh().c()
        }
        pub step Train(x: f32<dyn B, 8>, lr: f32) {
            let net = Net();
            let loss = net(x).pow(2.0).mean();
            minimize(loss, over = net, with = Adam(lr));
            metric(loss);
        }";
    let plan = plan(text, &[("B", 4)], 256);
    let written =
        |kernel: &&Kernel| kernel.parameters.iter().filter(|array| array.usage == Usage::Written).count() >= 18;
    let kernels: Vec<&Kernel> = plan.kernels.iter().filter(written).collect();
    assert_eq!(kernels.len(), 1, "six tensors with two slots each are one kernel");
    let entries = emit(kernels[0]).expect("the kernel is for threads").entries;
    assert_eq!(entries.iter().map(|entry| entry.blocks).collect::<Vec<_>>(), [6]);
}
