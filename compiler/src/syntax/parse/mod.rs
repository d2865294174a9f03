//! From tokens to the syntax tree.
//!
//! In: the tokens of one `model! { … }`. Out: [`ast::File`], and every mistake of grammar in [`Diagnostics`]. Items are found
//! by their word; what stands inside of them is Rust's grammar, read by `syn` and translated here. A mistake costs the
//! statement, the input or the item that it stands in: in its place the tree has [`ast::ExprKind::Error`] or
//! [`ast::AxisKind::Rest`], and everything else is read.

mod expr;
mod item;
mod literal;
mod refuse;
mod split;
mod statement;
mod ty;

use super::ast;
use super::diagnostic::{Diagnostic, Diagnostics};
use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};

/// Reads the items of one `model! { … }`.
pub fn parse(tokens: TokenStream, diagnostics: &Diagnostics) -> ast::File {
    Reader { diagnostics }.file(tokens)
}

/// The tokens of each item, those of mistakes between items with the item in front.
pub fn items(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    split::items(tokens).items
}

/// The word of an item: `use`, `block`, `model` or `step`.
pub fn word(item: &[TokenTree]) -> Option<String> {
    split::word(item)
}

/// Reads the source of the built-in layers. All spans are those of the macro's call; what is wrong in the text is left out.
pub fn parse_prelude(text: &str) -> ast::File {
    let tokens = text.parse().map(respan).unwrap_or_default();
    Reader { diagnostics: &Diagnostics::default() }.file(tokens)
}

/// What every part of the parser needs: the place for mistakes.
#[derive(Clone, Copy)]
struct Reader<'a> {
    diagnostics: &'a Diagnostics,
}

impl Reader<'_> {
    fn file(self, tokens: TokenStream) -> ast::File {
        let chunks = split::items(tokens);
        self.stray(&chunks.before);
        let items = chunks.items.into_iter().filter_map(|tokens| self.chunk(tokens)).collect();
        ast::File { items, imports: Vec::new() }
    }

    /// Reads one item. Its tokens are put into a group whose end is the last of them: that is where `syn` points when tokens
    /// are missing.
    fn chunk(self, tokens: Vec<TokenTree>) -> Option<ast::Item> {
        let end = tokens.last()?.span();
        let mut group = Group::new(Delimiter::Brace, tokens.into_iter().collect());
        group.set_span(end);
        let read = |input: ParseStream<'_>| {
            let content;
            syn::braced!(content in input);
            Ok(self.item(&content))
        };
        match read.parse2(TokenTree::Group(group).into()) {
            Ok(item) => item,
            Err(error) => {
                self.error(error);
                None
            }
        }
    }

    fn report(self, span: Span, headline: impl Into<String>) {
        self.diagnostics.report(Diagnostic::new(span, headline));
    }

    fn report_with(self, span: Span, headline: impl Into<String>, note: impl Into<String>) {
        self.diagnostics.report(Diagnostic::new(span, headline).note(note));
    }

    /// Reports what `syn` found wrong.
    fn error(self, error: syn::Error) {
        for one in error {
            self.report(one.span(), one.to_string());
        }
    }

    /// Reports what `syn` found wrong, with a line on how it is written.
    fn error_with(self, error: syn::Error, note: &str) {
        for one in error {
            self.report_with(one.span(), one.to_string(), note);
        }
    }
}

/// The name without `r#`, and its place.
fn ident(ident: &syn::Ident) -> ast::Ident {
    ast::Ident { name: ident.unraw().to_string(), span: ident.span() }
}

/// Takes the remaining tokens, so that `syn` does not report them once more.
fn drain(input: ParseStream<'_>) {
    while input.parse::<TokenTree>().is_ok() {}
}

fn respan(tokens: TokenStream) -> TokenStream {
    tokens.into_iter().map(respan_tree).collect()
}

fn respan_tree(tree: TokenTree) -> TokenTree {
    let mut tree = match tree {
        TokenTree::Group(group) => Group::new(group.delimiter(), respan(group.stream())).into(),
        other => other,
    };
    tree.set_span(Span::call_site());
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "block Relu(x: f32<{..}, I>) { relu(x) }";

    #[test]
    fn any_axes_stand_in_the_inputs_of_every_block_and_of_blocks_only() {
        let read = |text: &str| {
            let diagnostics = Diagnostics::default();
            let file = parse(text.parse().expect("the text is made of tokens"), &diagnostics);
            (file, diagnostics.count())
        };
        let (file, mistakes) = read(BLOCK);
        let [ast::Item::Block(block)] = &file.items[..] else { panic!("a block is read") };
        assert_eq!((block.inputs[0].ty.to_string().as_str(), mistakes), ("f32<{..}, I>", 0));
        assert_eq!(read("block B(x: Option<f32<N>>) { 1 }").1, 0);
        for wrong in ["model M(x: f32<{..}>) { x }", "step S(x: f32<{..}>) { x }", "model M(x: Option<f32<N>>) { x }"] {
            assert!(read(wrong).1 > 0, "{wrong}");
        }
    }

    #[test]
    fn the_prelude_has_no_places_and_does_not_panic() {
        let file = parse_prelude("block A(x: f32) {\n\n x }");
        let [ast::Item::Block(block)] = &file.items[..] else { panic!("a block is read") };
        let here = Span::call_site().start();
        assert_eq!((block.name.span.start(), block.body.span.start()), (here, here));
        assert!(parse_prelude("block ( \u{0} \"").items.is_empty());
        assert_eq!(parse_prelude("block A(x f32) {").items.len(), 0);
    }

    #[test]
    fn every_built_in_layer_is_read_without_a_mistake() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/prelude");
        let mut blocks = 0;
        for entry in std::fs::read_dir(folder).expect("the prelude is part of the crate") {
            let path = entry.expect("the folder can be listed").path();
            let text = std::fs::read_to_string(&path).expect("it is text");
            let diagnostics = Diagnostics::default();
            let tokens = text.parse().expect("it is made of tokens");
            blocks += Reader { diagnostics: &diagnostics }.file(tokens).items.len();
            let found: Vec<String> = diagnostics.into_vec().iter().map(Diagnostic::message).collect();
            assert_eq!(found, Vec::<String>::new(), "{}", path.display());
        }
        assert!(blocks > 0);
    }
}
