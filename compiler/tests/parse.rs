//! The parser against the corpus: whole programs, wrong ones, and programs with tokens lost or doubled.

mod corpus;

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use proptest::prelude::*;
use tapeless_compiler::syntax::ast::{self, AxisKind, Expr, ExprKind, Item, Statement};
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
    for path in corpus::paths(false) {
        for tokens in corpus::models(&corpus::text(&path)) {
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
        ExprKind::Tuple(parts) | ExprKind::List(parts) => parts.iter().for_each(|x| in_expr(x, at, found)),
        _ => {}
    }
}

/// Every place that the expected messages of the wrong programs name, with what the tree has there.
#[test]
fn the_tree_has_a_node_wherever_a_message_points() {
    let mut listing = String::new();
    for path in corpus::paths(true) {
        let text = corpus::text(&path);
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let (file, _) = read(corpus::models(&text).remove(0));
        let expected = text.lines().filter(|line| line.starts_with("//") && !line.starts_with("//!"));
        for word in expected.flat_map(str::split_whitespace) {
            let Some(at) = word.strip_prefix(&format!("wrong/{name}:")) else { continue };
            let mut numbers = at.split(':').map(|n| n.trim_end_matches([';', ',', ')']).parse().expect("a number"));
            let at = (numbers.next().expect("a line"), numbers.next().expect("a column"));
            let found = called(&file, at);
            listing.push_str(&format!("{name}:{}:{} {}\n", at.0, at.1, found.join(" | ")));
        }
    }
    insta::assert_snapshot!(listing);
}
