//! Products of matrices whose factors are made while they are packed: random graphs are too small for that.

use tapeless::{DType, Device, Fusion, Options};
use tapeless_checks::hold::{hold, unfused};
use tapeless_compiler::graph::{Array, Builder, Graph, Leaf, Origin, Role, ValueId};
use tapeless_compiler::ops;
use tapeless_compiler::shape::{Shape, Type};

/// How far an element may be off, relative to the largest of its array: sums of a few dozen products in f32.
fn tolerance(dtype: DType) -> f64 {
    if dtype.is_float() { 1e-5 } else { 0.0 }
}

/// Numbers between -1 and 1 that all types of half precision hold.
fn array(dtype: DType, shape: &[usize]) -> Array {
    let mut count = 0;
    Array::build(dtype, shape, |_| {
        count += 37;
        f64::from(count % 129 - 64) / 64.0
    })
}

/// What makes a factor of f32 from an operand of another type.
type Make = (DType, fn(&mut Builder<'_>, ValueId) -> ValueId);

const MAKES: [Make; 5] = [
    (DType::F32, ops::relu),
    (DType::F32, ops::tanh),
    (DType::F32, |b, x| {
        let root = ops::exp(b, x);
        ops::sqrt(b, root)
    }),
    (DType::Bf16, |b, x| ops::cast(b, x, DType::F32)),
    (DType::F16, |b, x| {
        let wide = ops::cast(b, x, DType::F32);
        ops::scale(b, wide, 0.5)
    }),
];

/// A product whose left factor, or both, is made of an input, and its inputs.
fn product(equation: &str, shapes: [&[usize]; 2], makes: [Option<Make>; 2]) -> (Graph, Vec<Array>) {
    let mut graph = Graph::new("Product");
    let mut arrays = Vec::new();
    let factors = [0, 1].map(|at| {
        let dtype = makes[at].map_or(DType::F32, |(dtype, _)| dtype);
        arrays.push(array(dtype, shapes[at]));
        let x = graph.leaf(Leaf::User { name: format!("x{at}") }, Type::new(dtype, Shape::from_known(shapes[at])));
        let mut b = Builder::new(&mut graph, Origin::default());
        makes[at].map_or(x, |(_, make)| make(&mut b, x))
    });
    let mut b = Builder::new(&mut graph, Origin::default());
    let result = ops::contract(&mut b, factors[0], factors[1], equation);
    graph.result(Role::Output(0), result);
    (graph, arrays)
}

#[test]
fn factors_are_computed_while_they_are_packed() {
    let products: [(&str, [&[usize]; 2]); 6] = [
        ("ij,jk->ik", [&[32, 16], &[16, 32]]),
        ("ij,kj->ik", [&[37, 50], &[41, 50]]),
        ("ji,jk->ik", [&[33, 61], &[33, 35]]),
        ("bij,bjk->bik", [&[3, 40, 18], &[3, 18, 45]]),
        ("bhij,bhkj->bihk", [&[2, 3, 35, 16], &[2, 3, 48, 16]]),
        ("abj,jk->abk", [&[5, 9, 70], &[70, 300]]),
    ];
    let prologues = Options { fusion: Fusion { prologues: true, ..Fusion::none() }, ..Options::default() };
    for (equation, shapes) in products {
        for (number, make) in MAKES.into_iter().enumerate() {
            for makes in [[Some(make), None], [None, Some(make)], [Some(make), Some(MAKES[1])]] {
                let (graph, arrays) = product(equation, shapes, makes);
                for options in [&prologues, &Options::default(), &unfused()] {
                    let held = hold(&graph, &arrays, &Device::cpu(), options, tolerance);
                    held.unwrap_or_else(|failure| panic!("{equation} with factor {number}: {options:?}: {failure}"));
                }
            }
        }
    }
}
