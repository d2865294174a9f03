//! Statements, patterns and attributes.

use super::expr::at;
use super::ty::Place;
use super::{Reader, drain, ident};
use crate::nearest::nearest;
use crate::syntax::ast::{Attribute, AttributeKind, Body, Expr, ExprKind, Pattern, Statement, Template};
use proc_macro2::{Delimiter, Span, TokenTree};
use syn::Token;
use syn::parse::ParseStream;
use syn::parse::discouraged::Speculative;
use syn::spanned::Spanned;

const ATTRIBUTES: [&str; 6] = ["name", "param", "state", "train", "eval", "remat"];

impl Reader<'_> {
    /// Reads what stands between the braces of an item's body. Takes all tokens.
    pub(super) fn body(self, input: ParseStream<'_>, span: Span) -> Body {
        let beginning = input.fork();
        let statements = match input.call(syn::Block::parse_within) {
            Ok(statements) => self.statements(&statements),
            Err(_) => {
                drain(input);
                self.statements_one_by_one(&beginning)
            }
        };
        Body { statements, span }
    }

    /// The body of a branch or loop.
    pub(super) fn block_body(self, block: &syn::Block) -> Body {
        Body { statements: self.statements(&block.stmts), span: block.brace_token.span.open() }
    }

    fn statements(self, statements: &[syn::Stmt]) -> Vec<Statement> {
        statements.iter().filter_map(|statement| self.statement(statement)).collect()
    }

    fn statement(self, statement: &syn::Stmt) -> Option<Statement> {
        match statement {
            syn::Stmt::Local(local) => Some(self.binding(local)),
            syn::Stmt::Item(syn::Item::Const(item)) => {
                Some(Statement::Const { name: ident(&item.ident), value: self.expr(&item.expr) })
            }
            syn::Stmt::Item(item) => {
                let note = "a body holds `let`, `const`, `for`, `if` and expressions";
                self.report_with(item.span(), "items of Rust are not part of the model language", note);
                None
            }
            syn::Stmt::Expr(syn::Expr::Verbatim(tokens), Some(_)) if tokens.is_empty() => None,
            syn::Stmt::Expr(expr, semicolon) => {
                self.refuse_attributes(expr);
                Some(Statement::Expr(self.expr(expr), semicolon.is_some()))
            }
            syn::Stmt::Macro(call) => {
                let expr = syn::Expr::Macro(syn::ExprMacro { attrs: Vec::new(), mac: call.mac.clone() });
                Some(Statement::Expr(self.expr(&expr), call.semi_token.is_some()))
            }
        }
    }

    fn binding(self, local: &syn::Local) -> Statement {
        let attributes = self.attributes(&local.attrs);
        let value = self.bound_value(local);
        let syn::Pat::Type(typed) = &local.pat else {
            return Statement::Let { attributes, pattern: self.pattern(&local.pat), ty: None, value };
        };
        let pattern = self.pattern(&typed.pat);
        let place = match &pattern {
            Pattern::Name { name, .. } => Place::Named(&name.name),
            _ => Place::Elsewhere,
        };
        match self.tensor_type(&typed.ty, place) {
            Some(ty) => Statement::Let { attributes, pattern, ty: Some(ty), value },
            // Without its type a parameter is nothing; its name stays bound.
            None => {
                Statement::Let { attributes: Vec::new(), pattern, ty: None, value: at(value.start, ExprKind::Error) }
            }
        }
    }

    fn bound_value(self, local: &syn::Local) -> Expr {
        let Some(init) = &local.init else {
            let span = local.let_token.span;
            self.report_with(span, "a `let` needs a value", "like let fc = Linear(8);");
            return at(span, ExprKind::Error);
        };
        if let Some((token, _)) = &init.diverge {
            self.report(token.span, "`let … else` is not part of the model language");
        }
        self.expr(&init.expr)
    }

    /// Reads statement by statement, so that each mistake costs one of them only.
    fn statements_one_by_one(self, input: ParseStream<'_>) -> Vec<Statement> {
        let mut statements = Vec::new();
        while !input.is_empty() {
            if input.parse::<Token![;]>().is_ok() {
                continue;
            }
            match next_statement(input) {
                Ok(statement) => statements.extend(self.statement(&statement)),
                Err(error) => {
                    self.error(error);
                    statements.push(self.skip_statement(input));
                }
            }
        }
        statements
    }

    /// Skips a statement that cannot be read. Its names stay bound, so that they are not reported as unknown.
    fn skip_statement(self, input: ParseStream<'_>) -> Statement {
        let span = input.span();
        while input.parse::<Token![#]>().is_ok() && input.parse::<TokenTree>().is_ok() {}
        let braced = input.peek(Token![for]) || input.peek(Token![if]);
        let value = at(span, ExprKind::Error);
        let bound = input.parse::<Token![let]>().ok().and_then(|_| syn::Pat::parse_single(&input.fork()).ok());
        let statement = match bound {
            Some(pattern) => {
                Statement::Let { attributes: Vec::new(), pattern: self.pattern(&pattern), ty: None, value }
            }
            None => Statement::Expr(value, true),
        };
        while let Ok(token) = input.parse::<TokenTree>() {
            let ends = match &token {
                TokenTree::Punct(punct) => punct.as_char() == ';',
                TokenTree::Group(group) => braced && group.delimiter() == Delimiter::Brace && !input.peek(Token![else]),
                _ => false,
            };
            if ends || input.peek(Token![let]) || input.peek(Token![for]) {
                break;
            }
        }
        statement
    }

    /// What a `let` or a loop binds.
    pub(super) fn pattern(self, pattern: &syn::Pat) -> Pattern {
        match pattern {
            syn::Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
                Pattern::Name { name: ident(&name.ident), mutable: name.mutability.is_some() }
            }
            syn::Pat::Wild(hole) => Pattern::Hole(hole.underscore_token.span),
            syn::Pat::Paren(paren) => self.pattern(&paren.pat),
            syn::Pat::Tuple(tuple) => {
                let parts = tuple.elems.iter().map(|part| self.pattern(part)).collect();
                Pattern::Tuple(parts, tuple.paren_token.span.open())
            }
            syn::Pat::Slice(list) => {
                let parts = list.elems.iter().map(|part| self.pattern(part)).collect();
                Pattern::List(parts, list.bracket_token.span.open())
            }
            other => {
                let note = "patterns are names, `_`, tuples (a, b) and lists [a, b]";
                self.report_with(other.span(), "no pattern of the model language", note);
                Pattern::Hole(other.span())
            }
        }
    }

    /// The attributes of a loop: it takes `#[remat]` only.
    pub(super) fn loop_attributes(self, attributes: &[syn::Attribute]) -> Vec<Attribute> {
        let (allowed, others): (Vec<_>, Vec<_>) = self
            .attributes(attributes)
            .into_iter()
            .partition(|attribute| matches!(attribute.kind, AttributeKind::Remat));
        for attribute in others {
            self.report(attribute.span, "before a loop stands `#[remat]` only");
        }
        allowed
    }

    fn attributes(self, attributes: &[syn::Attribute]) -> Vec<Attribute> {
        let is_doc = |attribute: &&syn::Attribute| attribute.path().is_ident("doc");
        attributes.iter().filter(|attribute| !is_doc(attribute)).filter_map(|one| self.attribute(one)).collect()
    }

    fn attribute(self, attribute: &syn::Attribute) -> Option<Attribute> {
        let span = attribute.path().span();
        let word = attribute.path().get_ident().map(ToString::to_string).unwrap_or_default();
        let kind = match (word.as_str(), &attribute.meta) {
            ("name", syn::Meta::List(_)) => AttributeKind::Name(self.key(attribute)?),
            ("param", syn::Meta::Path(_)) => AttributeKind::Param,
            ("state", syn::Meta::Path(_)) => AttributeKind::State,
            ("train", syn::Meta::Path(_)) => AttributeKind::Train,
            ("eval", syn::Meta::Path(_)) => AttributeKind::Eval,
            ("remat", syn::Meta::Path(_)) => AttributeKind::Remat,
            _ => {
                self.refuse_attribute(&word, span);
                return None;
            }
        };
        Some(Attribute { kind, span })
    }

    /// The text in `#[name("…")]`.
    fn key(self, attribute: &syn::Attribute) -> Option<Template> {
        match attribute.parse_args::<syn::LitStr>() {
            Ok(text) => Some(self.template(&text)),
            Err(error) => {
                self.error_with(error, "a key is a text: #[name(\"layer{i}\")]");
                None
            }
        }
    }

    fn refuse_attribute(self, word: &str, span: Span) {
        if word == "name" {
            return self.report_with(span, "`name` needs a text", "like #[name(\"layer{i}\")]");
        }
        if ATTRIBUTES.contains(&word) {
            return self.report(span, format!("`#[{word}]` takes no arguments"));
        }
        let names = nearest(word, ATTRIBUTES.into_iter());
        let note = match names.is_empty() {
            true => format!("the attributes: {}", ATTRIBUTES.join(", ")),
            false => format!("the nearest: {}", names.join(", ")),
        };
        self.report_with(span, format!("no attribute `{word}`"), note);
    }

    /// Attributes stand before `let` and `for`; `syn` keeps those of another statement at its leftmost expression.
    fn refuse_attributes(self, expr: &syn::Expr) {
        let attributes = match expr {
            syn::Expr::Assign(x) => return self.refuse_attributes(&x.left),
            syn::Expr::Binary(x) => return self.refuse_attributes(&x.left),
            syn::Expr::Array(x) => &x.attrs,
            syn::Expr::Block(x) => &x.attrs,
            syn::Expr::Call(x) => &x.attrs,
            syn::Expr::Field(x) => &x.attrs,
            syn::Expr::If(x) => &x.attrs,
            syn::Expr::Index(x) => &x.attrs,
            syn::Expr::Lit(x) => &x.attrs,
            syn::Expr::Macro(x) => &x.attrs,
            syn::Expr::MethodCall(x) => &x.attrs,
            syn::Expr::Paren(x) => &x.attrs,
            syn::Expr::Path(x) => &x.attrs,
            syn::Expr::Tuple(x) => &x.attrs,
            syn::Expr::Unary(x) => &x.attrs,
            _ => return,
        };
        if let Some(first) = attributes.first() {
            self.report(first.path().span(), "attributes stand before `let` and `for`");
        }
    }
}

/// Reads one statement, or the expression that ends a body.
fn next_statement(input: ParseStream<'_>) -> syn::Result<syn::Stmt> {
    let statement = input.fork();
    let error = match statement.parse() {
        Ok(read) => {
            input.advance_to(&statement);
            return Ok(read);
        }
        Err(error) => error,
    };
    let last = input.fork();
    match last.parse() {
        Ok(expr) if last.is_empty() => {
            input.advance_to(&last);
            Ok(syn::Stmt::Expr(expr, None))
        }
        _ => Err(error),
    }
}
