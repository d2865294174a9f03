//! Random numbers in steps: where their seed and the count of runs are kept, and which places draw.

use proc_macro2::TokenStream;
use tapeless_compiler::graph::{Graph, Leaf, Role};
use tapeless_compiler::random::stream;
use tapeless_compiler::syntax::diagnostic::Diagnostic;
use tapeless_compiler::syntax::{self, output::Program};

fn compiled(source: &str) -> (Program, Vec<String>) {
    let (program, diagnostics) = syntax::compile(source.parse::<TokenStream>().expect("it is Rust"));
    (program, diagnostics.iter().map(Diagnostic::message).collect())
}

/// The models that the sources of these tests share, and more.
fn with_models(steps: &str) -> Program {
    let models = "
        pub model Noisy(x: f32<N, 4>) -> f32<N, 4> {
            let fc = Linear(4);
            let drop = Dropout();
            x.fc().drop()
        }
        pub model Calm(x: f32<N, 4>) -> f32<N, 4> {
            let fc = Linear(4);
            x.fc()
        }";
    let (program, messages) = compiled(&format!("{models}{steps}"));
    assert_eq!(messages, Vec::<String>::new());
    program
}

/// The streams of all places that draw, in order.
fn streams(graph: &Graph) -> Vec<i64> {
    let keys = graph.nodes().filter(|(_, node)| node.op.name() == "random_key");
    keys.map(|(_, node)| node.attributes.int("stream")).collect()
}

/// The stores of the seed and of the count of runs.
fn kept(graph: &Graph) -> Vec<usize> {
    let kept = |leaf: &Leaf| match leaf {
        Leaf::Seed { store } => Some(*store),
        Leaf::Slot { store, name, .. } if name == "runs" => Some(*store),
        _ => None,
    };
    graph.leaves().filter_map(|(_, leaf, _)| kept(leaf)).collect()
}

#[test]
fn every_place_has_a_stream_and_one_count_of_runs_is_kept() {
    let program = with_models(
        "pub step Train(x: f32<dyn B, 4>) {
            let net = Noisy();
            let mut y = net(x);
            for i in 0..2 {
                y = net(y) + randn([B, 4]);
            }
            minimize(y.sum(), over = net, with = Sgd(0.1));
        }",
    );
    let graph = &program.steps[0].graph;
    // The first application, then two rounds with a dropout and a draw each.
    assert_eq!(streams(graph), (0..5).map(|place| stream("Train", place)).collect::<Vec<_>>());
    assert_eq!(kept(graph), [0, 0]);
    let counted =
        |role: &Role| matches!(role, Role::Next(leaf) if matches!(graph.as_leaf(*leaf), Some(Leaf::Slot { .. })));
    assert_eq!(graph.results.iter().filter(|result| counted(&result.role)).count(), 1);
}

#[test]
fn steps_that_evaluate_draw_nothing_and_those_that_draw_change_their_model() {
    let program = with_models(
        "pub step Evaluate(x: f32<dyn B, 4>) -> f32<B, 4> {
            let net = Noisy();
            net(x)
        }
        pub step Sample(x: f32<dyn B, 4>) -> f32<B, 4> {
            let net = Calm();
            net(x) + rand([B, 4])
        }
        #[train]
        pub step Ensemble(x: f32<dyn B, 4>) -> f32<B, 4> {
            let net = Noisy();
            net(x)
        }
        #[eval]
        pub step Tune(x: f32<dyn B, 4>) {
            let net = Noisy();
            minimize(net(x).sum(), over = net, with = Sgd(0.1));
        }",
    );
    let found: Vec<(usize, bool)> =
        program.steps.iter().map(|step| (streams(&step.graph).len(), step.stores[0].mutable)).collect();
    assert_eq!(found, [(0, false), (1, true), (1, true), (0, true)]);
}

#[test]
fn the_first_model_that_the_step_changes_counts_its_runs() {
    let program = with_models(
        "pub step Second(x: f32<dyn B, 4>) {
            let calm = Calm();
            let net = Noisy();
            minimize(calm(net(x)).sum(), over = net, with = Sgd(0.1));
        }
        pub step Neither(x: f32<dyn B, 4>) -> f32<B, 4> {
            let noise = rand([B, 4]);
            let a = Calm();
            let b = Calm();
            a(x) + b(noise)
        }",
    );
    let found: Vec<(Vec<usize>, Vec<bool>)> = program
        .steps
        .iter()
        .map(|step| (kept(&step.graph), step.stores.iter().map(|store| store.mutable).collect()))
        .collect();
    assert_eq!(found, [(vec![1, 1], vec![false, true]), (vec![0, 0], vec![true, false])]);
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for (expression, message) in [
        ("x.dropout(1.5)", "dropout: `p` is a probability, not 1.5"),
        ("x.dropout(x)", "dropout: `p` is a number, not a tensor\n  dropout(input, p = 0.5, training = …)"),
        ("rand([2, -1])", "rand: an extent is -1"),
        ("bernoulli(0.5)", "bernoulli: a number does not say how many are drawn: bernoulli(p, shape = […])"),
        ("bernoulli(-0.5, [4])", "bernoulli: `input` is a probability, not -0.5"),
        ("x.sum().dropout2d()", "dropout2d: takes samples and channels as axes 0 and 1, not f32"),
    ] {
        let source = format!(
            "pub model M(x: f32<N, 4>) -> f32<N, 4> {{ let fc = Linear(4); fc(x) }}
            #[train]
            pub step S(x: f32<dyn N, 4>) -> _ {{ let net = M(); {expression} + 0 * net.fc.bias.sum() }}"
        );
        assert_eq!(compiled(&source).1, [message], "{expression}");
    }
}

#[test]
fn a_step_without_a_model_has_no_seed() {
    let (_, messages) = compiled("pub step S(x: f32<dyn N, 4>) -> f32<N, 4> { x + rand([N, 4]) }");
    let expected = "random numbers come from a model, and the step names none\n  a model's store keeps the seed and counts the runs: let net = …;";
    assert_eq!(messages, [expected]);
}
