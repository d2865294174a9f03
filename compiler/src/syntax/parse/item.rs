//! Items: `use`, blocks, models, aliases and steps. Each part of a signature is read on its own, so that a mistake in one
//! hides no other.

use super::split::WORDS;
use super::ty::{Place, unknown_type};
use super::{Reader, drain, ident};
use crate::nearest::nearest;
use crate::syntax::ast;
use crate::syntax::diagnostic::position;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::HashMap;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Token, token};

const EXTENTS: &str = "an extent that is no name and no literal stands in braces: f32<N, {H / 2}>";

/// What stands before the word of an item.
struct Head {
    attributes: Vec<syn::Attribute>,
    visibility: syn::Visibility,
}

/// What blocks, models and steps have in common.
struct Signature {
    consts: Vec<ast::ConstParameter>,
    inputs: Vec<ast::Input>,
    output: Option<ast::Output>,
}

impl Reader<'_> {
    /// Reads one item; `None` if nothing can be made of it. Takes all tokens.
    pub(super) fn item(self, input: ParseStream<'_>) -> Option<ast::Item> {
        let item = self.try_item(input);
        if item.is_err() {
            drain(input);
        }
        let item = item.map_err(|error| self.error(error)).ok()?;
        if !input.is_empty() {
            let rest: Vec<TokenTree> = input.parse::<TokenStream>().into_iter().flatten().collect();
            self.stray(&rest);
        }
        item
    }

    /// Reports tokens that belong to no item.
    pub(super) fn stray(self, tokens: &[TokenTree]) {
        let Some(first) = tokens.iter().find(|token| !matches!(token, TokenTree::Punct(p) if p.as_char() == ';'))
        else {
            tokens.iter().take(1).for_each(|semicolon| self.report(semicolon.span(), "no `;` stands after an item"));
            return;
        };
        let headline = format!("{} begins no item", quoted(first));
        let note = match nearest(&first.to_string(), WORDS.into_iter()).first() {
            Some(meant) => format!("the nearest: {meant}"),
            None => "items are `block`, `model`, `step` and `use`, each followed by a name".to_string(),
        };
        self.report_with(first.span(), headline, note);
    }

    fn try_item(self, input: ParseStream<'_>) -> syn::Result<Option<ast::Item>> {
        let head = Head { attributes: input.call(syn::Attribute::parse_outer)?, visibility: input.parse()? };
        if input.peek(Token![use]) {
            return self.use_item(head, input).map(Some);
        }
        let word = input.call(syn::Ident::parse_any)?;
        let name = ident(&input.parse()?);
        Ok(match word.to_string().as_str() {
            "step" => Some(ast::Item::Step(self.step(head, name, input))),
            "model" if input.peek(Token![=]) => self.alias(head, name, input)?.map(ast::Item::Alias),
            word => Some(ast::Item::Block(self.block(word == "model", head, name, input))),
        })
    }

    fn block(self, is_model: bool, head: Head, name: ast::Ident, input: ParseStream<'_>) -> ast::Block {
        let docs = self.docs(&head.attributes);
        let place = if is_model { Place::Elsewhere } else { Place::BlockInput("") };
        let Signature { consts, inputs, output } = self.signature(&name, place, input);
        let body = self.item_body(&name, input);
        ast::Block {
            is_model,
            visibility: head.visibility.into_token_stream(),
            docs,
            name,
            consts,
            inputs,
            output,
            body,
        }
    }

    fn step(self, head: Head, name: ast::Ident, input: ParseStream<'_>) -> ast::Step {
        let (modes, others): (Vec<_>, Vec<_>) = head.attributes.iter().cloned().partition(is_mode);
        let docs = self.docs(&others);
        if let [_, second, ..] = &modes[..] {
            self.report(second.path().span(), "a step is either `#[train]` or `#[eval]`");
        }
        let training = modes.first().map(|mode| mode.path().is_ident("train"));
        let Signature { consts, inputs, output } = self.signature(&name, Place::StepInput, input);
        if let Some(first) = consts.first() {
            self.report_with(first.name.span, "a step has no consts", "open extents are inputs' `dyn B`");
        }
        let body = self.item_body(&name, input);
        ast::Step { visibility: head.visibility.into_token_stream(), docs, training, name, inputs, output, body }
    }

    fn alias(self, head: Head, name: ast::Ident, input: ParseStream<'_>) -> syn::Result<Option<ast::Alias>> {
        let docs = self.docs(&head.attributes);
        input.parse::<Token![=]>()?;
        let value = self.expr(&input.parse()?);
        input.parse::<Token![;]>()?;
        let (target, arguments) = match value.kind {
            ast::ExprKind::Call(target, arguments) => (*target, arguments),
            other => (ast::Expr { kind: other, ..value }, Vec::new()),
        };
        if matches!(target.kind, ast::ExprKind::Error) {
            return Ok(None);
        }
        let ast::ExprKind::Name(target_name) = target.kind else {
            let note = format!("name one with its consts: model {} = Net(10);", name.name);
            self.report_with(target.start, "an alias names a model", note);
            return Ok(None);
        };
        let target = ast::Ident { name: target_name, span: target.start };
        Ok(Some(ast::Alias { visibility: head.visibility.into_token_stream(), docs, name, target, arguments }))
    }

    fn use_item(self, head: Head, input: ParseStream<'_>) -> syn::Result<ast::Item> {
        self.docs(&head.attributes);
        let item: syn::ItemUse = input.parse()?;
        if !matches!(head.visibility, syn::Visibility::Inherited) {
            let note = "import the block where it is used, from the module that defines it";
            self.report_with(item.use_token.span, "`pub use` is not part of the model language", note);
        }
        let mut paths = Vec::new();
        self.use_tree(&item.tree, &mut Vec::new(), &mut paths);
        Ok(ast::Item::Use(ast::Use { paths, span: item.use_token.span }))
    }

    fn use_tree(self, tree: &syn::UseTree, prefix: &mut Vec<ast::Ident>, paths: &mut Vec<Vec<ast::Ident>>) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(ident(&path.ident));
                self.use_tree(&path.tree, prefix, paths);
                prefix.pop();
            }
            syn::UseTree::Name(name) => {
                paths.push(prefix.iter().cloned().chain([ident(&name.ident)]).collect());
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.use_tree(tree, prefix, paths)),
            syn::UseTree::Rename(rename) => {
                self.report(rename.as_token.span, "`as` is not part of the model language");
                paths.push(prefix.iter().cloned().chain([ident(&rename.ident)]).collect());
            }
            syn::UseTree::Glob(glob) => {
                self.report_with(
                    glob.star_token.span,
                    "`*` imports nothing here",
                    "name the blocks: use layers::{A, B};",
                );
            }
        }
    }

    /// Doc comments; anything else does not belong on an item.
    fn docs(self, attributes: &[syn::Attribute]) -> Vec<String> {
        let mut docs = Vec::new();
        for attribute in attributes {
            match &attribute.meta {
                syn::Meta::NameValue(syn::MetaNameValue {
                    path,
                    value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }),
                    ..
                }) if path.is_ident("doc") => docs.push(text.value()),
                _ => self.report_with(
                    attribute.path().span(),
                    "no attribute that an item takes",
                    "doc comments stand before items; `#[train]` and `#[eval]` before steps",
                ),
            }
        }
        docs
    }

    fn signature(self, name: &ast::Ident, place: Place<'_>, input: ParseStream<'_>) -> Signature {
        let mut consts = if input.peek(Token![<]) { self.consts(input) } else { Vec::new() };
        self.keep_first(&mut consts, "consts", |parameter| &parameter.name);
        let mut inputs = self.inputs(name, place, input);
        self.keep_first(&mut inputs, "inputs", |input| &input.name);
        let output = if input.peek(Token![->]) { self.output(input) } else { None };
        Signature { consts, inputs, output }
    }

    /// Reports every part of a signature whose name an earlier one has, and leaves it out.
    fn keep_first<P>(self, parts: &mut Vec<P>, what: &str, name: impl Fn(&P) -> &ast::Ident) {
        let mut taken: HashMap<String, Span> = HashMap::new();
        parts.retain(|part| {
            let name = name(part);
            let first = taken.insert(name.name.clone(), name.span);
            if let Some(first) = first {
                let headline = format!("two {what} have the name `{}`", name.name);
                self.report_with(name.span, headline, format!("the first is at {}", position(first)));
            }
            first.is_none()
        });
    }

    fn consts(self, input: ParseStream<'_>) -> Vec<ast::ConstParameter> {
        match input.parse::<syn::Generics>() {
            Ok(generics) => generics.params.iter().filter_map(|parameter| self.const_parameter(parameter)).collect(),
            Err(error) => {
                self.error_with(
                    error,
                    "consts are written <const N: usize, const P: f32 = 0.5, const D: usize = {2 * 8}>",
                );
                skip_until(input, |input| input.peek(token::Paren));
                Vec::new()
            }
        }
    }

    fn const_parameter(self, parameter: &syn::GenericParam) -> Option<ast::ConstParameter> {
        let parameter = match parameter {
            syn::GenericParam::Const(parameter) => parameter,
            syn::GenericParam::Type(ty) => {
                let headline = format!("`{}` lacks the word `const`", ty.ident);
                self.report_with(ty.ident.span(), headline, format!("write const {}: usize", ty.ident));
                return None;
            }
            syn::GenericParam::Lifetime(lifetime) => {
                self.report(lifetime.lifetime.span(), "lifetimes are not part of the model language");
                return None;
            }
        };
        let ty = match &parameter.ty {
            syn::Type::Path(path) => path.path.get_ident().map(ident),
            _ => None,
        };
        let Some(ty) = ty else {
            self.report(parameter.ty.span(), "a const is a `usize`, an `f32` or a `bool`");
            return None;
        };
        let default = parameter.default.as_ref().map(|(_, default)| self.braced_expr(default));
        Some(ast::ConstParameter { name: ident(&parameter.ident), ty, default })
    }

    fn inputs(self, name: &ast::Ident, place: Place<'_>, input: ParseStream<'_>) -> Vec<ast::Input> {
        if !input.peek(token::Paren) {
            let headline = format!("`{}` needs its inputs in parentheses", name.name);
            self.report_with(name.span, headline, format!("write {}(x: f32<N, 16>)", name.name));
            return Vec::new();
        }
        let read = || {
            let content;
            syn::parenthesized!(content in input);
            let mut inputs = Vec::new();
            while !content.is_empty() {
                inputs.extend(self.input(place, &content));
                if content.parse::<Token![,]>().is_err() {
                    break;
                }
            }
            if !content.is_empty() {
                self.report(content.span(), "expected `,` between two inputs");
                drain(&content);
            }
            Ok(inputs)
        };
        read().unwrap_or_else(|error| {
            self.error(error);
            Vec::new()
        })
    }

    fn input(self, place: Place<'_>, input: ParseStream<'_>) -> Option<ast::Input> {
        if let Ok(token) = input.parse::<Token![mut]>() {
            self.report_with(token.span, "inputs are not assigned", "bind a name that is: let mut y = x;");
        }
        let read = |input: ParseStream<'_>| {
            let name = ident(&input.parse()?);
            input.parse::<Token![:]>()?;
            Ok(name)
        };
        let name = match read(input) {
            Ok(name) => name,
            Err(error) => {
                self.error_with(error, "an input is a name and a type: x: f32<N, 16>");
                skip_argument(input);
                return None;
            }
        };
        let place = place.of(&name.name);
        let ty = match input.parse::<syn::Type>() {
            Ok(ty) => {
                if !input.is_empty() && !input.peek(Token![,]) {
                    self.report(input.span(), "expected `,` between two inputs");
                    skip_argument(input);
                }
                if let Some(optional) = self.optional_types(&ty, place) {
                    let ty = optional.first()?.clone().unwrap_or_else(|| unknown_type(name.span));
                    return Some(ast::Input { name, ty, optional });
                }
                self.tensor_type(&ty, place)
            }
            Err(error) => {
                self.error_with(error, EXTENTS);
                skip_argument(input);
                None
            }
        };
        let ty = ty.unwrap_or_else(|| unknown_type(name.span));
        Some(ast::Input { name, ty, optional: Vec::new() })
    }

    fn output(self, input: ParseStream<'_>) -> Option<ast::Output> {
        let read = || {
            input.parse::<Token![->]>()?;
            input.parse::<syn::Type>()
        };
        match read() {
            Ok(ty) => Some(self.output_type(&ty)),
            Err(error) => {
                self.error_with(error, EXTENTS);
                skip_until(input, |input| input.peek(token::Brace) && !has_further_braces(input));
                None
            }
        }
    }

    fn item_body(self, name: &ast::Ident, input: ParseStream<'_>) -> ast::Body {
        if !input.peek(token::Brace) {
            let span = if input.is_empty() { name.span } else { input.span() };
            self.report(span, format!("expected the body of `{}` in braces", name.name));
            skip_until(input, |input| input.peek(token::Brace));
        }
        let read = || {
            let content;
            let brace = syn::braced!(content in input);
            Ok(self.body(&content, brace.span.open()))
        };
        // Without braces nothing is left to read: the missing body is reported above.
        read().unwrap_or_else(|_: syn::Error| missing_body(name.span))
    }
}

/// A body that fits any signature.
fn missing_body(span: Span) -> ast::Body {
    let value = ast::Expr { kind: ast::ExprKind::Error, span, start: span };
    ast::Body { statements: vec![ast::Statement::Expr(value, false)], span }
}

fn is_mode(attribute: &syn::Attribute) -> bool {
    matches!(&attribute.meta, syn::Meta::Path(path) if path.is_ident("train") || path.is_ident("eval"))
}

/// The token between backquotes; for a group, its opening delimiter.
fn quoted(token: &TokenTree) -> String {
    let text = token.to_string();
    match token {
        TokenTree::Group(_) => format!("`{}`", text.chars().next().unwrap_or_default()),
        _ => format!("`{text}`"),
    }
}

fn skip_until(input: ParseStream<'_>, found: impl Fn(ParseStream<'_>) -> bool) {
    while !input.is_empty() && !found(input) && input.parse::<TokenTree>().is_ok() {}
}

/// Skips to the comma that ends an input; commas between extents do not.
fn skip_argument(input: ParseStream<'_>) {
    let mut depth = 0;
    while depth > 0 || !input.peek(Token![,]) {
        match input.parse() {
            Ok(TokenTree::Punct(punct)) if punct.as_char() == '<' => depth += 1,
            Ok(TokenTree::Punct(punct)) if punct.as_char() == '>' => depth -= 1,
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn has_further_braces(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    let taken = ahead.parse::<TokenTree>();
    skip_until(&ahead, |input| input.peek(token::Brace));
    taken.is_ok() && !ahead.is_empty()
}
