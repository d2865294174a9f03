//! PTX of kernels: as it is written, and as an assembler takes it, where there is one.

mod matrices;
mod nests;
mod rows;

use matrices::{halves, in_halves, matrices};
use nests::contractions::Product;
use nests::{Case, cases, contract, reduce, row_bias};
use rows::{OVER_ROWS, row_sample};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use tapeless_compiler::backend::ptx::{EmitError, emit};
use tapeless_compiler::fuse::Fusion;
use tapeless_compiler::graph::Graph;
use tapeless_compiler::kernel::Kernel;
use tapeless_compiler::nest::Reducer;
use tapeless_compiler::ops::OPS;
use tapeless_compiler::pipeline::{self, Options};
use tapeless_compiler::samples::{gradients, leaves, retyped};
use tapeless_compiler::schedule;
use tapeless_compiler::target::{Precision, Target};

/// The PTX of a case for blocks of this many threads, without what all modules begin with.
fn ptx(case: &Case, threads: usize) -> String {
    let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &Target::gpu(threads));
    let code = emit(&kernel).expect("the kernel is for threads");
    code.text.split_once("\n\n").expect("an empty line follows the header").1.replace('\t', "    ")
}

#[test]
fn elementwise() {
    insta::assert_snapshot!(ptx(&row_bias(8, 4), 32), @r"
    .visible .entry k_kernel_0(.param .u64 a0, .param .u64 a1, .param .u64 a2, .param .u64 a3)
    .maxntid 32, 1, 1
    {
        .reg .pred %p<3>;
        .reg .b32 %r<4>;
        .reg .b64 %d<11>;
        .reg .f32 %f<7>;
        mov.u32 %r0, %tid.x;
        mov.u32 %r1, %ctaid.x;
        setp.eq.u32 %p0, %r0, 0;
        ld.param.u64 %d0, [a0];
        cvta.to.global.u64 %d1, %d0;
        ld.param.u64 %d2, [a1];
        cvta.to.global.u64 %d3, %d2;
        ld.param.u64 %d4, [a2];
        cvta.to.global.u64 %d5, %d4;
        ld.param.u64 %d6, [a3];
        cvta.to.global.u64 %d7, %d6;
        mov.b32 %r2, 0;
        ld.global.nc.f32 %f0, [%d5];
        mad.wide.s32 %d8, %r0, 4, %d1;
        ld.global.f32 %f1, [%d8];
        and.b32 %r3, %r0, 3;
        mad.wide.s32 %d9, %r3, 4, %d3;
        ld.global.nc.f32 %f2, [%d9];
        add.rn.f32 %f3, %f1, %f2;
        setp.lt.f32 %p1, 0f00000000, %f3;
        selp.f32 %f4, %f3, 0f00000000, %p1;
        setp.neu.f32 %p2, %f3, %f3;
        selp.f32 %f5, %f3, %f4, %p2;
        mul.rn.f32 %f6, %f5, %f0;
        mad.wide.s32 %d10, %r0, 4, %d7;
        st.global.f32 [%d10], %f6;
        ret;
    }
    ");
}

#[test]
fn sums_of_rows() {
    insta::assert_snapshot!(ptx(&reduce(Reducer::Sum, [1, 3, 200], 2), 64), @r"
    .visible .entry k_kernel_0(.param .u64 a0, .param .u64 a1, .param .u64 a2)
    .maxntid 64, 1, 1
    {
        .shared .align 8 .b8 fold[16];
        .reg .pred %p<3>;
        .reg .b32 %r<24>;
        .reg .b64 %d<10>;
        .reg .f32 %f<37>;
        mov.u32 %r0, %tid.x;
        mov.u32 %r1, %ctaid.x;
        setp.eq.u32 %p0, %r0, 0;
        ld.param.u64 %d0, [a0];
        cvta.to.global.u64 %d1, %d0;
        ld.param.u64 %d2, [a1];
        cvta.to.global.u64 %d3, %d2;
        ld.param.u64 %d4, [a2];
        cvta.to.global.u64 %d5, %d4;
        mov.b32 %r2, 0;
        mov.f32 %f0, 0f00000000;
        mov.f32 %f1, 0f00000000;
        mov.f32 %f2, 0f00000000;
        mov.f32 %f3, 0f00000000;
        mov.f32 %f4, 0f00000000;
        mul.lo.u32 %r3, %r0, 4;
        setp.ge.u32 %p1, %r0, 50;
        @%p1 bra L0;
        mad.wide.s32 %d6, %r1, 800, %d1;
        mad.wide.s32 %d7, %r3, 4, %d6;
        ld.global.nc.v4.f32 {%f5, %f6, %f7, %f8}, [%d7];
        mov.f32 %f9, %f0;
        mov.f32 %f10, %f1;
        mov.f32 %f11, %f2;
        mov.f32 %f12, %f3;
        add.rn.f32 %f13, %f9, %f5;
        add.rn.f32 %f14, %f10, %f6;
        add.rn.f32 %f15, %f11, %f7;
        add.rn.f32 %f16, %f12, %f8;
        mov.f32 %f0, %f13;
        mov.f32 %f1, %f14;
        mov.f32 %f2, %f15;
        mov.f32 %f3, %f16;
    L0:
        add.rn.f32 %f17, %f0, %f2;
        add.rn.f32 %f18, %f1, %f3;
        add.rn.f32 %f19, %f17, %f18;
        mov.b32 %r4, %f19;
        shfl.sync.down.b32 %r5, %r4, 16, 31, 0xffffffff;
        mov.b32 %f20, %r5;
        add.rn.f32 %f21, %f19, %f20;
        mov.b32 %r6, %f21;
        shfl.sync.down.b32 %r7, %r6, 8, 31, 0xffffffff;
        mov.b32 %f22, %r7;
        add.rn.f32 %f23, %f21, %f22;
        mov.b32 %r8, %f23;
        shfl.sync.down.b32 %r9, %r8, 4, 31, 0xffffffff;
        mov.b32 %f24, %r9;
        add.rn.f32 %f25, %f23, %f24;
        mov.b32 %r10, %f25;
        shfl.sync.down.b32 %r11, %r10, 2, 31, 0xffffffff;
        mov.b32 %f26, %r11;
        add.rn.f32 %f27, %f25, %f26;
        mov.b32 %r12, %f27;
        shfl.sync.down.b32 %r13, %r12, 1, 31, 0xffffffff;
        mov.b32 %f28, %r13;
        add.rn.f32 %f29, %f27, %f28;
        mov.u32 %r14, fold;
        shr.u32 %r15, %r0, 5;
        mad.lo.s32 %r16, %r15, 4, %r14;
        and.b32 %r17, %r0, 31;
        setp.eq.u32 %p2, %r17, 0;
        @%p2 st.shared.f32 [%r16+0], %f29;
        bar.sync 0;
        and.b32 %r18, %r0, 1;
        mad.lo.s32 %r19, %r18, 4, %r14;
        ld.shared.f32 %f30, [%r19+0];
        mov.b32 %r20, %f30;
        shfl.sync.down.b32 %r21, %r20, 1, 31, 0xffffffff;
        mov.b32 %f31, %r21;
        add.rn.f32 %f32, %f30, %f31;
        mov.b32 %r22, %f32;
        shfl.sync.idx.b32 %r23, %r22, 0, 31, 0xffffffff;
        mov.b32 %f33, %r23;
        add.rn.f32 %f34, %f33, %f4;
        mad.wide.s32 %d8, %r1, 4, %d3;
        ld.global.f32 %f35, [%d8];
        sub.rn.f32 %f36, %f34, %f35;
        bar.sync 0;
        mad.wide.s32 %d9, %r1, 4, %d5;
        @%p0 st.global.f32 [%d9], %f36;
        ret;
    }
    ");
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

/// The threads of the blocks that steps run in.
const THREADS: usize = 256;

/// Modules of so many kernels are assembled together.
const TOGETHER: usize = 200;

/// What kernels are assembled for.
const ARCHITECTURES: [&str; 2] = ["sm_80", "sm_90a"];

/// What the assembler says against kernels, all of them different, for every architecture.
fn complaints(ptxas: &Path, name: &str, kernels: &[Kernel]) -> Vec<String> {
    let chunks = kernels.chunks(TOGETHER).enumerate();
    let each = chunks.flat_map(|(number, kernels)| ARCHITECTURES.map(|architecture| (number, kernels, architecture)));
    each.flat_map(|(number, kernels, architecture)| {
        assembled(ptxas, &format!("{name}-{number}-{architecture}"), kernels, architecture)
    })
    .collect()
}

/// What the assembler says against kernels that it takes together.
fn assembled(ptxas: &Path, name: &str, kernels: &[Kernel], architecture: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let folder = std::env::temp_dir().join(format!("tapeless-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("there is room for a folder");
    let texts = kernels.iter().map(|kernel| emit(kernel).expect("the kernel is for threads").text);
    let mut module = String::new();
    for text in texts {
        let (header, functions) = text.split_once("\n\n").unwrap_or((&text, ""));
        if module.is_empty() {
            module += &format!("{header}\n");
        }
        module += &format!("\n{functions}");
    }
    let source = folder.join("kernels.ptx");
    std::fs::write(&source, &module).expect("there is room for a file");
    let output = Command::new(ptxas)
        .args(["-v", "-arch", architecture, "-o"])
        .arg(folder.join("cubin"))
        .arg(&source)
        .output()
        .expect("the assembler runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let spills = |line: &&str| line.contains("spill") && !line.contains("0 bytes spill stores, 0 bytes spill loads");
    let wrong =
        |line: &&str| line.contains("error") || line.contains("warning") || line.contains("C75") || spills(line);
    let mut function = "";
    for line in said.lines() {
        function = line.split_once("Function properties for ").map_or(function, |(_, name)| name);
        if wrong(&line) {
            complaints.push(format!("{architecture}: {line} in or behind {function}"));
        }
    }
    assert!(output.status.success(), "{}\n{}", complaints.join("\n"), source.display());
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
    let target = Target::gpu(THREADS);
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
    let complaints = complaints(&ptxas, "ops", &kernels);
    assert!(
        complaints.is_empty() && kernels.len() > OPS.len(),
        "{} kernels:\n{}",
        kernels.len(),
        complaints.join("\n")
    );
}

/// Rows of every length, forward and backward, for each architecture: those that registers hold take as many as there may be.
#[test]
fn the_assembler_takes_every_row() {
    let Some(ptxas) = assembler() else { return };
    let target = Target::gpu(THREADS);
    let shapes = [[64, 10], [4096, 32], [8192, 64], [64, 1000], [4096, 1000], [512, 4096], [512, 8192], [64, 50257]];
    let mut kernels = Vec::new();
    for (name, shape) in OVER_ROWS.into_iter().flat_map(|name| shapes.map(|shape| (name, shape))) {
        let (op, sample) = row_sample(name, shape);
        let forward = sample.graph(op).expect("the sample is well typed");
        let graphs = [Some(forward), gradients(op, &sample)].into_iter().flatten();
        kernels.extend(graphs.flat_map(|graph| planned(&graph, Fusion::default(), &target)));
    }
    let kernels = different(kernels);
    let complaints = complaints(&ptxas, "rows", &kernels);
    assert!(complaints.is_empty() && kernels.len() > shapes.len(), "{}", complaints.join("\n"));
}

/// Nests of every kind, at sizes around those of blocks.
#[test]
fn the_assembler_takes_every_nest() {
    let Some(ptxas) = assembler() else { return };
    let kernel = |case: &Case| schedule::kernel(&case.nest, &case.shapes, &case.name, &Target::gpu(THREADS));
    let kernels = different(cases().iter().map(kernel));
    println!("{} kernels", kernels.len());
    let complaints = complaints(&ptxas, "nests", &kernels);
    assert!(complaints.is_empty() && !kernels.is_empty(), "{} kernels:\n{}", kernels.len(), complaints.join("\n"));
}

/// Products on tensor cores, of whole tiles and parts of them, of every size.
#[test]
fn the_assembler_takes_products_on_tensor_cores() {
    let Some(ptxas) = assembler() else { return };
    let large = ["ik,jk->ij", "ki,kj->ij", "ik,kj->ij"]
        .map(|equation| [[1024, 512, 1280], [640, 784, 128]].map(|sizes| contract(equation, sizes)));
    let huge = ["ik,jk->ij", "ki,kj->ij", "ik,kj->ij"].into_iter().flat_map(|equation| {
        let plain = Product::new(equation);
        let around = Product { prologues: [true, true], epilogue: true, ..plain.clone() };
        let sized =
            |product: &Product, sizes: [usize; 3]| product.case(&|label| sizes[usize::from(label as u8 - b'i')]);
        [sized(&plain, [1536, 1024, 64]), sized(&plain, [1536, 1000, 72]), sized(&around, [1536, 1000, 72])]
    });
    let cases: Vec<Case> =
        matrices().into_iter().chain(halves()).chain(large.into_iter().flatten()).chain(huge).collect();
    let target = |precision| Target { precision, ..Target::gpu(THREADS) };
    let kernels = [Precision::Tf32, Precision::Bf16].into_iter().flat_map(|precision| {
        let kernel = move |case: &Case| schedule::kernel(&case.nest, &case.shapes, &case.name, &target(precision));
        cases.iter().map(kernel)
    });
    let kernels = different(kernels);
    let mut tiles: Vec<usize> = kernels.iter().flat_map(|kernel| &kernel.fragments).map(|tile| tile.rows).collect();
    tiles.sort_unstable();
    tiles.dedup();
    assert_eq!(tiles, [32, 64, 128]);
    let complaints = complaints(&ptxas, "tensor", &kernels);
    assert!(complaints.is_empty(), "{} kernels:\n{}", kernels.len(), complaints.join("\n"));
}

/// What is contracted: the turns of a staged loop on one warp's part of a tile.
#[test]
fn products_on_tensor_cores() {
    let target = Target { precision: Precision::Bf16, ..Target::gpu(THREADS) };
    let case = in_halves(contract("ik,kj->ij", [32, 32, 32]));
    let kernel = schedule::kernel(&case.nest, &case.shapes, "kernel", &target);
    let code = emit(&kernel).expect("the kernel is for threads");
    let turns =
        code.text.split_once("\nL0:\n").and_then(|(_, rest)| rest.split_once("bra L0")).expect("there are turns");
    insta::assert_snapshot!(turns.0.replace('\t', "    "), @r"
    cp.async.wait_group 0;
    bar.sync 0;
    cp.async.commit_group;
    mad.lo.u32 %r37, %r35, 2560, %r14;
    mad.lo.u32 %r38, %r35, 2560, %r26;
    ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r39, %r40, %r41, %r42}, [%r37+0];
    ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r43, %r44, %r45, %r46}, [%r38+0];
    mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f0, %f1, %f2, %f3}, {%r39, %r40, %r41, %r42}, {%r43, %r44}, {%f0, %f1, %f2, %f3};
    mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f4, %f5, %f6, %f7}, {%r39, %r40, %r41, %r42}, {%r45, %r46}, {%f4, %f5, %f6, %f7};
    ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r47, %r48, %r49, %r50}, [%r37+32];
    ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r51, %r52, %r53, %r54}, [%r38+1280];
    mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f0, %f1, %f2, %f3}, {%r47, %r48, %r49, %r50}, {%r51, %r52}, {%f0, %f1, %f2, %f3};
    mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f4, %f5, %f6, %f7}, {%r47, %r48, %r49, %r50}, {%r53, %r54}, {%f4, %f5, %f6, %f7};
    add.u32 %r35, %r35, 1;
    setp.eq.u32 %p1, %r35, 2;
    selp.u32 %r35, 0, %r35, %p1;
    add.u32 %r36, %r36, 1;
    setp.eq.u32 %p2, %r36, 2;
    selp.u32 %r36, 0, %r36, %p2;
    add.u32 %r34, %r34, 1;
    setp.lt.u32 %p3, %r34, 1;
    @%p3
    ");
}
