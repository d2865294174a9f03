//! Attention block by block: the same numbers as all at once, in memory that grows with the number of queries.

use tapeless_compiler::autodiff;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::expand::expand;
use tapeless_compiler::graph::{
    Array, Attribute, Builder, Fill, Graph, Leaf, Op, Origin, Role, Sample, SampleOperand, StoreDecl, ValueId,
    evaluate, print, seed_type, verify,
};
use tapeless_compiler::ops;
use tapeless_compiler::pipeline::{self, Options};
use tapeless_compiler::samples::{gradients, leaves};
use tapeless_compiler::shape::{Extent, Shape, Symbol, Type};
use tapeless_compiler::target::Target;

fn attention() -> &'static dyn Op {
    ops::find("attention").expect("there is attention")
}

/// What attention is tried on.
struct Case {
    queries: [usize; 4],
    /// Heads of keys, how many keys, how long values are.
    keys: [usize; 3],
    causal: bool,
    mask: Option<(DType, [usize; 4])>,
    p: f64,
}

impl Case {
    fn sample(&self, block: i64) -> Sample {
        let numbers = |dtype, shape: &[usize]| SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0));
        let ([samples, heads, _, width], [shared, seen, length]) = (self.queries, self.keys);
        let mut operands = vec![
            numbers(DType::F32, &self.queries),
            numbers(DType::F32, &[samples, shared, seen, width]),
            numbers(DType::F32, &[samples, shared, seen, length]),
        ];
        operands.extend(self.mask.map(|(dtype, shape)| numbers(dtype, &shape)));
        if self.p > 0.0 {
            operands.push(SampleOperand { ty: seed_type(), fill: Fill::Below(u32::MAX) });
        }
        let attributes = ops::attention_attributes(0.5, self.causal, (heads / shared) as i64, self.p);
        Sample { attributes: attributes.with("block", Attribute::Int(block)), operands }
    }

    /// The result and the gradients of all operands, with so many queries at a time, and whether there are turns.
    fn numbers(&self, block: i64) -> (Vec<Array>, bool) {
        let sample = self.sample(block);
        let forward = expand(&sample.graph(attention()).expect("the case is well typed"));
        let backward = expand(&gradients(attention(), &sample).expect("there are gradients"));
        let mut numbers = evaluate(&forward, &leaves(&forward, &sample));
        numbers.extend(evaluate(&backward, &leaves(&backward, &sample)));
        let graphs = [&forward, &backward];
        assert!(graphs.iter().all(|graph| verify(graph) == Ok(())));
        (numbers, graphs.iter().all(|graph| graph.nodes().any(|(_, node)| node.op.name() == "scan")))
    }
}

#[test]
fn blocks_give_what_all_queries_at_once_give() {
    let case = |queries, keys, causal, mask, p| Case { queries, keys, causal, mask, p };
    let cases = [
        case([2, 2, 37, 3], [2, 37, 4], true, None, 0.0),
        case([1, 4, 21, 3], [2, 40, 2], false, Some((DType::F32, [1, 4, 21, 40])), 0.0),
        case([1, 4, 21, 3], [2, 13, 2], true, Some((DType::F32, [1, 1, 1, 13])), 0.0),
        case([2, 2, 30, 3], [2, 11, 2], false, Some((DType::Bool, [2, 1, 30, 11])), 0.0),
        case([2, 2, 30, 3], [2, 11, 2], false, Some((DType::Bool, [2, 2, 1, 11])), 0.5),
        case([2, 6, 33, 3], [3, 33, 2], true, None, 0.25),
    ];
    for (at, case) in cases.iter().enumerate() {
        let (whole, in_turns) = case.numbers(case.queries[2] as i64);
        assert!(!in_turns, "case {at} has a block of all queries");
        for block in [1, 7, 8, 16] {
            let (blocks, in_turns) = case.numbers(block);
            assert!(in_turns, "case {at} has turns");
            assert_eq!(whole.len(), blocks.len());
            for (whole, blocks) in whole.iter().zip(&blocks) {
                assert_eq!((whole.dtype, &whole.shape), (blocks.dtype, &blocks.shape));
                for (x, y) in whole.elements.iter().zip(&blocks.elements) {
                    assert!((x - y).abs() <= 1e-12 * x.abs().max(1.0), "case {at} by {block}: {y} is not {x}");
                }
            }
        }
    }
}

/// Heads and their width.
const HEADS: [usize; 2] = [4, 32];

/// A step of causal attention over so many positions, so many at a time: queries, keys and values are parameters, which
/// descend.
fn step(positions: Extent, block: i64) -> Graph {
    let mut graph = Graph::new("Step");
    graph.stores.push(StoreDecl { binding: "net".into(), model: "Net".into() });
    if positions.known().is_none() {
        graph.dims.push(Symbol::new("T"));
    }
    let [heads, width] = HEADS.map(Extent::from);
    let ty = Type::new(DType::F32, Shape::new(vec![Extent::from(1), heads, positions, width]));
    let parameters = ["q", "k", "v"].map(|key| graph.leaf(Leaf::Parameter { store: 0, key: key.into() }, ty.clone()));
    let mut b = Builder::new(&mut graph, Origin::default());
    let attributes = ops::attention_attributes(0.2, true, 1, 0.0).with("block", Attribute::Int(block));
    let y = b.apply(attention(), attributes, &parameters);
    let square = ops::mul(&mut b, y, y);
    let loss = ops::sum(&mut b, square, &[0, 1, 2, 3]);
    graph.result(Role::Metric("loss".into()), loss);
    let found = autodiff::gradients(&mut graph, loss, &parameters);
    for (parameter, gradient) in parameters.into_iter().zip(found) {
        let next = next(&mut graph, parameter, gradient.expect("all of them lead to the loss"));
        graph.result(Role::Next(parameter), next);
    }
    graph
}

fn next(graph: &mut Graph, parameter: ValueId, gradient: ValueId) -> ValueId {
    let mut b = Builder::new(graph, Origin::default());
    let by = ops::scale(&mut b, gradient, 0.01);
    ops::sub(&mut b, parameter, by)
}

/// The workspace of a step as the macro embeds it.
fn workspace(graph: &Graph, dims: &[(&str, usize)]) -> usize {
    let graph = pipeline::finish(graph).expect("the step is right");
    let loaded = pipeline::load(&print(&graph)).expect("a printed graph parses");
    let plan = pipeline::plan(&loaded, dims, &Options::default(), &Target::default()).expect("the step compiles");
    plan.workspace_bytes
}

#[test]
fn the_workspace_of_attention_grows_with_the_number_of_positions() {
    let open = step(Extent::symbol(Symbol::new("T")), 0);
    let positions = [64, 128, 256, 512, 1024, 2048];
    let bytes = positions.map(|positions| workspace(&open, &[("T", positions)]));
    for (at, &positions) in positions.iter().enumerate() {
        assert_eq!(
            workspace(&step(Extent::from(positions), 0), &[]),
            bytes[at],
            "{positions} positions are open or not"
        );
    }
    for (pair, positions) in bytes.windows(2).zip(positions).filter(|(_, positions)| *positions >= 256) {
        assert!(pair[1] * 10 < pair[0] * 22, "from {positions} positions on {} bytes become {}", pair[0], pair[1]);
    }
    let whole = workspace(&step(Extent::from(2048), 2048), &[]);
    let scores = HEADS[0] * 2048 * 2048 * 4;
    assert!(bytes[5] < 22_000_000 && whole > 3 * scores, "{bytes:?} bytes, of 2048 positions all at once {whole}");
}

#[test]
fn attention_over_open_extents_waits_for_them() {
    let names = |graph: &Graph| graph.nodes().map(|(_, node)| node.op.name()).collect::<Vec<_>>();
    let waits = |names: &[&str]| ["attention", "attention_gradient"].map(|op| names.contains(&op));
    let open = pipeline::finish(&step(Extent::symbol(Symbol::new("T")), 0)).expect("the step is right");
    assert_eq!(waits(&names(&open)), [true, true]);
    let known = pipeline::finish(&step(Extent::from(16), 0)).expect("the step is right");
    assert_eq!(waits(&names(&known)), [false, false]);
}
