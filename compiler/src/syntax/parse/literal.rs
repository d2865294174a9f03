//! Literals, and texts with `{expression}`s in them.

use super::Reader;
use super::expr::at;
use crate::syntax::ast::{Expr, ExprKind, Piece, Template};
use proc_macro2::Span;
use syn::Token;
use syn::punctuated::Punctuated;

impl Reader<'_> {
    /// A literal.
    pub(super) fn literal(self, literal: &syn::Lit) -> Expr {
        let span = literal.span();
        let kind = match literal {
            syn::Lit::Int(number) => {
                self.refuse_suffix(number.suffix(), span);
                number.base10_parse().map(ExprKind::Int).unwrap_or_else(|_| {
                    self.report(span, format!("{} is too large: whole numbers end at 2^63", number.base10_digits()));
                    ExprKind::Error
                })
            }
            syn::Lit::Float(number) => {
                self.refuse_suffix(number.suffix(), span);
                number.base10_parse().map_or(ExprKind::Error, ExprKind::Float)
            }
            syn::Lit::Bool(value) => ExprKind::Bool(value.value),
            syn::Lit::Str(text) => ExprKind::Text(text.value()),
            _ => {
                self.report(span, "literals of the model language are numbers, `true`, `false` and texts");
                ExprKind::Error
            }
        };
        at(span, kind)
    }

    /// `assert!(condition, "text")`
    pub(super) fn assert(self, call: &syn::Macro) -> Expr {
        let span = call.path.segments[0].ident.span();
        let arguments = match call.parse_body_with(Punctuated::<syn::Expr, Token![,]>::parse_terminated) {
            Ok(arguments) => arguments,
            Err(error) => {
                self.error(error);
                return at(span, ExprKind::Error);
            }
        };
        let mut arguments = arguments.iter();
        let Some(condition) = arguments.next() else {
            self.report_with(span, "`assert!` needs a condition", "like assert!(D % HEADS == 0, \"{HEADS} heads\")");
            return at(span, ExprKind::Error);
        };
        let condition = Box::new(self.expr(condition));
        let text = match arguments.next() {
            Some(syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. })) => Some(self.template(text)),
            Some(other) => {
                self.report(self.expr(other).start, "the message of `assert!` is a text in quotes");
                None
            }
            None => None,
        };
        if let Some(further) = arguments.next() {
            let note = "values stand in the text: \"{HEADS} heads\"";
            self.report_with(self.expr(further).start, "`assert!` takes a condition and a text", note);
        }
        at(span, ExprKind::Assert(condition, text))
    }

    /// Takes a text apart at its braces; `{{` and `}}` are braces.
    pub(super) fn template(self, literal: &syn::LitStr) -> Template {
        let (text, span) = (literal.value(), literal.span());
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text.as_str();
        while let Some(brace) = rest.find(['{', '}']) {
            plain.push_str(&rest[..brace]);
            let (here, after) = rest[brace..].split_at(1);
            if let Some(doubled) = after.strip_prefix(here) {
                plain.push_str(here);
                rest = doubled;
                continue;
            }
            let Some(end) = closing_brace(after).filter(|_| here == "{") else {
                self.report_with(
                    span,
                    format!("a single `{here}` in a text"),
                    format!("write {here}{here} for the brace itself"),
                );
                rest = after;
                continue;
            };
            pieces.extend(Some(std::mem::take(&mut plain)).filter(|plain| !plain.is_empty()).map(Piece::Text));
            pieces.push(Piece::Value(self.embedded(&after[..end], span)));
            rest = &after[end + 1..];
        }
        plain.push_str(rest);
        pieces.extend(Some(plain).filter(|plain| !plain.is_empty()).map(Piece::Text));
        Template { pieces, span }
    }

    /// The expression between the braces of a text; all of it is at the literal.
    fn embedded(self, text: &str, span: Span) -> Expr {
        match syn::LitStr::new(text, span).parse::<syn::Expr>() {
            Ok(expr) => self.expr(&expr),
            Err(error) => {
                self.report_with(span, format!("`{{{text}}}` in a text holds no expression"), error.to_string());
                at(span, ExprKind::Error)
            }
        }
    }

    fn refuse_suffix(self, suffix: &str, span: Span) {
        if !suffix.is_empty() {
            let note = "a literal takes the type of what it meets; x.cast(f32) converts";
            self.report_with(span, format!("literals take no suffix: leave out `{suffix}`"), note);
        }
    }
}

/// The position of the brace that closes one opened before the text.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 1;
    text.char_indices().find_map(|(at, letter)| {
        open += match letter {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        (open == 0).then_some(at)
    })
}
