//! Attention of layers: how many products the projections take, and which weights are returned.

use tapeless_compiler::graph::Graph;
use tapeless_compiler::pipeline::{bound, finish};
use tapeless_compiler::syntax;

/// The graph of a step that evaluates a model of `MultiheadAttention` by this expression.
fn evaluated(attributes: &str, layer: &str, applied: &str) -> Graph {
    let source = format!(
        "pub model Net(x: f32<N, L, 8>, m: f32<N, S, 8>) -> f32<N, L, 8> {{
            let attn = MultiheadAttention({layer});
            {applied}
        }}
        {attributes} pub step Run(x: f32<dyn B, dyn T, 8>, m: f32<B, dyn S, 8>) -> f32<B, T, 8> {{
            let net = Net();
            net(x, m)
        }}"
    );
    let (program, diagnostics) = syntax::compile(source.parse().expect("it is made of Rust tokens"));
    let messages: Vec<String> = diagnostics.iter().map(|diagnostic| diagnostic.message()).collect();
    assert_eq!(messages, Vec::<String>::new(), "{applied}");
    // Attention waits for its extents.
    let graph = finish(&program.steps[0].graph).expect("the graph is well typed");
    let graph = bound(&graph, &[("B", 2), ("T", 3), ("S", 4)]).expect("the extents fit");
    finish(&graph).expect("the graph is well typed")
}

/// How many contractions are left where the step is finished.
fn products(layer: &str, applied: &str) -> usize {
    let graph = evaluated("", layer, applied);
    graph.nodes().filter(|(_, node)| node.op.name() == "contract").count()
}

#[test]
fn one_value_is_projected_by_one_product() {
    // Scores, what is seen of the values, and the last projection are three more.
    assert_eq!(products("2, batch_first = true", "attn(x, x, x).0"), 1 + 3);
    assert_eq!(products("2, bias = false, batch_first = true", "attn(x, x, x).0"), 1 + 3);
    assert_eq!(products("2, batch_first = true", "attn(x, m, m).0"), 2 + 3);
    assert_eq!(products("2, batch_first = true", "attn(x, m, 2 * m).0"), 3 + 3);
    assert_eq!(products("2, batch_first = true", "attn(x, x, 2 * x).0"), 3 + 3);
}

#[test]
fn weights_that_nobody_wants_are_none() {
    let wanted = "let (y, w) = attn(x, x, x, need_weights = false); assert!(w.len() == 0, \"there are weights\"); y";
    assert_eq!(products("2, batch_first = true", wanted), 1 + 3);
}

#[test]
fn where_weights_are_wanted_the_values_are_weighted_by_those_that_are_left() {
    let layer = "2, dropout = 0.5, batch_first = true";
    let drawn = |applied: &str| {
        let graph = evaluated("#[train]", layer, applied);
        graph.nodes().filter(|(_, node)| matches!(node.op.name(), "random" | "random_rows")).count()
    };
    let both = "let (y, w) = attn(x, x, x, average_attn_weights = false); y + 0 * w.sum()";
    assert_eq!([drawn(both), drawn("attn(x, x, x, need_weights = false).0")], [1, 1]);
}
