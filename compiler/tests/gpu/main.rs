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
            Statement::Within { body, .. } => accesses(body, times, found),
            Statement::Copy(copy) => {
                found[copy.from.0] += times * copy.count;
                found[copy.to.0] += times * copy.count;
            }
            Statement::Contract { left, right, .. } => {
                found[left.array.0] += times;
                found[right.array.0] += times;
            }
            Statement::Unload { array, .. } => found[array.0] += times,
            Statement::Let(_, Expression::Load { parameter, .. })
            | Statement::Store { parameter, .. }
            | Statement::Accumulate { parameter, .. } => found[parameter.0] += times,
            Statement::Let(..) | Statement::Assign(..) | Statement::Clear(_) => {}
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
    insta::assert_snapshot!(plan.kernels[0], @"
    kernel 0.max+sub+exp+sum+div on 256 threads
        p0: f32[64000]
        p1: f32[64000] written
        s0: f32 by 4 lanes
        s1: f32 by 4 lanes
        s2: f32 by 4 lanes
        s3: f32 by 4 lanes
        v0 = f32 0.0
        v1 = f32 -inf
        parallel i0 < 64
            s0 = v0
            s1 = v0
            s2 = v1
            lanes i1 < 1000 by 4, 4 side by side
                v2 = p0[1000 * i0 + i1]
                s0 = v2
                v3 = s2
                v4 = max(v3, v2)
                s2 = v4
            v5 = max of s2
            s3 = v0
            lanes i2 < 1000 by 4, 4 side by side
                v6 = s0
                v7 = sub(v6, v5)
                v8 = exp(v7)
                s1 = v8
                v9 = s3
                v10 = add(v9, v8)
                s3 = v10
            v11 = sum of s3
            lanes i3 < 1000 by 4, 4 side by side
                v12 = s1
                v13 = div(v12, v11)
                p1[1000 * i0 + i3] = v13
    ");
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
            assert_eq!(count(kernel, "ld.global.v4.f32"), groups, "{kernel}");
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
    insta::assert_snapshot!(code.text.replace('\t', "    "), @"
    .version 7.0
    .target sm_80
    .address_size 64

    .visible .entry k_0_max_sub_exp_sum_div_0(.param .u64 a0, .param .u64 a1)
    .maxntid 32, 1, 1
    {
        .reg .pred %p<23>;
        .reg .b32 %r<46>;
        .reg .b64 %d<8>;
        .reg .f32 %f<101>;
        mov.u32 %r0, %tid.x;
        mov.u32 %r1, %ctaid.x;
        setp.eq.u32 %p0, %r0, 0;
        ld.param.u64 %d0, [a0];
        cvta.to.global.u64 %d1, %d0;
        ld.param.u64 %d2, [a1];
        cvta.to.global.u64 %d3, %d2;
        mov.b32 %r2, 0;
        mov.f32 %f0, 0f00000000;
        mov.f32 %f1, 0f00000000;
        mov.f32 %f2, 0f00000000;
        mov.f32 %f3, 0f00000000;
        mov.f32 %f4, 0f00000000;
        mov.f32 %f5, 0f00000000;
        mov.f32 %f6, 0fFF800000;
        mov.f32 %f7, 0fFF800000;
        mov.f32 %f8, 0fFF800000;
        mul.lo.u32 %r3, %r0, 2;
        mad.wide.s32 %d4, %r1, 256, %d1;
        mad.wide.s32 %d5, %r3, 4, %d4;
        ld.global.v2.f32 {%f12, %f13}, [%d5];
        mov.f32 %f0, %f12;
        mov.f32 %f1, %f13;
        mov.f32 %f14, %f6;
        mov.f32 %f15, %f7;
        setp.lt.f32 %p1, %f12, %f14;
        selp.f32 %f16, %f14, %f12, %p1;
        setp.neu.f32 %p2, %f14, %f14;
        selp.f32 %f17, %f14, %f16, %p2;
        setp.lt.f32 %p3, %f13, %f15;
        selp.f32 %f18, %f15, %f13, %p3;
        setp.neu.f32 %p4, %f15, %f15;
        selp.f32 %f19, %f15, %f18, %p4;
        mov.f32 %f6, %f17;
        mov.f32 %f7, %f19;
        setp.lt.f32 %p5, %f7, %f6;
        selp.f32 %f20, %f6, %f7, %p5;
        setp.neu.f32 %p6, %f6, %f6;
        selp.f32 %f21, %f6, %f20, %p6;
        mov.b32 %r4, %f21;
        shfl.sync.down.b32 %r5, %r4, 16, 31, 0xffffffff;
        mov.b32 %f22, %r5;
        setp.lt.f32 %p7, %f22, %f21;
        selp.f32 %f23, %f21, %f22, %p7;
        setp.neu.f32 %p8, %f21, %f21;
        selp.f32 %f24, %f21, %f23, %p8;
        mov.b32 %r6, %f24;
        shfl.sync.down.b32 %r7, %r6, 8, 31, 0xffffffff;
        mov.b32 %f25, %r7;
        setp.lt.f32 %p9, %f25, %f24;
        selp.f32 %f26, %f24, %f25, %p9;
        setp.neu.f32 %p10, %f24, %f24;
        selp.f32 %f27, %f24, %f26, %p10;
        mov.b32 %r8, %f27;
        shfl.sync.down.b32 %r9, %r8, 4, 31, 0xffffffff;
        mov.b32 %f28, %r9;
        setp.lt.f32 %p11, %f28, %f27;
        selp.f32 %f29, %f27, %f28, %p11;
        setp.neu.f32 %p12, %f27, %f27;
        selp.f32 %f30, %f27, %f29, %p12;
        mov.b32 %r10, %f30;
        shfl.sync.down.b32 %r11, %r10, 2, 31, 0xffffffff;
        mov.b32 %f31, %r11;
        setp.lt.f32 %p13, %f31, %f30;
        selp.f32 %f32, %f30, %f31, %p13;
        setp.neu.f32 %p14, %f30, %f30;
        selp.f32 %f33, %f30, %f32, %p14;
        mov.b32 %r12, %f33;
        shfl.sync.down.b32 %r13, %r12, 1, 31, 0xffffffff;
        mov.b32 %f34, %r13;
        setp.lt.f32 %p15, %f34, %f33;
        selp.f32 %f35, %f33, %f34, %p15;
        setp.neu.f32 %p16, %f33, %f33;
        selp.f32 %f36, %f33, %f35, %p16;
        mov.b32 %r14, %f36;
        shfl.sync.idx.b32 %r15, %r14, 0, 31, 0xffffffff;
        mov.b32 %f37, %r15;
        setp.lt.f32 %p17, %f8, %f37;
        selp.f32 %f38, %f37, %f8, %p17;
        setp.neu.f32 %p18, %f37, %f37;
        selp.f32 %f39, %f37, %f38, %p18;
        mov.f32 %f9, 0f00000000;
        mov.f32 %f10, 0f00000000;
        mov.f32 %f11, 0f00000000;
        mul.lo.u32 %r16, %r0, 2;
        mov.f32 %f40, %f0;
        mov.f32 %f41, %f1;
        sub.rn.f32 %f42, %f40, %f39;
        sub.rn.f32 %f43, %f41, %f39;
        setp.lt.f32 %p19, 0f42B20000, %f42;
        setp.lt.f32 %p20, 0f42B20000, %f43;
        selp.f32 %f44, 0f42B20000, %f42, %p19;
        selp.f32 %f45, 0f42B20000, %f43, %p20;
        setp.lt.f32 %p21, %f44, 0fC2D00000;
        setp.lt.f32 %p22, %f45, 0fC2D00000;
        selp.f32 %f46, 0fC2D00000, %f44, %p21;
        selp.f32 %f47, 0fC2D00000, %f45, %p22;
        fma.rn.f32 %f48, %f46, 0f3FB8AA3B, 0f4B400000;
        fma.rn.f32 %f49, %f47, 0f3FB8AA3B, 0f4B400000;
        sub.rn.f32 %f50, %f48, 0f4B400000;
        sub.rn.f32 %f51, %f49, 0f4B400000;
        fma.rn.f32 %f52, %f50, 0fBF318000, %f46;
        fma.rn.f32 %f53, %f51, 0fBF318000, %f47;
        fma.rn.f32 %f54, %f50, 0f395E8083, %f52;
        fma.rn.f32 %f55, %f51, 0f395E8083, %f53;
        fma.rn.f32 %f56, 0f39506967, %f54, 0f3AB743CE;
        fma.rn.f32 %f57, 0f39506967, %f55, 0f3AB743CE;
        fma.rn.f32 %f58, %f56, %f54, 0f3C088908;
        fma.rn.f32 %f59, %f57, %f55, 0f3C088908;
        fma.rn.f32 %f60, %f58, %f54, 0f3D2AA9C1;
        fma.rn.f32 %f61, %f59, %f55, 0f3D2AA9C1;
        fma.rn.f32 %f62, %f60, %f54, 0f3E2AAAAA;
        fma.rn.f32 %f63, %f61, %f55, 0f3E2AAAAA;
        fma.rn.f32 %f64, %f62, %f54, 0f3F000000;
        fma.rn.f32 %f65, %f63, %f55, 0f3F000000;
        mul.rn.f32 %f66, %f54, %f54;
        mul.rn.f32 %f67, %f55, %f55;
        mov.b32 %r17, %f48;
        mov.b32 %r18, %f49;
        sub.s32 %r19, %r17, 1262485504;
        sub.s32 %r20, %r18, 1262485504;
        shr.s32 %r21, %r19, 1;
        shr.s32 %r22, %r20, 1;
        sub.s32 %r23, %r19, %r21;
        sub.s32 %r24, %r20, %r22;
        add.rn.f32 %f68, %f54, 0f3F800000;
        add.rn.f32 %f69, %f55, 0f3F800000;
        fma.rn.f32 %f70, %f64, %f66, %f68;
        fma.rn.f32 %f71, %f65, %f67, %f69;
        add.s32 %r25, %r21, 127;
        add.s32 %r26, %r22, 127;
        shl.b32 %r27, %r25, 23;
        shl.b32 %r28, %r26, 23;
        mov.b32 %f72, %r27;
        mov.b32 %f73, %r28;
        add.s32 %r29, %r23, 127;
        add.s32 %r30, %r24, 127;
        shl.b32 %r31, %r29, 23;
        shl.b32 %r32, %r30, 23;
        mov.b32 %f74, %r31;
        mov.b32 %f75, %r32;
        mul.rn.f32 %f76, %f70, %f72;
        mul.rn.f32 %f77, %f71, %f73;
        mul.rn.f32 %f78, %f76, %f74;
        mul.rn.f32 %f79, %f77, %f75;
        mov.f32 %f3, %f78;
        mov.f32 %f4, %f79;
        mov.f32 %f80, %f9;
        mov.f32 %f81, %f10;
        add.rn.f32 %f82, %f80, %f78;
        add.rn.f32 %f83, %f81, %f79;
        mov.f32 %f9, %f82;
        mov.f32 %f10, %f83;
        add.rn.f32 %f84, %f9, %f10;
        mov.b32 %r33, %f84;
        shfl.sync.down.b32 %r34, %r33, 16, 31, 0xffffffff;
        mov.b32 %f85, %r34;
        add.rn.f32 %f86, %f84, %f85;
        mov.b32 %r35, %f86;
        shfl.sync.down.b32 %r36, %r35, 8, 31, 0xffffffff;
        mov.b32 %f87, %r36;
        add.rn.f32 %f88, %f86, %f87;
        mov.b32 %r37, %f88;
        shfl.sync.down.b32 %r38, %r37, 4, 31, 0xffffffff;
        mov.b32 %f89, %r38;
        add.rn.f32 %f90, %f88, %f89;
        mov.b32 %r39, %f90;
        shfl.sync.down.b32 %r40, %r39, 2, 31, 0xffffffff;
        mov.b32 %f91, %r40;
        add.rn.f32 %f92, %f90, %f91;
        mov.b32 %r41, %f92;
        shfl.sync.down.b32 %r42, %r41, 1, 31, 0xffffffff;
        mov.b32 %f93, %r42;
        add.rn.f32 %f94, %f92, %f93;
        mov.b32 %r43, %f94;
        shfl.sync.idx.b32 %r44, %r43, 0, 31, 0xffffffff;
        mov.b32 %f95, %r44;
        add.rn.f32 %f96, %f95, %f11;
        mul.lo.u32 %r45, %r0, 2;
        mov.f32 %f97, %f3;
        mov.f32 %f98, %f4;
        div.rn.f32 %f99, %f97, %f96;
        div.rn.f32 %f100, %f98, %f96;
        mad.wide.s32 %d6, %r1, 256, %d3;
        mad.wide.s32 %d7, %r45, 4, %d6;
        st.global.v2.f32 [%d7], {%f99, %f100};
        ret;
    }
    ");
}

#[test]
fn neighbours_move_together() {
    let text = "pub step Line(x: f32<dyn B>, y: f32<B>) -> f32<B> { x * 2.0 + y }";
    let code = emit(&plan(text, &[("B", 4096)], 256).kernels[0]).expect("the kernel is for threads");
    insta::assert_snapshot!(code.text.replace('\t', "    "), @"
    .version 7.0
    .target sm_80
    .address_size 64

    .visible .entry k_0_mul_add_0(.param .u64 a0, .param .u64 a1, .param .u64 a2)
    .maxntid 256, 1, 1
    {
        .reg .pred %p<1>;
        .reg .b32 %r<4>;
        .reg .b64 %d<12>;
        .reg .f32 %f<16>;
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
        mul.lo.u32 %r3, %r0, 4;
        mad.wide.s32 %d6, %r1, 4096, %d3;
        mad.wide.s32 %d7, %r3, 4, %d6;
        ld.global.v4.f32 {%f0, %f1, %f2, %f3}, [%d7];
        mul.rn.f32 %f4, %f0, 0f40000000;
        mul.rn.f32 %f5, %f1, 0f40000000;
        mul.rn.f32 %f6, %f2, 0f40000000;
        mul.rn.f32 %f7, %f3, 0f40000000;
        mad.wide.s32 %d8, %r1, 4096, %d1;
        mad.wide.s32 %d9, %r3, 4, %d8;
        ld.global.v4.f32 {%f8, %f9, %f10, %f11}, [%d9];
        add.rn.f32 %f12, %f4, %f8;
        add.rn.f32 %f13, %f5, %f9;
        add.rn.f32 %f14, %f6, %f10;
        add.rn.f32 %f15, %f7, %f11;
        mad.wide.s32 %d10, %r1, 4096, %d5;
        mad.wide.s32 %d11, %r3, 4, %d10;
        st.global.v4.f32 [%d11], {%f12, %f13, %f14, %f15};
        ret;
    }
    ");
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
