//! Kernels on a GPU compute what the interpreter computes, bit by bit: nests of every kind, every op forward and backward,
//! and random graphs.

#[path = "../bytes/mod.rs"]
mod bytes;
mod launcher;
#[path = "../../../compiler/tests/matrices/mod.rs"]
mod matrices;
#[path = "../../../compiler/tests/nests/mod.rs"]
mod nests;
mod plans;
mod rows;
#[path = "../../../compiler/tests/rows/mod.rs"]
mod rows_of_ops;

use launcher::Gpu;
use matrices::{halves, in_halves, matrices};
use nests::contractions::Product;
use nests::{Case, cases, contract, reduce, reduce_all, row_bias, transposed};
use tapeless_compiler::fuse::Fusion;
use tapeless_compiler::generate::{Generated, generate};
use tapeless_compiler::graph::{Array, Graph};
use tapeless_compiler::kernel::verify;
use tapeless_compiler::nest::Reducer;
use tapeless_compiler::ops::OPS;
use tapeless_compiler::pipeline::{self, Options};
use tapeless_compiler::plan::Plan;
use tapeless_compiler::samples::{gradients, leaves, retyped};
use tapeless_compiler::schedule;
use tapeless_compiler::target::{Precision, Target};

/// One warp, several, and as many as are usual; in blocks as they pay and as small as can be.
fn targets() -> [Target; 4] {
    [Target::gpu(32), Target { piece: 1, ..Target::gpu(64) }, Target::gpu(256), Target { piece: 1, ..Target::gpu(256) }]
}

#[test]
fn cuda_nests_agree_with_the_interpreter() {
    let Some(gpu) = Gpu::find() else { return };
    let mut held = 0;
    for target in targets() {
        for case in cases() {
            hold(&gpu, &case, &target);
            held += 1;
        }
    }
    println!("{held} kernels held");
}

/// Holds the kernel of a nest against the interpreter.
fn hold(gpu: &Gpu, case: &Case, target: &Target) {
    let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", target);
    assert_eq!(verify(&kernel), Ok(()), "{}: {target:?}\n{kernel}", case.name);
    let mut arrays = case.operands.clone();
    arrays.push(vec![0.0; kernel.parameters[arrays.len()].elements]);
    let numbers: Vec<usize> = (0..arrays.len()).collect();
    gpu.hold(&kernel, &arrays, &numbers).unwrap_or_else(|error| panic!("{}: {target:?}: {error}", case.name));
}

/// Nests that fill several blocks, whole tiles and parts of them.
#[test]
fn cuda_large_nests_agree_with_the_interpreter() {
    let Some(gpu) = Gpu::find() else { return };
    let mut cases = vec![row_bias(500, 33), transposed(70, 90), reduce_all(9000)];
    for reducer in [Reducer::Sum, Reducer::Max] {
        cases.extend([reduce(reducer, [3, 1, 5000], 2), reduce(reducer, [1, 4000, 9], 1)]);
        cases.extend([reduce(reducer, [2, 700, 64], 1), reduce(reducer, [300, 3, 130], 2)]);
    }
    for equation in ["ik,kj->ij", "ik,jk->ij", "ki,kj->ij", "ki,jk->ij", "bik,bjk->bij"] {
        cases.extend([contract(equation, [64, 64, 64]), contract(equation, [70, 33, 130])]);
    }
    for target in [Target::gpu(32), Target::gpu(64), Target::gpu(256)] {
        cases.iter().for_each(|case| hold(&gpu, case, &target));
    }
    // So many tiles that they get large.
    hold(&gpu, &contract("ik,kj->ij", [512, 512, 9]), &Target::gpu(32));
}

/// So many tiles that they get large: 96 of 64 by 64, and of 128 by 128, of which those at the ends are not all there.
fn many_tiles() -> Vec<Case> {
    let sizes = [("bik,bjk->bij", [70, 100, 44]), ("bki,bkj->bij", [72, 100, 70]), ("bik,bkj->bij", [130, 196, 20])];
    let case = |(equation, [i, j, k]): (&str, [usize; 3])| {
        Product::new(equation).case(&|label| match label {
            'b' => 24,
            'i' => i,
            'j' => j,
            _ => k,
        })
    };
    sizes.into_iter().map(case).collect()
}

/// Products on tensor cores, in tiles of every size, of what is rounded to tf32 and to bf16.
#[test]
fn cuda_products_on_tensor_cores_agree_with_the_interpreter() {
    let Some(gpu) = Gpu::find() else { return };
    for precision in [Precision::Tf32, Precision::Bf16] {
        let target = Target { precision, ..Target::gpu(256) };
        matrices().iter().chain(&many_tiles()).for_each(|case| hold(&gpu, case, &target));
    }
    let target = Target::gpu(256);
    let large = many_tiles().into_iter().map(in_halves);
    halves().into_iter().chain(large).for_each(|case| hold(&gpu, &case, &target));
}

/// The plan of a graph for a GPU, with the arrays of the leaves that it still has.
fn planned(graph: &Graph, arrays: &[Array], fusion: Fusion, target: &Target) -> (Plan, Vec<Array>) {
    let options = Options { fusion, ..Options::default() };
    let plan = pipeline::plan(graph, &[], &options, target).unwrap_or_else(|error| panic!("{error}"));
    let number = |leaf| graph.leaves().position(|(_, other, _)| *other == leaf).expect("leaves stay what they are");
    let left = plan.leaves.iter().map(|leaf| arrays[number(leaf.leaf.clone())].clone()).collect();
    (plan, left)
}

/// Every op forward and backward, fused and not, at one number of threads each.
#[test]
fn cuda_ops_agree_with_the_interpreter() {
    let Some(gpu) = Gpu::find() else { return };
    let (mut failures, mut held, mut turn) = (Vec::new(), 0, 0);
    for &op in OPS {
        for (number, sample) in op.samples().iter().enumerate() {
            for (dtype, sample) in retyped(op, sample, number) {
                let forward = sample.graph(op).expect("samples are well typed");
                for graph in [Some(forward), gradients(op, &sample)].into_iter().flatten() {
                    turn += 1;
                    let target = targets()[turn % targets().len()];
                    let fusion = if turn % 3 == 0 { Fusion::none() } else { Fusion::default() };
                    let (plan, arrays) = planned(&graph, &leaves(&graph, &sample), fusion, &target);
                    match plans::hold(&gpu, &plan, &arrays) {
                        Ok(launches) => held += launches,
                        Err(error) => failures.push(format!("{} {number} in {dtype}: {error}", op.name())),
                    }
                }
            }
        }
    }
    println!("{held} launches held");
    let first = failures.first().cloned().unwrap_or_default();
    assert!(failures.is_empty() && held > 4 * OPS.len(), "{held} held, {} not: {first}", failures.len());
}

#[test]
fn cuda_random_graphs_agree_with_the_interpreter() {
    let Some(gpu) = Gpu::find() else { return };
    let mut held = 0;
    for seed in 0..200 {
        let Generated { graph, leaves } = generate(seed, 6);
        let target = targets()[seed as usize % targets().len()];
        let (plan, arrays) = planned(&graph, &leaves, Fusion::default(), &target);
        held += plans::hold(&gpu, &plan, &arrays).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    println!("{held} launches held");
}
