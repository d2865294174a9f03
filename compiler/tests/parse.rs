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
