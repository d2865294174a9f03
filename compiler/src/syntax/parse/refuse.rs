//! Rust's expressions that the language does not have, and what to use instead.

use super::Reader;
use super::expr::at;
use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::diagnostic::Diagnostic;
use syn::spanned::Spanned;

const LOOP: &str = "loops run over lists and ranges: for i in 0..n { … }";
const REFERENCE: &str = "a value is its name alone: f(x)";
const BLOCK: &str = "a reusable piece is a `block`";

impl Reader<'_> {
    /// Reports an expression that is not part of the language.
    pub(super) fn refuse(self, expr: &syn::Expr) -> Expr {
        let (what, note) = describe(expr);
        let span = match expr {
            syn::Expr::Await(x) => x.await_token.span,
            syn::Expr::Cast(x) => x.as_token.span,
            syn::Expr::Try(x) => x.question_token.span,
            _ => expr.span(),
        };
        let mut diagnostic = Diagnostic::new(span, format!("{what} not part of the model language"));
        diagnostic.notes.extend(note.map(str::to_string));
        self.diagnostics.report(diagnostic);
        at(span, ExprKind::Error)
    }
}

/// The beginning of the headline, and what to use instead.
fn describe(expr: &syn::Expr) -> (String, Option<&'static str>) {
    let (what, note) = match expr {
        syn::Expr::Match(_) => {
            ("`match` is", Some("consts choose with if c { a } else { b }, elements with select(cond, a, b)"))
        }
        syn::Expr::While(_) => ("`while` is", Some(LOOP)),
        syn::Expr::Loop(_) => ("`loop` is", Some(LOOP)),
        syn::Expr::Break(_) => ("`break` is", Some(LOOP)),
        syn::Expr::Continue(_) => ("`continue` is", Some(LOOP)),
        syn::Expr::Closure(_) => ("a closure is", Some(BLOCK)),
        syn::Expr::Reference(_) => ("`&x` is", Some(REFERENCE)),
        syn::Expr::RawAddr(_) => ("`&raw` is", Some(REFERENCE)),
        syn::Expr::Cast(_) => ("this `as` is", Some("consts are converted to numbers: n as f32")),
        syn::Expr::Return(_) => ("`return` is", Some("the value of a body is its last expression, without semicolon")),
        syn::Expr::Let(_) => ("`let` in a condition is", Some("conditions are consts: if n > 1 { … }")),
        syn::Expr::Struct(_) => ("a struct literal is", Some("layers are made by calls: Linear(8)")),
        syn::Expr::Infer(_) => ("`_` as a value is", None),
        syn::Expr::Try(_) => ("`?` is", None),
        syn::Expr::Await(_) => ("`.await` is", None),
        syn::Expr::Async(_) => ("`async` is", None),
        syn::Expr::Unsafe(_) => ("`unsafe` is", None),
        syn::Expr::Const(_) => ("`const { … }` is", Some("a const is bound by const N: usize = 8;")),
        syn::Expr::Yield(_) => ("`yield` is", None),
        syn::Expr::Block(_) => ("a label is", None),
        syn::Expr::Macro(call) => {
            let name = call.mac.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
            return (format!("`{name}!` is"), Some("the only macro is assert!(cond, \"text\")"));
        }
        _ => ("this expression is", None),
    };
    (what.to_string(), note)
}
