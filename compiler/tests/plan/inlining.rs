//! Producers that are computed again in each of their readers, and those that become part of a factor of a product.

use crate::runs::{assert_runs, planned};
use crate::steps::{input, metric};
use tapeless_compiler::dtype::DType;
use tapeless_compiler::fuse::{Fusion, Group, Reason, fuse, fuse_explained};
use tapeless_compiler::graph::{Builder, Graph, Origin, ValueId};
use tapeless_compiler::ops::*;
use tapeless_compiler::shape::Shape;

fn repeating() -> Fusion {
    Fusion { rematerialize: true, ..Fusion::none() }
}

fn packing() -> Fusion {
    Fusion { prologues: true, ..Fusion::none() }
}

/// A graph whose operands are inputs of these shapes and whose metrics are what `build` makes of them.
fn graph<const N: usize>(
    shapes: [&[usize]; N],
    build: impl FnOnce(&mut Builder<'_>, [ValueId; N]) -> Vec<ValueId>,
) -> Graph {
    let mut graph = Graph::new("Step");
    let mut name = 0;
    let operands = shapes.map(|shape| {
        name += 1;
        input(&mut graph, &format!("x{name}"), DType::F32, shape)
    });
    let results = build(&mut Builder::new(&mut graph, Origin::default()), operands);
    for (at, result) in results.into_iter().enumerate() {
        metric(&mut graph, &format!("result{at}"), result);
    }
    graph
}

fn labels(graph: &Graph, fusion: &Fusion) -> Vec<String> {
    fuse(graph, fusion).into_iter().map(|group| group.label).collect()
}

/// Why values are not inlined, each reason once.
fn reasons(graph: &Graph, fusion: &Fusion) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = fuse_explained(graph, fusion).1.into_iter().map(|refusal| refusal.reason).collect();
    reasons.dedup();
    reasons
}

/// The sum and the maximum of all elements.
fn two_readers(b: &mut Builder<'_>, x: ValueId) -> Vec<ValueId> {
    vec![sum(b, x, &[0, 1]), max(b, x, &[0, 1])]
}

#[test]
fn what_is_cheap_is_computed_in_each_reader() {
    let cheap: [fn(&mut Builder<'_>, ValueId) -> ValueId; 4] = [
        neg,
        |b, x| scale(b, x, 0.5),
        |b, x| {
            let small = cast(b, x, DType::I32);
            cast(b, small, DType::F32)
        },
        relu,
    ];
    for make in cheap {
        let graph = graph([&[6, 5]], |b, [x]| {
            let y = make(b, x);
            two_readers(b, y)
        });
        let plan = planned(&graph, repeating());
        assert_eq!((plan.launches.len(), reasons(&graph, &repeating())), (2, vec![]));
        assert_runs(&graph, &plan);
        let kept = labels(&graph, &Fusion::none());
        assert!(kept.len() > 2, "{kept:?}");
    }
}

#[test]
fn a_bias_is_added_in_each_reader() {
    let graph = graph([&[6, 5], &[5]], |b, [x, bias]| {
        let shape = b.shape(x);
        let bias = broadcast(b, bias, &shape);
        let y = add(b, x, bias);
        two_readers(b, y)
    });
    assert_eq!(labels(&graph, &repeating()), ["add+sum", "add+max"]);
    assert_runs(&graph, &planned(&graph, repeating()));
}

#[test]
fn a_value_is_not_computed_again_for_nothing() {
    // Three arrays instead of one for each of two readers, which saves no more than one trip.
    let wide = graph([&[6, 5], &[6, 5], &[6, 5]], |b, [x, y, z]| {
        let product = mul(b, x, y);
        let sum = add(b, product, z);
        two_readers(b, sum)
    });
    let bytes = 6 * 5 * 4;
    let no_less = Reason::MovesNoLess { kept: 6 * bytes, inlined: 6 * bytes };
    assert_eq!(reasons(&wide, &repeating()), [no_less]);
    // What is dear would have to be in memory instead.
    let behind = graph([&[6, 5]], |b, [x]| {
        let dear = exp(b, x);
        let cheap = neg(b, dear);
        two_readers(b, cheap)
    });
    let fusion = Fusion { elementwise: true, ..repeating() };
    assert_eq!(reasons(&behind, &fusion)[0], Reason::MovesNoLess { kept: 3 * bytes, inlined: 3 * bytes });
    assert_eq!(labels(&behind, &fusion), ["exp+neg", "sum", "max"]);
}

#[test]
fn a_value_is_not_computed_again_where_that_is_dear_or_wrong() {
    let dear = graph([&[6, 5]], |b, [x]| {
        let y = tanh(b, x);
        two_readers(b, y)
    });
    assert_eq!(reasons(&dear, &repeating()), [Reason::DearForEach { reads: 2, operations: 16 }]);
    let kept = graph([&[6, 5]], |b, [x]| {
        let y = neg(b, x);
        [vec![y], two_readers(b, y)].concat()
    });
    assert_eq!(reasons(&kept, &repeating()), [Reason::Result]);
    let multiplied = graph([&[6, 5]], |b, [x]| {
        let y = neg(b, x);
        vec![contract(b, y, x, "ij,kj->ik"), sum(b, y, &[0])]
    });
    assert_eq!(reasons(&multiplied, &repeating()), [Reason::ConsumerMultiplies]);
    let spread = graph([&[5], &[6, 5], &[7, 5]], |b, [v, x, y]| {
        let root = sqrt(b, v);
        [x, y]
            .map(|x| {
                let shape = b.shape(x);
                let root = broadcast(b, root, &shape);
                mul(b, x, root)
            })
            .to_vec()
    });
    assert_eq!(reasons(&spread, &repeating())[0], Reason::Recomputed { elements: 5, points: 35 });
    let single = graph([&[], &[6, 5], &[7, 5]], |b, [v, x, y]| {
        let double = scale(b, v, 2.0);
        let product = |x| {
            let shape = b.shape(x);
            let double = broadcast(b, double, &shape);
            mul(b, x, double)
        };
        [x, y].map(product).to_vec()
    });
    assert_eq!(reasons(&single, &repeating())[0], Reason::Recomputed { elements: 1, points: 35 });
}

#[test]
fn an_index_is_read_from_memory_however_cheap_it_is() {
    let mut graph = Graph::new("Index");
    let x = input(&mut graph, "x", DType::F32, &[4]);
    let place = input(&mut graph, "place", DType::F32, &[4]);
    let mut b = Builder::new(&mut graph, Origin::default());
    let place = cast(&mut b, place, DType::U32);
    let (picked, largest) = (gather(&mut b, x, place, 0), max(&mut b, place, &[0]));
    metric(&mut graph, "picked", picked);
    metric(&mut graph, "largest", largest);
    assert_eq!(reasons(&graph, &repeating()), [Reason::UsedAsIndex]);
}

/// Each value is the sum of the two before it, and each has its sum of elements as another reader.
fn doubling(values: usize) -> Graph {
    graph([&[6, 5]], |b, [x]| {
        let mut last = [x, scale(b, x, 0.5)];
        let sums = (0..values).map(|_| {
            let [older, newer] = last;
            last = [newer, add(b, newer, older)];
            sum(b, last[1], &[0, 1])
        });
        sums.collect()
    })
}

#[test]
fn what_is_computed_again_has_a_bound() {
    for fusion in [repeating(), Fusion::default()] {
        let scalars = |values| {
            let count = |group: Group| group.parts.iter().map(|part| part.nest.body.scalars.len()).sum::<usize>();
            fuse(&doubling(values), &fusion).into_iter().map(count).sum::<usize>()
        };
        let (short, long) = (scalars(100), scalars(400));
        assert!(long < 5 * short && long < 400 * 40, "{short} scalars of 100 values, {long} of 400");
    }
    let small = doubling(20);
    assert_runs(&small, &planned(&small, repeating()));
}

#[test]
fn a_kernel_repeats_only_so_much() {
    let fusion = Fusion { elementwise: true, ..repeating() };
    let graph = graph([&[6, 5]; 20], |b, leaves| {
        let doubled = leaves.map(|x| scale(b, x, 2.0));
        let all = doubled[1..].iter().fold(doubled[0], |sum, x| add(b, sum, *x));
        let sums = doubled.map(|x| sum(b, x, &[0, 1]));
        [vec![all], sums.to_vec()].concat()
    });
    assert_eq!(reasons(&graph, &fusion), [Reason::RepeatsTooMuch(17)]);
    let kept = labels(&graph, &fusion).into_iter().filter(|label| label == "mul").count();
    assert_eq!(kept, 4);
    assert_runs(&graph, &planned(&graph, fusion));
}

/// A product of matrices, the left one of which is made of an input.
fn product(
    equation: &str,
    [left, right]: [&[usize]; 2],
    make: impl FnOnce(&mut Builder<'_>, ValueId) -> ValueId,
) -> Graph {
    graph([left, right], |b, [x, y]| {
        let x = make(b, x);
        vec![contract(b, x, y, equation)]
    })
}

#[test]
fn factors_of_large_products_are_computed_while_they_are_packed() {
    let products: [(&str, [&[usize]; 2]); 8] = [
        ("ij,jk->ik", [&[32, 16], &[16, 32]]),
        ("ij,kj->ik", [&[33, 17], &[40, 17]]),
        ("ji,jk->ik", [&[17, 33], &[17, 35]]),
        ("ij,jk->ki", [&[32, 19], &[19, 35]]),
        ("bij,bjk->bik", [&[2, 32, 18], &[2, 18, 41]]),
        ("bhij,bhkj->bhik", [&[2, 1, 37, 16], &[2, 1, 32, 16]]),
        ("abj,jk->abk", [&[4, 9, 16], &[16, 35]]),
        ("abj,abk->jk", [&[3, 9, 33], &[3, 9, 35]]),
    ];
    for (equation, shapes) in products {
        for make in [relu, tanh, neg] {
            let graph = product(equation, shapes, make);
            let plan = planned(&graph, packing());
            assert_eq!((plan.launches.len(), reasons(&graph, &packing())), (1, vec![]), "{equation}");
            assert_runs(&graph, &plan);
        }
    }
}

#[test]
fn both_factors_and_the_epilogue_of_a_product_are_fused() {
    let graph = graph([&[40, 18], &[18, 33], &[33]], |b, [x, w, bias]| {
        let x = exp(b, x);
        let x = scale(b, x, 0.5);
        let w = cast(b, w, DType::I32);
        let w = cast(b, w, DType::F32);
        let y = contract(b, x, w, "ij,jk->ik");
        let shape = b.shape(y);
        let bias = broadcast(b, bias, &shape);
        let y = add(b, y, bias);
        vec![relu(b, y)]
    });
    let plan = planned(&graph, Fusion::default());
    assert_eq!(plan.launches.len(), 1);
    assert_runs(&graph, &plan);
}

#[test]
fn small_products_take_their_factors_from_memory() {
    let small = |rows, columns, depth| vec![Reason::SmallProduct { rows, columns, depth }];
    let vector = product("ij,j->i", [&[64, 64], &[64]], relu);
    assert_eq!(reasons(&vector, &packing()), []);
    assert_eq!(labels(&vector, &packing()), ["relu", "contract"]);
    let narrow = product("ij,jk->ik", [&[64, 64], &[64, 31]], relu);
    assert_eq!(reasons(&narrow, &packing()), small(64, 31, 64));
    let low = product("ij,jk->ik", [&[31, 64], &[64, 64]], relu);
    assert_eq!(reasons(&low, &packing()), small(31, 64, 64));
    let flat = product("ij,jk->ik", [&[64, 15], &[15, 64]], relu);
    assert_eq!(reasons(&flat, &packing()), small(64, 64, 15));
}

#[test]
fn a_factor_that_would_be_packed_twice_or_element_by_element_is_kept() {
    let twice = product("abj,cdj->abcd", [&[4, 8, 20], &[5, 8, 20]], relu);
    assert_eq!(reasons(&twice, &packing()), [Reason::ConsumerMultiplies]);
    let apart = graph([&[40, 24], &[24, 40], &[24, 33]], |b, [x, y, w]| {
        let turned = permute(b, y, &[1, 0]);
        let sum = add(b, x, turned);
        vec![contract(b, sum, w, "ij,jk->ik")]
    });
    assert_eq!(reasons(&apart, &packing()), [Reason::ConsumerMultiplies]);
    let whole = graph([&[40, 24], &[24, 33]], |b, [x, w]| {
        let (x, w) = (cast(b, x, DType::F64), cast(b, w, DType::F64));
        vec![contract(b, x, w, "ij,jk->ik")]
    });
    assert_eq!(reasons(&whole, &packing()), [Reason::ConsumerMultiplies]);
}

#[test]
fn an_epilogue_goes_before_a_prologue() {
    let graph = graph([&[40, 24], &[24, 33], &[33, 40]], |b, [x, v, w]| {
        let hidden = contract(b, x, v, "ij,jk->ik");
        let hidden = scale(b, hidden, 0.5);
        let hidden = relu(b, hidden);
        vec![contract(b, hidden, w, "ij,jk->ik")]
    });
    let fusion = Fusion::default();
    assert_eq!(labels(&graph, &fusion), ["contract+mul+relu", "contract"]);
    let bytes = 2 * 40 * 33 * 4;
    assert_eq!(reasons(&graph, &fusion)[0], Reason::MovesNoLess { kept: bytes, inlined: bytes });
}

/// A softmax stays one kernel: its exponentials would have to be in memory for the product.
#[test]
fn rows_are_not_taken_apart_by_a_product() {
    let graph = graph([&[40, 24], &[24, 33]], |b, [x, w]| {
        let dear = exp(b, x);
        let total = sum(b, dear, &[1]);
        let total = unsqueeze(b, total, &[1]);
        let shape = Shape::from_known(&[40, 24]);
        let total = broadcast(b, total, &shape);
        let part = div(b, dear, total);
        vec![contract(b, part, w, "ij,jk->ik")]
    });
    assert_eq!(labels(&graph, &Fusion::default()), ["exp+sum+div", "contract"]);
}
