//! Whole programs of the language: nothing is wrong with them, and they give the keys and shapes written in their headers.

mod programs;

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use proptest::prelude::*;
use std::path::Path;
use tapeless_compiler::graph::{Leaf, Role};
use tapeless_compiler::pipeline;
use tapeless_compiler::syntax;
use tapeless_compiler::syntax::diagnostic::Diagnostic;
use tapeless_compiler::syntax::import::{Stage, stage};
use tapeless_compiler::syntax::output::{Export, Model, Program};

/// The contents of the last `model! { … }` of a program.
fn compiled(program: &str) -> (Program, Vec<Diagnostic>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(format!("{program}.rs"));
    let source = std::fs::read_to_string(path).expect("the program is in the repository");
    compiled_text(&source)
}

/// The last `model! { … }` of a text, which may use those before it.
fn compiled_text(source: &str) -> (Program, Vec<Diagnostic>) {
    let mut earlier: Vec<Program> = Vec::new();
    let mut last = None;
    for body in programs::models(source) {
        let (program, diagnostics) = syntax::compile(brought(body, &earlier));
        earlier.push(program.clone());
        last = Some((program, diagnostics));
    }
    last.expect("the program has a model")
}

/// The tokens of a `model!` with its imports, as the macros that `use` names bring them.
fn brought(mut tokens: TokenStream, earlier: &[Program]) -> TokenStream {
    while let Stage::Missing(call) = stage(tokens.clone()) {
        let call: Vec<TokenTree> = call.into_iter().collect();
        let [.., TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Group(rest)] = call.as_slice() else {
            panic!("a call is a path and a group");
        };
        let exports = earlier.iter().filter_map(|program| program.export.as_ref());
        let named = |export: &&Export| export.names.iter().any(|(_, known)| name == known.name.as_str());
        let Some(export) = exports.rev().find(named) else { return tokens };
        let (scope, items, rest) = (Literal::string(&export.scope), export.items.clone(), rest.stream());
        let content = TokenStream::from_iter([TokenTree::from(scope), Group::new(Delimiter::Brace, items).into()]);
        let entry = [
            TokenTree::from(Punct::new('@', Spacing::Alone)),
            Ident::new("import", Span::call_site()).into(),
            Group::new(Delimiter::Brace, content).into(),
        ];
        tokens = TokenStream::from_iter(entry.into_iter().chain(rest));
    }
    tokens
}

fn messages(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(Diagnostic::message).collect()
}

/// `key shape` of every tensor of the first model.
fn tensors(program: &Program) -> Vec<String> {
    let tensors = &program.models[0].description.tensors;
    tensors.iter().map(|tensor| format!("{} {:?}", tensor.key, tensor.ty.known_shape())).collect()
}

#[test]
fn covered_programs_have_the_keys_and_shapes_of_their_headers() {
    let layers = ["0.weight [20, 10]", "0.bias [20]", "2.weight [1, 20]", "2.bias [1]"];
    let digits = ["0.weight [32, 64]", "0.bias [32]", "2.weight [10, 32]", "2.bias [10]"];
    let dropout = [
        "fc1.weight [256, 784]",
        "fc1.bias [256]",
        "fc2.weight [128, 256]",
        "fc2.bias [128]",
        "head.weight [10, 128]",
        "head.bias [10]",
    ];
    let small = ["0.weight [16, 8]", "0.bias [16]", "2.weight [4, 16]", "2.bias [4]"];
    let generator = [
        "fc1.weight [128, 64]",
        "fc1.bias [128]",
        "bn1.weight [128]",
        "bn1.bias [128]",
        "bn1.running_mean [128]",
        "bn1.running_var [128]",
        "bn1.num_batches_tracked []",
        "fc2.weight [784, 128]",
        "fc2.bias [784]",
    ];
    let custom = [
        "center.mean [16]",
        "dense1.weight [32, 16]",
        "dense1.bias [32]",
        "gate.scale.gain [32]",
        "gate.scale.shift [32]",
        "gate.dense.weight [32, 32]",
        "gate.dense.bias [32]",
        "dense2.weight [4, 32]",
        "dense2.bias [4]",
        "count.seen []",
    ];
    for (name, expected) in [
        ("scalar_line", &["w []", "b []"][..]),
        ("fan_out", &["w []", "b []"]),
        ("net", &layers),
        ("softmax_mlp", &digits),
        ("dropout_mlp", &dropout),
        ("custom_block", &custom),
        ("gan", &generator),
        ("mixed_steps", &small),
    ] {
        let (program, diagnostics) = compiled(name);
        assert_eq!(messages(&diagnostics), Vec::<String>::new(), "{name}");
        assert_eq!(tensors(&program), expected, "{name}");
    }
}

/// The model and the `key shape` of each of its tensors that the header of a program names, sorted. `BN` stands for the five
/// tensors of a batch norm, `1.{weight,bias}` for two keys, and `layer1.0:` for the beginning of all keys of its line.
fn header(source: &str) -> (Option<String>, Vec<String>) {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let mut lines = lines.skip_while(|line| !line.starts_with(" Keys"));
    let first = lines.next().expect("the header lists keys");
    let model = first.strip_prefix(" Keys of `").and_then(|rest| rest.split('`').next()).map(str::to_string);
    let mut keys = Vec::new();
    for line in lines.filter_map(|line| line.strip_prefix("   ")) {
        let (prefix, entries) = match line.split_once(": ") {
            Some((prefix, entries)) if !prefix.contains(' ') => (format!("{prefix}."), entries),
            _ => (String::new(), line),
        };
        let entries = entries.split(" (").next().expect("there is a first part");
        for entry in entries.split_inclusive(']') {
            let (key, shape) = entry.trim_start_matches(", ").split_once(' ').expect("a key and a shape");
            let endings: &[&str] = match key {
                _ if key.ends_with("BN") => &["weight", "bias", "running_mean", "running_var", "num_batches_tracked"],
                _ if key.ends_with("{weight,bias}") => &["weight", "bias"],
                _ => &[""],
            };
            let stem = key.trim_end_matches("BN").trim_end_matches("{weight,bias}");
            let shape_of = |ending: &str| if ending == "num_batches_tracked" { "[]" } else { shape };
            keys.extend(endings.iter().map(|ending| format!("{prefix}{stem}{ending} {}", shape_of(ending))));
        }
    }
    keys.sort();
    (model, keys)
}

#[test]
fn networks_have_the_keys_and_shapes_of_their_headers() {
    for (name, count) in [("lenet", 8), ("mobilenetv2", 314), ("resnet18", 122), ("transfer", 20), ("unet", 50)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(format!("{name}.rs"));
        let source = std::fs::read_to_string(path).expect("the program is in the repository");
        let (program, diagnostics) = compiled_text(&source);
        assert_eq!(messages(&diagnostics), Vec::<String>::new(), "{name}");
        let (model, expected) = header(&source);
        let named = |found: &&Model| model.as_ref().is_none_or(|model| found.name.name == *model);
        let model = program.models.iter().find(named).expect("the program has the model of its header");
        let tensors = &model.description.tensors;
        let mut found: Vec<String> =
            tensors.iter().map(|tensor| format!("{} {:?}", tensor.key, tensor.ty.known_shape())).collect();
        found.sort();
        assert_eq!(found, expected, "{name}");
        assert_eq!(found.len(), count, "{name}");
    }
}

#[test]
fn no_program_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let entries = std::fs::read_dir(folder).expect("the programs are in the repository");
    let mut count = 0;
    for path in entries.map(|entry| entry.expect("the entry can be read").path()) {
        let is_program = path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("mod.rs");
        if is_program {
            let source = std::fs::read_to_string(&path).expect("the program can be read");
            assert_eq!(messages(&compiled_text(&source).1), Vec::<String>::new(), "{}", path.display());
            count += 1;
        }
    }
    assert_eq!(count, 15);
}

#[test]
fn a_tied_decoder_has_the_tensors_of_an_untied_one_but_for_the_head() {
    let (program, _) = compiled("gpt");
    let keys = |name: &str| -> Vec<String> {
        let model = program.models.iter().find(|model| model.name.name == name).expect("it is a model of the program");
        model.description.tensors.iter().map(|tensor| tensor.key.clone()).collect()
    };
    let (untied, tied) = (keys("Gpt"), keys("TiedGpt"));
    assert_eq!(untied.len(), 29);
    assert_eq!(tied, untied.into_iter().filter(|key| key != "head.weight").collect::<Vec<_>>());
}

#[test]
fn a_step_has_a_state_pair_and_a_gradient_for_each_parameter_it_trains() {
    let (program, _) = compiled("softmax_mlp");
    let step = program.steps.iter().find(|step| step.name.name == "TrainMlp").expect("it is a step of the program");
    let graph = &step.graph;
    let gradients: Vec<&str> = graph
        .results
        .iter()
        .filter_map(|result| match &result.role {
            Role::Gradient { key, .. } => Some(key.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(gradients, ["0.weight", "0.bias", "2.weight", "2.bias"]);
    let next = graph.results.iter().filter_map(|result| match result.role {
        Role::Next(leaf) => graph.as_leaf(leaf),
        _ => None,
    });
    let (parameters, slots): (Vec<&Leaf>, Vec<&Leaf>) = next.partition(|leaf| matches!(leaf, Leaf::Parameter { .. }));
    assert_eq!(parameters.len(), 4);
    // Two moments per parameter and the number of updates.
    assert_eq!(slots.len(), 9);
    assert!(step.stores[0].mutable);
}

#[test]
fn blocks_loops_and_conditions_are_gone_after_elaboration() {
    let source = "model! {
        block Residual<const WIDTH: usize, const NORM: bool = false>(x: f32<N, D>) -> f32<N, D> {
            let up = Linear(WIDTH, bias = !NORM);
            let down = Linear(D);
            let y = x.up().tanh().down();
            if WIDTH > D { x + y } else { y }
        }

        pub model Tower<const DEPTH: usize = 3>(x: f32<N, 8>) -> f32<N, 2> {
            const WIDTH: usize = 1 << 4;
            let mut y = x;
            for i in 0..DEPTH {
                #[name(\"floor.{i}\")]
                let floor = Residual(WIDTH + i, NORM = i == 1);
                y = floor(y);
            }
            let blocks = [Residual(4); 2];
            for block in blocks {
                y = block(y);
            }
            let head = Seq(Relu(), if DEPTH > 9 { Linear(99) }, Linear(2));
            head(y)
        }

        pub model Low = Tower(1);

        pub step Apply(x: f32<dyn B, 8>) -> f32<B, 2> {
            let net = Low();
            net(x)
        }
    }";
    let (program, diagnostics) = compiled_text(source);
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    let keys: Vec<&str> = program.models[1].description.tensors.iter().map(|tensor| tensor.key.as_str()).collect();
    let expected = "floor.0.up.weight floor.0.up.bias floor.0.down.weight floor.0.down.bias \
        blocks.0.up.weight blocks.0.up.bias blocks.0.down.weight blocks.0.down.bias \
        blocks.1.up.weight blocks.1.up.bias blocks.1.down.weight blocks.1.down.bias head.1.weight head.1.bias";
    assert_eq!(keys.join(" "), expected.split_whitespace().collect::<Vec<_>>().join(" "));
    assert!(tensors(&program).contains(&"floor.1.up.weight [17, 8]".to_string()));
    assert!(!tensors(&program).iter().any(|tensor| tensor.starts_with("floor.1.up.bias")));
    assert!(!program.steps[0].stores[0].mutable);
}

/// All tokens in order of writing, with those in groups.
fn flat(tokens: &TokenStream, found: &mut Vec<TokenTree>) {
    for token in tokens.clone() {
        found.push(token.clone());
        if let TokenTree::Group(group) = token {
            flat(&group.stream(), found);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn programs_with_tokens_lost_or_exchanged_are_compiled_or_refused_without_a_panic(
        program in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4), 1..4),
    ) {
        // Programs of today's language reach furthest: half of the cases begin with one of these.
        let covered = ["scalar_line", "fan_out", "net", "softmax_mlp"].map(|name| format!("{name}.rs"));
        let mut paths = programs::paths(false);
        let reaching: Vec<_> = paths.iter().filter(|path| covered.iter().any(|name| path.ends_with(name))).cloned().collect();
        paths.extend(reaching.iter().cycle().take(paths.len()).cloned());
        paths.extend(programs::paths(true));
        let mut tokens = programs::models(&programs::text(&paths[program.index(paths.len())])).pop().expect("a model");
        for (at, other, kind) in changes {
            let mut all = Vec::new();
            flat(&tokens, &mut all);
            if all.is_empty() {
                break;
            }
            let at = at.index(programs::positions(&tokens));
            let other = all.swap_remove(other.index(all.len()));
            let change = |token: TokenTree| match kind {
                0 => Vec::new(),
                1 => vec![token.clone(), token],
                _ => vec![other.clone()],
            };
            tokens = programs::mutated(tokens, &mut Some(at), &change);
        }
        let shown = tokens.to_string();
        let (program, diagnostics) = pipeline::derive(tokens);
        for diagnostic in &diagnostics {
            prop_assert!(!diagnostic.headline.contains("a mistake of tapeless"), "{} in {shown}", diagnostic.message());
        }
        prop_assert!(!diagnostics.is_empty() || program.steps.iter().all(|step| !step.graph.results.is_empty()));
    }
}
