//! What launches cost, in exact numbers.

use crate::runs::planned;
use crate::steps::{input, metric};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::fuse::Fusion;
use tapeless_compiler::graph::{Builder, Graph, Origin, ValueId};
use tapeless_compiler::kernel::Cost;
use tapeless_compiler::ops::*;
use tapeless_compiler::plan::Plan;
use tapeless_compiler::shape::{Extent, Shape};

/// A graph of one metric, from what `build` makes of the inputs.
fn graph(inputs: &[(DType, &[usize])], build: impl FnOnce(&mut Builder<'_>, &[ValueId]) -> ValueId) -> Graph {
    let mut graph = Graph::new("Costs");
    let leaf = |(at, (dtype, shape)): (usize, &(DType, &[usize]))| input(&mut graph, &format!("x{at}"), *dtype, shape);
    let inputs: Vec<ValueId> = inputs.iter().enumerate().map(leaf).collect();
    let result = build(&mut Builder::new(&mut graph, Origin::default()), &inputs);
    metric(&mut graph, "result", result);
    graph
}

/// A layer of 64 x 784 -> 512 with bias and ReLU.
fn layer() -> Graph {
    graph(&[(DType::F32, &[64, 784]), (DType::F32, &[512, 784]), (DType::F32, &[512])], |b, inputs| {
        let product = contract(b, inputs[0], inputs[1], "bi,oi->bo");
        let bias = broadcast(b, inputs[2], &Shape::from_known(&[64, 512]));
        let sum = add(b, product, bias);
        relu(b, sum)
    })
}

/// The cost of each launch.
fn costs(plan: &Plan) -> Vec<Cost> {
    plan.costs().collect()
}

fn fused(graph: &Graph) -> Vec<Cost> {
    costs(&planned(graph, Fusion::default()))
}

const X: u64 = 4 * 64 * 784;
const W: u64 = 4 * 512 * 784;
const Y: u64 = 4 * 64 * 512;

#[test]
fn a_layer_is_a_multiply_add_per_weight_and_row_and_two_operations_per_result() {
    let flops = 2 * 64 * 512 * 784 + 2 * 64 * 512;
    assert_eq!(fused(&layer()), [Cost { flops, read: X + W + 4 * 512, written: Y }]);
    assert_eq!(fused(&layer())[0].bytes(), X + W + 4 * 512 + Y);
}

#[test]
fn without_fusion_results_in_between_are_written_and_read() {
    let costs = costs(&planned(&layer(), Fusion::none()));
    let expected = [
        Cost { flops: 2 * 64 * 512 * 784, read: X + W, written: Y },
        Cost { flops: 64 * 512, read: Y + 4 * 512, written: Y },
        Cost { flops: 64 * 512, read: Y, written: Y },
    ];
    assert_eq!(costs, expected);
    let total: Cost = costs.into_iter().sum();
    let flops = 2 * 64 * 512 * 784 + 2 * 64 * 512;
    assert_eq!(total, Cost { flops, read: X + W + 2 * Y + 4 * 512, written: 3 * Y });
}

#[test]
fn transcendental_operations_are_one_each_and_signs_and_choices_are_none() {
    let chain = graph(&[(DType::F32, &[7, 9])], |b, inputs| {
        let x = tanh(b, inputs[0]);
        let minus = neg(b, x);
        let less = lt(b, minus, x);
        let chosen = select(b, less, minus, x);
        exp(b, chosen)
    });
    assert_eq!(fused(&chain), [Cost { flops: 2 * 63, read: 4 * 63, written: 4 * 63 }]);
    let integers = graph(&[(DType::U32, &[7, 9])], |b, inputs| mul(b, inputs[0], inputs[0]));
    assert_eq!(fused(&integers), [Cost { flops: 0, read: 4 * 63, written: 4 * 63 }]);
}

#[test]
fn a_sum_is_as_many_additions_as_elements() {
    let total = graph(&[(DType::F32, &[1000])], |b, inputs| sum(b, inputs[0], &[0]));
    assert_eq!(fused(&total), [Cost { flops: 1000, read: 4000, written: 4 }]);
}

#[test]
fn of_a_table_only_the_rows_that_are_looked_up_are_read() {
    let rows =
        graph(&[(DType::F32, &[1000, 8]), (DType::U32, &[5, 8])], |b, inputs| gather(b, inputs[0], inputs[1], 0));
    assert_eq!(fused(&rows), [Cost { flops: 0, read: 4 * 40 + 4 * 40, written: 4 * 40 }]);
    let part = graph(&[(DType::F64, &[1000, 8])], |b, inputs| {
        let part = slice(b, inputs[0], 0, Extent::from(10), Extent::from(13));
        exp(b, part)
    });
    assert_eq!(fused(&part), [Cost { flops: 24, read: 8 * 24, written: 8 * 24 }]);
}
