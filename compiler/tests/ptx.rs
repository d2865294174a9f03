//! PTX of kernels: as it is written, and as an assembler takes it, where there is one.

mod nests;
#[path = "../../runtime/tests/samples/mod.rs"]
mod samples;

use nests::{cases, contract, row_bias};
use samples::{gradients, leaves, retyped};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use tapeless_compiler::backend::ptx::{EmitError, emit};
use tapeless_compiler::fuse::Fusion;
use tapeless_compiler::graph::Graph;
use tapeless_compiler::kernel::Kernel;
use tapeless_compiler::ops::OPS;
use tapeless_compiler::pipeline::{self, Options};
use tapeless_compiler::schedule;
use tapeless_compiler::target::Target;

/// The PTX of a case for blocks of this many threads, without what all modules begin with.
fn ptx(case: &nests::Case, threads: usize) -> String {
    let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::gpu(threads));
    let code = emit(&kernel).expect("the kernel is for threads");
    code.text.split_once("\n\n").expect("an empty line follows the header").1.replace('\t', "    ")
}

#[test]
fn elementwise() {
    insta::assert_snapshot!(ptx(&row_bias(64, 7), 32), @"");
}

#[test]
fn sums_of_rows() {
    insta::assert_snapshot!(ptx(&nests::reduce(tapeless_compiler::nest::Reducer::Sum, [1, 3, 200], 2), 64), @"");
}

#[test]
fn vectors_have_no_ptx() {
    let case = contract("ik,kj->ij", [6, 8, 10]);
    let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::default());
    assert_eq!(emit(&kernel), Err(EmitError::NoThreads("kernel".to_string())));
}

/// The assembler, if there is one.
fn assembler() -> Option<PathBuf> {
    let named = std::env::var_os("TAPELESS_PTXAS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        named.or_else(|| std::env::split_paths(&path).map(|folder| folder.join("ptxas")).find(|file| file.is_file()));
    if found.is_none() {
        eprintln!("skipped: there is no ptxas");
    }
    found
}

/// Modules of so many kernels are assembled together.
const TOGETHER: usize = 200;

/// What the assembler says against kernels, all of them different.
fn complaints(ptxas: &Path, kernels: &[Kernel]) -> Vec<String> {
    let mut complaints = Vec::new();
    let folder = std::env::temp_dir().join(format!("tapeless-ptx-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("there is room for a folder");
    let architectures = ["sm_80", "sm_90a"];
    for (number, kernels) in kernels.chunks(TOGETHER).enumerate() {
        let texts = kernels.iter().map(|kernel| emit(kernel).expect("the kernel is for threads").text);
        let mut module = String::new();
        for text in texts {
            let (header, functions) = text.split_once("\n\n").unwrap_or((&text, ""));
            if module.is_empty() {
                module += &format!("{header}\n");
            }
            module += &format!("\n{functions}");
        }
        let source = folder.join(format!("{number}.ptx"));
        std::fs::write(&source, &module).expect("there is room for a file");
        let architecture = architectures[number % architectures.len()];
        let output = Command::new(ptxas)
            .args(["-v", "-arch", architecture, "-o"])
            .arg(folder.join("cubin"))
            .arg(&source)
            .output()
            .expect("the assembler runs");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let spills =
            |line: &&str| line.contains("spill") && !line.contains("0 bytes spill stores, 0 bytes spill loads");
        let wrong =
            |line: &&str| line.contains("error") || line.contains("warning") || line.contains("C75") || spills(line);
        complaints.extend(said.lines().filter(wrong).map(|line| format!("{architecture}: {line}")));
        assert!(output.status.success(), "{}\n{}", complaints.join("\n"), source.display());
    }
    std::fs::remove_dir_all(&folder).expect("the folder is there");
    complaints
}

/// The kernels of a graph for a GPU.
fn planned(graph: &Graph, fusion: Fusion, target: &Target) -> Vec<Kernel> {
    let options = Options { fusion, ..Options::default() };
    pipeline::plan(graph, &[], &options, target).unwrap_or_else(|error| panic!("{error}")).kernels
}

/// Kernels that differ in more than their names, each with a name of its own.
fn different(kernels: impl IntoIterator<Item = Kernel>) -> Vec<Kernel> {
    let mut seen = BTreeSet::new();
    let unnamed = |kernel: Kernel| Kernel { name: String::new(), ..kernel };
    let mut kernels: Vec<Kernel> =
        kernels.into_iter().map(unnamed).filter(|kernel| seen.insert(kernel.to_string())).collect();
    kernels.iter_mut().enumerate().for_each(|(number, kernel)| kernel.name = number.to_string());
    kernels
}

/// Every op forward and backward: no errors, no notes, and no registers in memory.
#[test]
fn the_assembler_takes_every_op() {
    let Some(ptxas) = assembler() else { return };
    let target = Target::gpu(256);
    let mut kernels = Vec::new();
    for &op in OPS {
        for (number, sample) in op.samples().iter().enumerate() {
            for (_, sample) in retyped(op, sample, number) {
                let forward = sample.graph(op).expect("samples are well typed");
                assert_eq!(leaves(&forward, &sample).len(), sample.operands.len(), "each operand is a leaf");
                let graphs = [Some(forward), gradients(op, &sample)];
                kernels
                    .extend(graphs.into_iter().flatten().flat_map(|graph| planned(&graph, Fusion::default(), &target)));
            }
        }
    }
    let kernels = different(kernels);
    println!("{} kernels", kernels.len());
    let complaints = complaints(&ptxas, &kernels);
    assert!(
        complaints.is_empty() && kernels.len() > OPS.len(),
        "{} kernels:\n{}",
        kernels.len(),
        complaints.join("\n")
    );
}

/// Nests of every kind, at sizes around those of blocks.
#[test]
fn the_assembler_takes_every_nest() {
    let Some(ptxas) = assembler() else { return };
    let kernel = |case: &nests::Case| schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::gpu(64));
    let kernels = different(cases().iter().map(kernel));
    println!("{} kernels", kernels.len());
    let complaints = complaints(&ptxas, &kernels);
    assert!(complaints.is_empty() && !kernels.is_empty(), "{} kernels:\n{}", kernels.len(), complaints.join("\n"));
}
