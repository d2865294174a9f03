//! Activations on the machine against PyTorch's formulas, worked out with 40 digits at a few points: kinks, numbers close to
//! 0, and numbers so large that parts of the formulas overflow.
//!
//! The table holds the points, and per op its values and slopes there. `exact` ops keep the digits of small results; others
//! lose them in f32 by their formula.

use tapeless::{Device, Fusion, Options, Step};
use tapeless_compiler::autodiff;
use tapeless_compiler::graph::{self, Builder, Origin, Role};
use tapeless_compiler::ops::{self, OPS};

const TABLE: &str = include_str!("activations.txt");

/// The numbers of a line behind its word.
fn numbers(line: &str) -> Vec<f64> {
    let (_, numbers) = line.split_once(": ").expect("a line of the table has a word in front");
    numbers.split(' ').map(|number| number.parse().expect("the table holds numbers")).collect()
}

/// The values and slopes that a compiled step gives at the points.
fn measured(op: &str, points: &[f32], options: &Options) -> [Vec<f32>; 2] {
    let ty = format!("f32<{}>", points.len());
    let text = format!("tapeless graph 1\nstep X\n%0 = user \"x\" : {ty}\n%1 = {op} %0 : {ty}\nend\n");
    let mut graph = graph::parse(&text, OPS).expect("the text is a graph");
    let values: Vec<_> = graph.values().map(|(value, _)| value).collect();
    let loss = ops::sum(&mut Builder::new(&mut graph, Origin::default()), values[1], &[0]);
    let slope = autodiff::gradients(&mut graph, loss, &values[..1])[0].expect("x reaches the sum");
    graph.result(Role::Output(0), values[1]);
    graph.result(Role::Output(1), slope);
    let text = Box::leak(graph::print(&graph).into_boxed_str());
    let mut step = Step::compile(text, &Device::cpu(), &[], options).expect("the graph compiles");
    step.run(&mut [], &[points.into()]).expect("the inputs fit");
    [0, 1].map(|position| step.view::<f32>(position).to_vec())
}

fn hold(op: &str, exact: bool, points: &[f32], expected: [Vec<f64>; 2], options: &Options) {
    for ((name, found), expected) in ["value", "slope"].iter().zip(measured(op, points, options)).zip(expected) {
        assert_eq!(expected.len(), points.len(), "{op}");
        for ((x, found), expected) in points.iter().zip(found).zip(expected) {
            // Subnormal results may become 0; the rest is a few units in the last place of f32.
            let tolerance = if exact { 1e-37 } else { 5e-7 } + 1e-6 * expected.abs();
            let close = (f64::from(found) - expected).abs() <= tolerance;
            assert!(close, "{op}: the {name} at {x} is {found}, not {expected}");
        }
    }
}

#[test]
fn activations_and_their_slopes_are_those_of_pytorch() {
    let mut blocks = TABLE.split("\n\n");
    let points = numbers(blocks.next().expect("the table begins with its points"));
    let points: Vec<f32> = points.iter().map(|&x| x as f32).collect();
    for block in blocks {
        let lines: Vec<&str> = block.lines().collect();
        let (op, kind) = lines[0].rsplit_once(": ").expect("a block begins with its op");
        for options in [Options::default(), Options { fusion: Fusion::none(), ..Options::default() }] {
            hold(op, kind == "exact", &points, [numbers(lines[1]), numbers(lines[2])], &options);
        }
    }
}
