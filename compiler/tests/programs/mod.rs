//! The corpus of the language: whole programs of users, and wrong ones with the messages that they must give.

use proc_macro2::TokenStream;
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
