//! Imports: how the blocks of one `model! { … }` reach another, of the same crate or of another one.
//!
//! A macro sees its own tokens only. So each `model!` also leaves a `macro_rules!` macro behind that hands on the tokens of
//! its blocks, under the name of each of them. A `model!` that begins with `use a::{A, B};` becomes a call of the macro
//! `a::A`, which gets what there is so far and calls `model!` with the tokens of its blocks in front; and so on, until all
//! are there. Between the calls the tokens have the form
//!
//! ```text
//! @import { "id" { tokens of the blocks } } @as { a::A }   once per import that is there, the latest first
//! @next { a::B }                                           once per import that is missing
//! @rest { tokens as written }
//! ```
//!
//! Names in imported blocks mean what they mean where the blocks are written: their imports travel with them.

use super::ast::{File, Item};
use super::diagnostic::Diagnostics;
use super::output::Export;
use super::parse;
use proc_macro2::{Delimiter, Group, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use syn::UseTree;
use syn::ext::IdentExt;

/// What the tokens of a `model!` are.
#[derive(Clone, Debug)]
pub enum Stage {
    /// An import is missing: the call that brings it.
    Missing(TokenStream),
    /// All imports are there.
    Whole(Source),
}

/// The tokens of a `model!` with its imports.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// What its first items name.
    pub imports: Vec<Import>,
    /// The items as written.
    pub tokens: TokenStream,
}

/// A block or model of another `model!`.
#[derive(Clone, Debug)]
pub struct Import {
    /// Tells the other `model!` from all others.
    pub scope: String,
    /// The items of the other `model!`, in one of the forms that [`stage`] reads.
    pub items: TokenStream,
    /// Where the name was found; its last segment is the name.
    pub path: TokenStream,
}

/// What stage the tokens of a `model!` are in.
pub fn stage(tokens: TokenStream) -> Stage {
    let Some(entries) = entries(&tokens) else {
        let next = paths(&tokens);
        return staged(Source { imports: Vec::new(), tokens }, next);
    };
    let mut source = Source::default();
    let mut next = Vec::new();
    for (word, content) in entries {
        match word.as_str() {
            "import" => source.imports.extend(import(content)),
            "as" => source.imports.iter_mut().rev().take(1).for_each(|import| import.path = content.clone()),
            "next" => next.push(content),
            _ => source.tokens = content,
        }
    }
    staged(source, next)
}

/// What others may import from a `model!` that is read as this file; nothing if it has no blocks.
pub fn export(source: &Source, file: &File) -> Option<Export> {
    let mut names: Vec<(TokenStream, super::ast::Ident)> = Vec::new();
    for (visibility, name) in exported(file) {
        // Two items of one name are reported already.
        if !names.iter().any(|(_, known)| known.name == name.name) {
            names.push((visibility.clone(), name.clone()));
        }
    }
    (!names.is_empty()).then(|| {
        let (scope, items) = handed_on(source);
        Export { scope, items, names }
    })
}

/// The file of a `model!` with its imports. Files that are imported several times are read once.
pub fn file(source: &Source, diagnostics: &Diagnostics) -> File {
    read(source, diagnostics, &mut HashMap::new())
}

fn read(source: &Source, diagnostics: &Diagnostics, known: &mut HashMap<String, Rc<File>>) -> File {
    let mut file = parse::parse(source.tokens.clone(), diagnostics);
    for Import { scope, items, path } in &source.imports {
        let other = match known.get(scope) {
            Some(other) => other.clone(),
            None => {
                let Stage::Whole(source) = stage(items.clone()) else { continue };
                // What is wrong in it is reported where it is written.
                let other = Rc::new(read(&source, &Diagnostics::default(), known));
                known.insert(scope.clone(), other.clone());
                other
            }
        };
        let Some(TokenTree::Ident(name)) = path.clone().into_iter().last() else { continue };
        file.imports.push(super::ast::Import {
            name: name.unraw().to_string(),
            path: path.clone(),
            scope: scope.clone(),
            file: other,
        });
    }
    file
}

/// The tokens that travel, and what tells them from those of all other `model!`.
fn handed_on(source: &Source) -> (String, TokenStream) {
    let chunks = parse::items(source.tokens.clone());
    // What a `use` names travels as an import.
    let stays = |chunk: &Vec<TokenTree>| has_word(chunk, "step") || has_word(chunk, "use");
    let items: TokenStream = chunks.into_iter().filter(|chunk| !stays(chunk)).flatten().collect();
    let mut hasher = DefaultHasher::new();
    for token in items.clone() {
        (token.span().file(), token.span().start().line, token.span().start().column).hash(&mut hasher);
    }
    items.to_string().hash(&mut hasher);
    // The way to a name means nothing elsewhere, but the name does.
    let named = |import: &Import| Import {
        path: import.path.clone().into_iter().last().into_iter().collect(),
        ..import.clone()
    };
    let imports: Vec<Import> = source.imports.iter().map(named).collect();
    let items = match imports.is_empty() {
        true => items,
        false => quote! { #(#imports)* @rest { #items } },
    };
    (format!("{:016x}", hasher.finish()), items)
}

/// The blocks and models that a file may give to others: what may see each, and its name.
fn exported(file: &File) -> impl Iterator<Item = (&TokenStream, &super::ast::Ident)> {
    file.items.iter().filter_map(|item| match item {
        Item::Block(block) => Some((&block.visibility, &block.name)),
        Item::Alias(alias) => Some((&alias.visibility, &alias.name)),
        Item::Step(_) | Item::Use(_) => None,
    })
}

fn staged(source: Source, mut next: Vec<TokenStream>) -> Stage {
    if next.is_empty() {
        return Stage::Whole(source);
    }
    let path = generated(next.remove(0));
    let Source { imports, tokens } = source;
    Stage::Missing(quote! { #path ! { @as { #path } #(#imports)* #(@next { #next })* @rest { #tokens } } })
}

/// The same tokens at the same place as what a macro made, so that lints of the user's crate say nothing about them.
fn generated(path: TokenStream) -> TokenStream {
    let token = |mut token: TokenTree| {
        token.set_span(token.span().resolved_at(Span::call_site()));
        token
    };
    path.into_iter().map(token).collect()
}

/// The pairs `@word { content }`; nothing if the tokens are as written.
fn entries(tokens: &TokenStream) -> Option<Vec<(String, TokenStream)>> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let entry = |entry: &[TokenTree]| match entry {
        [TokenTree::Punct(at), TokenTree::Ident(word), TokenTree::Group(content)] if at.as_char() == '@' => {
            Some((word.to_string(), content.stream()))
        }
        _ => None,
    };
    if tokens.is_empty() { None } else { tokens.chunks(3).map(entry).collect() }
}

/// `"id" { tokens }`
fn import(content: TokenStream) -> Option<Import> {
    let mut content = content.into_iter();
    let scope = content.next()?.to_string().trim_matches('"').to_string();
    match content.next()? {
        TokenTree::Group(items) => Some(Import { scope, items: items.stream(), path: TokenStream::new() }),
        _ => None,
    }
}

/// The paths that the `use` items name, one by one. What is not well formed is left for the parser to report.
fn paths(tokens: &TokenStream) -> Vec<TokenStream> {
    let mut paths = Vec::new();
    for chunk in parse::items(tokens.clone()).into_iter().filter(|chunk| has_word(chunk, "use")) {
        let end = chunk.iter().position(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ';'));
        let item: TokenStream = chunk.into_iter().take(end.map_or(0, |end| end + 1)).collect();
        if let Ok(item) = syn::parse2::<syn::ItemUse>(item) {
            flatten(&item.tree, item.leading_colon.into_token_stream(), &mut paths);
        }
    }
    paths
}

fn flatten(tree: &UseTree, prefix: TokenStream, paths: &mut Vec<TokenStream>) {
    match tree {
        UseTree::Path(path) => {
            let (segment, colon) = (&path.ident, &path.colon2_token);
            flatten(&path.tree, quote! { #prefix #segment #colon }, paths);
        }
        UseTree::Name(name) => paths.push(quote! { #prefix #name }),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, prefix.clone(), paths)),
        UseTree::Rename(_) | UseTree::Glob(_) => {}
    }
}

fn has_word(chunk: &[TokenTree], word: &str) -> bool {
    parse::word(chunk).is_some_and(|found| found == word)
}

impl ToTokens for Import {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Import { scope, items, path } = self;
        let scope = Literal::string(scope);
        let content = Group::new(Delimiter::Brace, quote! { #scope { #items } });
        tokens.extend(quote! { @import #content @as { #path } });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> TokenStream {
        text.parse().expect("it is made of tokens")
    }

    /// What the macro that is called does.
    fn bring(call: TokenStream, (scope, items): &(String, TokenStream)) -> TokenStream {
        let Some(TokenTree::Group(rest)) = call.into_iter().last() else { panic!("a call has an argument") };
        let rest = rest.stream();
        quote! { @import { #scope { #items } } #rest }
    }

    #[test]
    fn each_path_is_called_until_all_are_there() {
        let other = handed_on(&Source { imports: Vec::new(), tokens: tokens("block A(x: f32) { x } step S() {}") });
        assert_eq!(other.1.to_string(), tokens("block A(x: f32) { x }").to_string());
        let written = tokens("use a::{A, b::B}; pub model M(x: f32) { A()(x) }");
        let Stage::Missing(call) = stage(written.clone()) else { panic!("A is missing") };
        assert!(call.to_string().starts_with("a :: A ! {"), "{call}");
        let Stage::Missing(call) = stage(bring(call, &other)) else { panic!("B is missing") };
        assert!(call.to_string().starts_with("a :: b :: B ! {"), "{call}");
        let Stage::Whole(source) = stage(bring(call, &other)) else { panic!("all is there") };
        let paths: Vec<String> = source.imports.iter().map(|import| import.path.to_string()).collect();
        assert_eq!(paths, ["a :: b :: B", "a :: A"]);
        assert_eq!(source.tokens.to_string(), written.to_string());
        assert!(source.imports.iter().all(|import| import.items.to_string() == other.1.to_string()));
        let Stage::Whole(again) = stage(handed_on(&source).1) else { panic!("imports travel with what is exported") };
        assert_eq!(again.imports.len(), 2);
    }

    #[test]
    fn what_is_no_import_is_left_as_written() {
        for text in ["", "model M(x: f32) { x }", "use a::*; use b::C as D; use ;", "use"] {
            let Stage::Whole(source) = stage(tokens(text)) else { panic!("{text} imports nothing") };
            assert_eq!((source.imports.len(), source.tokens.to_string()), (0, tokens(text).to_string()));
        }
    }
}
