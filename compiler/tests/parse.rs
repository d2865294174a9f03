//! The parser against the corpus: whole programs, wrong ones, and programs with tokens lost or doubled.

mod programs;

use proc_macro2::{Span, TokenStream, TokenTree};
use proptest::prelude::*;
use tapeless_compiler::syntax::ast::{self, Expr, ExprKind, Item, Statement};
use tapeless_compiler::syntax::diagnostic::{Diagnostic, Diagnostics};
use tapeless_compiler::syntax::parse::parse;

fn read(tokens: TokenStream) -> (ast::File, Vec<Diagnostic>) {
    let diagnostics = Diagnostics::default();
    let file = parse(tokens, &diagnostics);
    (file, diagnostics.into_vec())
}

fn read_text(text: &str) -> (ast::File, Vec<Diagnostic>) {
    read(text.parse().expect("the text is made of tokens"))
}

/// Line and column of a span, both from 1.
fn place(span: Span) -> (usize, usize) {
    (span.start().line, span.start().column + 1)
}

/// Messages with their places, one string each.
fn listed(diagnostics: &[Diagnostic]) -> Vec<String> {
    let one = |d: &Diagnostic| format!("{}:{} {}", place(d.span).0, place(d.span).1, d.message());
    diagnostics.iter().map(one).collect()
}

#[test]
fn every_program_of_the_corpus_is_read() {
    let mut items = 0;
    for path in programs::paths(false) {
        for tokens in programs::models(&programs::text(&path)) {
            let (file, diagnostics) = read(tokens);
            assert_eq!(listed(&diagnostics), Vec::<String>::new(), "{}", path.display());
            items += file.items.len();
        }
    }
    assert_eq!(items, 80, "items of all programs");
}

/// The first part of a file that has the place, as text.
fn called(file: &ast::File, at: (usize, usize)) -> Vec<String> {
    let mut found = Vec::new();
    for item in &file.items {
        let (inputs, output, body): (&[ast::Input], _, _) = match item {
            Item::Block(block) => (&block.inputs, &block.output, &block.body),
            Item::Step(step) => (&step.inputs, &step.output, &step.body),
            Item::Use(_) | Item::Alias(_) => continue,
        };
        for input in inputs {
            let axes = input.ty.axes.iter().filter(|axis| place(axis.span) == at);
            found.extend(axes.map(|axis| format!("axis {axis}")));
            found.extend(
                Some(&input.name).filter(|name| place(name.span) == at).map(|name| format!("input {}", name.name)),
            );
        }
        if let Some(ast::Output::Tensor(ty)) = output {
            found.extend(ty.axes.iter().filter(|axis| place(axis.span) == at).map(|axis| format!("axis {axis}")));
        }
        in_body(body, at, &mut found);
    }
    found
}

fn in_body(body: &ast::Body, at: (usize, usize), found: &mut Vec<String>) {
    for statement in &body.statements {
        match statement {
            Statement::Let { pattern, value, .. } => {
                in_pattern(pattern, at, found);
                in_expr(value, at, found);
            }
            Statement::Const { value, .. } => in_expr(value, at, found),
            Statement::Expr(value, _) => in_expr(value, at, found),
        }
    }
}

fn in_pattern(pattern: &ast::Pattern, at: (usize, usize), found: &mut Vec<String>) {
    match pattern {
        ast::Pattern::Name { name, .. } if place(name.span) == at => found.push(format!("binding {}", name.name)),
        ast::Pattern::Tuple(parts, _) | ast::Pattern::List(parts, _) => {
            parts.iter().for_each(|part| in_pattern(part, at, found));
        }
        _ => {}
    }
}

fn in_arguments(arguments: &[ast::Argument], at: (usize, usize), found: &mut Vec<String>) {
    for argument in arguments {
        let name = argument.name.iter().filter(|name| place(name.span) == at);
        found.extend(name.map(|name| format!("argument {}", name.name)));
        in_expr(&argument.value, at, found);
    }
}

fn in_expr(expr: &Expr, at: (usize, usize), found: &mut Vec<String>) {
    if place(expr.span) == at {
        found.push(expr.to_string());
    } else if place(expr.start) == at {
        found.push(format!("start {expr}"));
    }
    match &expr.kind {
        ExprKind::Call(callee, arguments) => {
            in_expr(callee, at, found);
            in_arguments(arguments, at, found);
        }
        ExprKind::Method(receiver, _, arguments) => {
            in_expr(receiver, at, found);
            in_arguments(arguments, at, found);
        }
        ExprKind::Binary(_, a, b) | ExprKind::Assign(a, _, b) => [a, b].iter().for_each(|x| in_expr(x, at, found)),
        ExprKind::Field(x, _) | ExprKind::Unary(_, x) => in_expr(x, at, found),
        ExprKind::For(_, pattern, values, body) => {
            in_pattern(pattern, at, found);
            in_expr(values, at, found);
            in_body(body, at, found);
        }
        ExprKind::If(condition, then, otherwise) => {
            in_expr(condition, at, found);
            in_body(then, at, found);
            otherwise.iter().for_each(|x| in_expr(x, at, found));
        }
        ExprKind::List(parts) => parts.iter().for_each(|x| in_expr(x, at, found)),
        ExprKind::Tuple(parts) => parts.iter().for_each(|part| in_expr(&part.value, at, found)),
        _ => {}
    }
}

/// Places that messages about the wrong programs name, and what the tree has there.
const PLACES: [(&str, (usize, usize), &str); 17] = [
    ("assigned_parameter.rs", (8, 13), "binding gain"),
    ("assigned_parameter.rs", (9, 9), "start gain = 0.9 * gain | gain"),
    ("assigned_shape.rs", (10, 14), "mean = 0.9 * mean + 0.1 * x"),
    ("axis_out_of_range.rs", (9, 19), "2"),
    ("dyn_in_model.rs", (6, 26), "axis N"),
    ("dyn_never_broadcasts.rs", (13, 16), "net(x) + y"),
    ("equal_keys.rs", (9, 17), "binding fc"),
    ("extents_differ.rs", (6, 33), "axis 3"),
    ("if_on_a_value.rs", (7, 12), "start x.sum() > 0.0 | start x.sum() | x"),
    ("linear_inputs.rs", (8, 19), "fc(b)"),
    ("missing_argument.rs", (7, 20), "start Conv2d(8) | Conv2d"),
    ("several_at_once.rs", (7, 29), "argument biass"),
    ("types_differ.rs", (11, 39), "input y"),
    ("unknown_function.rs", (8, 16), "x.fc().rellu()"),
    ("unknown_path.rs", (15, 35), "net.fc3"),
    ("wrong_return_type.rs", (6, 44), "axis 11"),
    ("wrong_return_type.rs", (8, 9), "start x.fc() | x"),
];

#[test]
fn the_tree_has_a_node_wherever_a_message_points() {
    for (name, at, expected) in PLACES {
        let path = programs::paths(true).into_iter().find(|path| path.ends_with(name)).expect("it is in the corpus");
        let (file, _) = read(programs::models(&programs::text(&path)).remove(0));
        assert_eq!(called(&file, at).join(" | "), expected, "{name}:{}:{}", at.0, at.1);
    }
}

/// The mistakes in a text, one line each, its further lines behind bars.
fn mistakes(text: &str) -> String {
    let (_, diagnostics) = read_text(text);
    listed(&diagnostics).into_iter().map(|line| format!("{}\n", line.replace("\n  ", " | "))).collect()
}

#[test]
fn every_mistake_of_grammar_in_a_file_is_reported() {
    insta::assert_snapshot!(mistakes(WRONG));
}

const WRONG: &str = r#"
layer Foo(x: f32<N>) {}
use layers::*;
use layers::Dense as D;
model Net<O: usize, const P: (usize, usize) = 1>(x: f23<N, H / 2>, mut y: &[f32], z f32, w: f32<{..}>) -> f32<N, dyn B> {
    let a = match x { _ => 1 };
    let b = x.map(|v| v + 1) as [f32; 2];
    let c = Linear::<8>(nn::relu(&x), 1 = 2);
    let d: usize = 3u32;
    let e = a + ;
    let f = e(x)
    let g = f * 2;
    #[parm]
    let h: f32<dyn B> = zeros();
    #[name("fc.{i")]
    let k = Linear(8);
    while true { x = fc(x); }
    for i in 0..3 { let q = i $ 2; }
    println!("{x}");
    assert!(x, y);
    #[name("l")]
    for i in 0..2 {}
    #[param]
    x.relu();
    g & h;
    g?;
    return g;
}
modle Other(x: f32<N>) -> f32<N> { x }
#[inline]
step Train<const A: usize>(x: f32<dyn B, 16>, y: f32(B)) {
    let net = Net();
    99999999999999999999 + 'c';
}
model Alias = layers::Net(10);
step NoInputs { 1 }
step NoBody(x: f32)
step Last(x: f32) { x }
"#;

#[test]
fn a_mistake_hides_nothing_else() {
    let (file, _) = read_text(WRONG);
    let names: Vec<&str> = file
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Use(_) => None,
            Item::Block(block) => Some(block.name.name.as_str()),
            Item::Alias(alias) => Some(alias.name.name.as_str()),
            Item::Step(step) => Some(step.name.name.as_str()),
        })
        .collect();
    assert_eq!(names, ["Net", "Train", "NoInputs", "NoBody", "Last"]);
    let Some(Item::Block(net)) = file.items.iter().find(|item| matches!(item, Item::Block(_))) else {
        panic!("the model is read");
    };
    insta::assert_snapshot!(net.body);
    let inputs: Vec<String> = net.inputs.iter().map(|input| format!("{}: {}", input.name.name, input.ty)).collect();
    assert_eq!(inputs, ["x: f32<{..}>", "y: f32<{..}>", "w: f32<{..}>"]);
}

/// What makes the language Rust's grammar: `syn` reads a file once the words are `fn`, and `const X: _` for aliases.
#[test]
fn the_corpus_is_rust_once_the_words_are() {
    for path in programs::paths(false).iter().chain(&programs::paths(true)) {
        for tokens in programs::models(&programs::text(path)) {
            let rust = with_words_of_rust(tokens);
            syn::parse2::<syn::File>(rust).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}

fn with_words_of_rust(tokens: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_word = |at: usize| {
        let known = ["block", "model", "step"].contains(&tokens[at].to_string().as_str());
        known && matches!(tokens.get(at + 1), Some(TokenTree::Ident(_)))
    };
    let is_alias =
        |word: usize| matches!(tokens.get(word + 2), Some(TokenTree::Punct(equals)) if equals.as_char() == '=');
    let rust = |text: &str| text.parse::<TokenStream>().expect("these are tokens");
    let mut out = TokenStream::new();
    for (at, token) in tokens.iter().enumerate() {
        match is_word(at) {
            true => out.extend(rust(if is_alias(at) { "const" } else { "fn" })),
            false => out.extend([token.clone()]),
        }
        if at > 0 && is_word(at - 1) && is_alias(at - 1) {
            out.extend(rust(": _"));
        }
    }
    out
}

#[test]
fn of_the_wrong_programs_only_expected_mistakes_are_reported() {
    for path in programs::paths(true) {
        let text = programs::text(&path);
        for diagnostic in programs::models(&text).into_iter().flat_map(|tokens| read(tokens).1) {
            let expected = format!("// error: {}", diagnostic.headline);
            assert!(text.lines().any(|line| line == expected), "{}: {expected}", path.display());
        }
    }
}

#[test]
fn a_dyn_outside_of_a_step_is_refused_with_the_type_that_is_meant() {
    for path in programs::paths(true).iter().filter(|path| path.ends_with("dyn_in_model.rs")) {
        let (file, diagnostics) = read(programs::models(&programs::text(path)).remove(0));
        let message = "6:26 `dyn` stands in the inputs of steps only\n  a bare capital takes whatever extent comes: x: f32<N, 16>";
        assert_eq!(listed(&diagnostics), [message]);
        assert_eq!(file.items.len(), 1);
    }
}

#[test]
fn expressions_come_back_as_written() {
    let lines = [
        "net(x) + y",
        "x.fc1().relu()",
        "Linear(8, bias = false)",
        "-log_p.gather(1, label.unsqueeze(1)).sum() / f32(B)",
        "(-x).relu() - (a - (b + c)) * 2",
        "!(a && b) || c != d",
        "1 << DEPTH + 1",
        "(a == b) == true",
        "net.0.weight",
        "net.0.1.weight.pow(2)",
        "skips[level]",
        "[Block(HEADS); N]",
        "pos.weight.slice(0, 0..T)",
        "x.slice(1, ..n + 1)",
        "[(\"*.bias\", weight_decay = 0.0), (\"2.*\", lr = 0.1 * lr)]",
        "Seq(if T != 1 { Conv(hidden, 1) }, Relu())",
        "if k == 0 { s } else if k == 1 { t } else { 1 }",
        "(if c { a } else { b }) + 1",
        "{ let (a, _) = f(x); let mut b = [a,]; b.push(x); b }",
        "for (i, [a, b]) in [(1, [2, 3])] { x += a; }",
        "i += 1",
        "assert!(D % HEADS == 0, \"{HEADS} heads do not divide {{{D + 1}}}\")",
        "(x,)",
        "()",
        "0.0001",
    ];
    for line in lines {
        let (file, diagnostics) = read_text(&format!("block B() {{ let value = {line}; }}"));
        assert_eq!(listed(&diagnostics), Vec::<String>::new(), "{line}");
        let Item::Block(block) = &file.items[0] else { panic!("a block is read") };
        let Statement::Let { value, .. } = &block.body.statements[0] else { panic!("a `let` is read") };
        let again = value.to_string();
        assert_eq!(again, line.replace("[a,]", "[a]"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn programs_with_tokens_lost_or_doubled_are_read_without_a_panic(
        program in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..4),
    ) {
        let paths = programs::paths(false);
        let mut tokens = programs::models(&programs::text(&paths[program.index(paths.len())])).pop().expect("a program has a model");
        for (at, doubled) in changes {
            let at = at.index(programs::positions(&tokens));
            let change = |token| vec![token; if doubled { 2 } else { 0 }];
            tokens = programs::mutated(tokens, &mut Some(at), &change);
        }
        let (file, diagnostics) = read(tokens);
        prop_assert!(!file.items.is_empty() || !diagnostics.is_empty());
        for diagnostic in diagnostics {
            prop_assert!(!diagnostic.headline.is_empty());
            prop_assert!(diagnostic.span.start().line > 0);
        }
    }
}
