//! The corpus of the language: whole programs of users, and wrong ones with the messages that they must give.

use proc_macro2::{Group, TokenStream, TokenTree};
use std::fs;
use std::path::{Path, PathBuf};

/// The paths of all programs beside this file, or in the folder `wrong`, sorted.
pub fn paths(wrong: bool) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(if wrong { "wrong" } else { "." });
    let entries = fs::read_dir(folder).expect("the corpus is part of the repository");
    let paths = entries.map(|entry| entry.expect("the folder can be listed").path());
    let is_program = |path: &PathBuf| path.extension().is_some_and(|end| end == "rs") && !path.ends_with("mod.rs");
    let mut paths: Vec<PathBuf> = paths.filter(is_program).collect();
    paths.sort();
    paths
}

/// The text of a program.
pub fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("programs are readable")
}

/// The tokens of every `model! { … }` in a program. Their places are those in the program.
pub fn models(text: &str) -> Vec<TokenStream> {
    let file = syn::parse_file(text).expect("programs are Rust");
    let mut found = Vec::new();
    collect(&file.items, &mut found);
    found
}

fn collect(items: &[syn::Item], found: &mut Vec<TokenStream>) {
    for item in items {
        match item {
            syn::Item::Macro(call) if call.mac.path.is_ident("model") => found.push(call.mac.tokens.clone()),
            syn::Item::Mod(module) => collect(module.content.as_ref().map_or(&[], |(_, items)| items), found),
            _ => {}
        }
    }
}

/// How many tokens there are, those in groups and the groups themselves.
pub fn positions(tokens: &TokenStream) -> usize {
    let inside = |token| match token {
        TokenTree::Group(group) => positions(&group.stream()),
        _ => 0,
    };
    tokens.clone().into_iter().map(|token| 1 + inside(token)).sum()
}

/// The tokens with the one at a position changed. Positions count in order of writing, groups before what is in them.
pub fn mutated(
    tokens: TokenStream,
    at: &mut Option<usize>,
    change: &dyn Fn(TokenTree) -> Vec<TokenTree>,
) -> TokenStream {
    let mut out = Vec::new();
    for token in tokens {
        match at.as_mut() {
            Some(0) => {
                *at = None;
                out.extend(change(token));
                continue;
            }
            Some(left) => *left -= 1,
            None => {}
        }
        out.push(match token {
            TokenTree::Group(group) if at.is_some() => {
                let mut inner = Group::new(group.delimiter(), mutated(group.stream(), at, change));
                inner.set_span(group.span());
                inner.into()
            }
            other => other,
        });
    }
    out.into_iter().collect()
}
