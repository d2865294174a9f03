//! Rows of every length: what falls to one thread, to a warp, to a block, and what registers do not hold.

use crate::launcher::Gpu;
use crate::rows_of_ops::{OVER_ROWS, row_sample};
use crate::{planned, plans};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::fuse::Fusion;
use tapeless_compiler::graph::{Array, Builder, Graph, Leaf, Origin, Role};
use tapeless_compiler::kernel::Usage;
use tapeless_compiler::ops;
use tapeless_compiler::samples::{gradients, leaves};
use tapeless_compiler::shape::{Extent, Shape, Type};
use tapeless_compiler::target::Target;

/// Rows and columns.
const SHAPES: [[usize; 2]; 10] =
    [[64, 10], [300, 7], [1, 31], [70, 33], [4100, 40], [9, 128], [5, 1000], [67, 260], [3, 2100], [2, 5003]];

#[test]
fn cuda_rows_agree_with_the_interpreter() {
    let Some(gpu) = Gpu::find() else { return };
    let mut held = 0;
    for name in OVER_ROWS {
        for shape in SHAPES {
            let (op, sample) = row_sample(name, shape);
            let forward = sample.graph(op).expect("the sample is well typed");
            for graph in [Some(forward), gradients(op, &sample)].into_iter().flatten() {
                for target in [Target::gpu(32), Target::gpu(256)] {
                    let (plan, arrays) = planned(&graph, &leaves(&graph, &sample), Fusion::default(), &target);
                    let launches = plans::hold(&gpu, &plan, &arrays);
                    held += launches.unwrap_or_else(|error| panic!("{name} {shape:?} {target:?}: {error}"));
                }
            }
        }
    }
    println!("{held} launches held");
}

/// Numbers that look like no pattern.
fn array(shape: &[usize]) -> Array {
    let mut number = 0.0;
    Array::build(DType::F32, shape, |_| {
        number = (number + 0.618) % 1.0;
        f64::from(number as f32)
    })
}

/// Rows that registers do not hold are loaded and computed again: nothing of them goes through memory.
#[test]
fn cuda_long_rows_agree_with_the_interpreter() {
    let Some(gpu) = Gpu::find() else { return };
    let shape = [5, 4000];
    let mut graph = Graph::new("Rows");
    let x = graph.leaf(Leaf::User { name: "x".to_string() }, Type::new(DType::F32, Shape::from_known(&shape)));
    let mut b = Builder::new(&mut graph, Origin::default());
    let once = ops::softmax(&mut b, x, 1);
    let result = ops::softmax(&mut b, once, 1);
    graph.result(Role::Output(0), result);
    for target in [Target::gpu(32), Target::gpu(256)] {
        let (plan, arrays) = planned(&graph, &[array(&shape)], Fusion::default(), &target);
        let own = |usage: Usage| matches!(usage, Usage::Scratch | Usage::Local);
        let mut parameters = plan.kernels.iter().flat_map(|kernel| &kernel.parameters);
        assert!(parameters.all(|parameter| !own(parameter.usage)), "{}", plan.kernels[0]);
        plans::hold(&gpu, &plan, &arrays).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// More values than are looked at for every element: zeros by the whole grid, then one row after the other.
#[test]
fn cuda_scattered_sums_agree_with_the_interpreter() {
    let Some(gpu) = Gpu::find() else { return };
    for (rows, table, columns) in [(40, 30, 12), (1200, 2000, 64)] {
        let mut graph = Graph::new("Scattered");
        let user = |name: &str| Leaf::User { name: name.to_string() };
        let source = graph.leaf(user("x"), Type::new(DType::F32, Shape::from_known(&[rows, columns])));
        let index = graph.leaf(user("i"), Type::new(DType::U32, Shape::from_known(&[rows])));
        let mut b = Builder::new(&mut graph, Origin::default());
        let shape = b.shape(source);
        let index = ops::broadcast_over(&mut b, index, &[1], &shape);
        let result = ops::scatter_sum(&mut b, source, index, 0, Extent::from(table));
        graph.result(Role::Output(0), result);
        let mut number = 1;
        let indices = Array::build(DType::U32, &[rows], |_| {
            number = number * 7919 % 104_729;
            (number % table) as f64
        });
        let arrays = [array(&[rows, columns]), indices];
        let (plan, arrays) = planned(&graph, &arrays, Fusion::default(), &Target::gpu(64));
        plans::hold(&gpu, &plan, &arrays).unwrap_or_else(|error| panic!("{error}"));
    }
}
