//! Expressions, from `syn`'s tree to the language's.

use super::{Reader, ident};
use crate::syntax::ast::{Argument, BinaryOp, Expr, ExprKind, Ident, UnaryOp};
use proc_macro2::Span;
use syn::Token;
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;

impl Reader<'_> {
    /// Reads an expression; what is not part of the language is reported and becomes [`ExprKind::Error`].
    pub(super) fn expr(self, expr: &syn::Expr) -> Expr {
        match expr {
            syn::Expr::Lit(literal) => self.literal(&literal.lit),
            syn::Expr::Path(path) => self.name(path),
            syn::Expr::Paren(paren) => Expr { start: paren.paren_token.span.open(), ..self.expr(&paren.expr) },
            syn::Expr::Group(group) => self.expr(&group.expr),
            syn::Expr::Field(field) => self.field(field),
            syn::Expr::Index(index) => self.index(index),
            syn::Expr::Call(call) => self.call(call),
            syn::Expr::MethodCall(call) => self.method(call),
            syn::Expr::Unary(unary) => self.unary(unary),
            syn::Expr::Binary(binary) => self.binary(binary),
            syn::Expr::Cast(cast) => self.cast(cast),
            syn::Expr::Assign(assign) => self.assign(&assign.left, None, assign.eq_token.span, &assign.right),
            syn::Expr::If(branch) => self.branch(branch),
            syn::Expr::ForLoop(repeat) => self.repeat(repeat),
            syn::Expr::Block(block) if block.label.is_none() => {
                let body = self.block_body(&block.block);
                at(body.span, ExprKind::Block(body))
            }
            syn::Expr::Tuple(tuple) => at(tuple.paren_token.span.open(), ExprKind::Tuple(self.arguments(&tuple.elems))),
            syn::Expr::Array(array) => at(array.bracket_token.span.open(), ExprKind::List(self.elements(&array.elems))),
            syn::Expr::Repeat(repeat) => {
                let kind = ExprKind::Repeat(self.boxed(&repeat.expr), self.boxed(&repeat.len));
                at(repeat.bracket_token.span.open(), kind)
            }
            syn::Expr::Range(range) => self.range(range),
            syn::Expr::Macro(call) if call.mac.path.is_ident("assert") => self.assert(&call.mac),
            other => self.refuse(other),
        }
    }

    fn boxed(self, expr: &syn::Expr) -> Box<Expr> {
        Box::new(self.expr(expr))
    }

    fn elements(self, elements: &Punctuated<syn::Expr, Token![,]>) -> Vec<Expr> {
        elements.iter().map(|element| self.expr(element)).collect()
    }

    fn name(self, path: &syn::ExprPath) -> Expr {
        let first = &path.path.segments[0];
        let span = first.ident.span();
        if path.qself.is_some() || path.path.segments.len() > 1 || path.path.leading_colon.is_some() {
            let last = &path.path.segments[path.path.segments.len() - 1].ident;
            let note = format!("import the name and write it alone: {last}");
            self.report_with(span, "paths stand in `use` only", note);
            return at(span, ExprKind::Error);
        }
        if !first.arguments.is_none() {
            let note = format!("consts are arguments: {}(8)", first.ident);
            self.report_with(span, "calls take no `::<…>`", note);
        }
        let word = first.ident.to_string();
        if matches!(word.as_str(), "self" | "Self" | "super" | "crate") {
            self.report(span, format!("`{word}` is not part of the model language"));
            return at(span, ExprKind::Error);
        }
        at(span, ExprKind::Name(first.ident.unraw().to_string()))
    }

    fn field(self, field: &syn::ExprField) -> Expr {
        let base = self.expr(&field.base);
        let member = match &field.member {
            syn::Member::Named(name) => ident(name),
            syn::Member::Unnamed(index) => Ident { name: index.index.to_string(), span: index.span },
        };
        let (span, start) = (member.span, base.start);
        Expr { kind: ExprKind::Field(Box::new(base), member), span, start }
    }

    fn index(self, index: &syn::ExprIndex) -> Expr {
        let base = self.expr(&index.expr);
        let start = base.start;
        at(start, ExprKind::Index(Box::new(base), self.boxed(&index.index)))
    }

    fn call(self, call: &syn::ExprCall) -> Expr {
        let callee = self.expr(&call.func);
        let start = callee.start;
        let kind = ExprKind::Call(Box::new(callee), self.arguments(&call.args));
        Expr { kind, span: call.paren_token.span.open(), start }
    }

    fn method(self, call: &syn::ExprMethodCall) -> Expr {
        let receiver = self.expr(&call.receiver);
        let method = ident(&call.method);
        if let Some(turbofish) = &call.turbofish {
            let note = format!("consts are arguments: {}(8)", method.name);
            self.report_with(turbofish.lt_token.span, "calls take no `::<…>`", note);
        }
        let (span, start) = (method.span, receiver.start);
        Expr { kind: ExprKind::Method(Box::new(receiver), method, self.arguments(&call.args)), span, start }
    }

    fn arguments(self, arguments: &Punctuated<syn::Expr, Token![,]>) -> Vec<Argument> {
        arguments.iter().map(|argument| self.argument(argument)).collect()
    }

    /// `k = v` parses as an assignment.
    fn argument(self, argument: &syn::Expr) -> Argument {
        match argument {
            syn::Expr::Assign(assign) => match &*assign.left {
                syn::Expr::Path(path) if path.path.get_ident().is_some() => {
                    let name = ident(&path.path.segments[0].ident);
                    Argument { name: Some(name), value: self.expr(&assign.right) }
                }
                other => {
                    let span = self.expr(other).start;
                    self.report_with(span, "an argument's name is one word", "like f(x, axis = 1)");
                    Argument { name: None, value: at(span, ExprKind::Error) }
                }
            },
            value => Argument { name: None, value: self.expr(value) },
        }
    }

    fn unary(self, unary: &syn::ExprUnary) -> Expr {
        let (op, span) = match unary.op {
            syn::UnOp::Neg(token) => (UnaryOp::Neg, token.span),
            syn::UnOp::Not(token) => (UnaryOp::Not, token.span),
            syn::UnOp::Deref(token) => {
                self.report_with(token.span, "`*x` is not part of the model language", "a value is its name alone");
                return at(token.span, ExprKind::Error);
            }
            _ => return self.refuse(&syn::Expr::Unary(unary.clone())),
        };
        at(span, ExprKind::Unary(op, self.boxed(&unary.expr)))
    }

    fn binary(self, binary: &syn::ExprBinary) -> Expr {
        let span = binary.op.span();
        let (op, assigns) = match operator(&binary.op) {
            Ok(operator) => operator,
            Err((word, instead)) => {
                self.report_with(span, format!("`{word}` is not part of the model language"), instead);
                return Expr { kind: ExprKind::Error, span, start: self.expr(&binary.left).start };
            }
        };
        if assigns {
            return self.assign(&binary.left, Some(op), span, &binary.right);
        }
        let left = self.expr(&binary.left);
        let start = left.start;
        Expr { kind: ExprKind::Binary(op, Box::new(left), self.boxed(&binary.right)), span, start }
    }

    fn cast(self, cast: &syn::ExprCast) -> Expr {
        let ty = match &*cast.ty {
            syn::Type::Path(path) => path.path.get_ident().map(ident),
            _ => None,
        };
        let Some(ty) = ty else { return self.refuse(&syn::Expr::Cast(cast.clone())) };
        let operand = self.expr(&cast.expr);
        let start = operand.start;
        Expr { kind: ExprKind::Cast(Box::new(operand), ty), span: cast.as_token.span, start }
    }

    fn assign(self, left: &syn::Expr, op: Option<BinaryOp>, span: Span, right: &syn::Expr) -> Expr {
        let target = self.expr(left);
        let start = target.start;
        Expr { kind: ExprKind::Assign(Box::new(target), op, self.boxed(right)), span, start }
    }

    fn branch(self, branch: &syn::ExprIf) -> Expr {
        let condition = self.boxed(&branch.cond);
        let then = self.block_body(&branch.then_branch);
        let otherwise = branch.else_branch.as_ref().map(|(_, otherwise)| self.boxed(otherwise));
        at(branch.if_token.span, ExprKind::If(condition, then, otherwise))
    }

    fn repeat(self, repeat: &syn::ExprForLoop) -> Expr {
        if let Some(label) = &repeat.label {
            self.report(label.name.apostrophe, "labels are not part of the model language");
        }
        let attributes = self.loop_attributes(&repeat.attrs);
        let pattern = self.pattern(&repeat.pat);
        let values = self.boxed(&repeat.expr);
        at(repeat.for_token.span, ExprKind::For(attributes, pattern, values, self.block_body(&repeat.body)))
    }

    fn range(self, range: &syn::ExprRange) -> Expr {
        let (inclusive, dots) = match range.limits {
            syn::RangeLimits::HalfOpen(dots) => (false, dots.spans[0]),
            syn::RangeLimits::Closed(dots) => (true, dots.spans[0]),
        };
        let from = range.start.as_ref().map(|start| self.boxed(start));
        let to = range.end.as_ref().map(|end| self.boxed(end));
        at(from.as_ref().map_or(dots, |from| from.start), ExprKind::Range(from, to, inclusive))
    }
}

/// The expression that messages point at where it begins.
pub(super) fn at(span: Span, kind: ExprKind) -> Expr {
    Expr { kind, span, start: span }
}

/// The operator, and whether it assigns; for those that the language lacks, the word and what to write instead.
fn operator(op: &syn::BinOp) -> Result<(BinaryOp, bool), (&'static str, &'static str)> {
    const AND: &str = "`&&` joins consts, logical_and(a, b) values";
    const OR: &str = "`||` joins consts, logical_or(a, b) values";
    const XOR: &str = "ne(a, b) compares two bools";
    Ok(match op {
        syn::BinOp::Add(_) => (BinaryOp::Add, false),
        syn::BinOp::Sub(_) => (BinaryOp::Sub, false),
        syn::BinOp::Mul(_) => (BinaryOp::Mul, false),
        syn::BinOp::Div(_) => (BinaryOp::Div, false),
        syn::BinOp::Rem(_) => (BinaryOp::Rem, false),
        syn::BinOp::Shl(_) => (BinaryOp::Shl, false),
        syn::BinOp::Shr(_) => (BinaryOp::Shr, false),
        syn::BinOp::And(_) => (BinaryOp::And, false),
        syn::BinOp::Or(_) => (BinaryOp::Or, false),
        syn::BinOp::Eq(_) => (BinaryOp::Eq, false),
        syn::BinOp::Ne(_) => (BinaryOp::Ne, false),
        syn::BinOp::Lt(_) => (BinaryOp::Lt, false),
        syn::BinOp::Le(_) => (BinaryOp::Le, false),
        syn::BinOp::Gt(_) => (BinaryOp::Gt, false),
        syn::BinOp::Ge(_) => (BinaryOp::Ge, false),
        syn::BinOp::AddAssign(_) => (BinaryOp::Add, true),
        syn::BinOp::SubAssign(_) => (BinaryOp::Sub, true),
        syn::BinOp::MulAssign(_) => (BinaryOp::Mul, true),
        syn::BinOp::DivAssign(_) => (BinaryOp::Div, true),
        syn::BinOp::RemAssign(_) => (BinaryOp::Rem, true),
        syn::BinOp::ShlAssign(_) => (BinaryOp::Shl, true),
        syn::BinOp::ShrAssign(_) => (BinaryOp::Shr, true),
        syn::BinOp::BitAnd(_) => return Err(("&", AND)),
        syn::BinOp::BitOr(_) => return Err(("|", OR)),
        syn::BinOp::BitXor(_) => return Err(("^", XOR)),
        syn::BinOp::BitAndAssign(_) => return Err(("&=", AND)),
        syn::BinOp::BitOrAssign(_) => return Err(("|=", OR)),
        syn::BinOp::BitXorAssign(_) => return Err(("^=", XOR)),
        _ => return Err(("this operator", "the operators are those of arithmetic and comparison")),
    })
}
